/* SPDX-License-Identifier: GPL-2.0-only */
/* New files that have their contents and their names, but are not on the disk yet. They stay
 * open, since that alone makes sure that a failure to write them is told (fsync(2)). */
#ifndef RELINKTRACE_UNSYNCED_H
#define RELINKTRACE_UNSYNCED_H

#include <stddef.h>

struct unsynced_file {
	int fd;
	unsigned int n; /* of its entry */
	int error;	/* -errno of the sync */
};

struct unsynced {
	struct unsynced_file *files; /* owned, with their fds */
	size_t n;
};

/* Closes what is left in @unsynced; for AUTO(). */
void unsynced_fini(struct unsynced *unsynced);

/* Takes *@fd over, the file of entry @n, unless that fails. 0 or -ENOMEM. */
int unsynced_add(struct unsynced *unsynced, int *fd, unsigned int n);

/* Brings all of them to the disk, several at a time, and leaves none. @failed is called with
 * @data for each that could not be, with its -errno. 0, or what @failed returned first. */
int unsynced_sync(struct unsynced *unsynced,
		  int (*failed)(unsigned int n, int error, void *data), void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* New files that have their contents, but are not on the disk yet, and mostly have no names
 * (late.h). They stay open, since that alone makes sure that a failure to write them is told
 * (fsync(2)). */
#ifndef RELINKTRACE_UNSYNCED_H
#define RELINKTRACE_UNSYNCED_H

#include <stddef.h>

struct holder;

struct unsynced_file {
	int fd;		/* -1 not any more */
	unsigned int n; /* of its entry */
	/* Through whom its orphan was reached; not owned. */
	const struct holder *holder;
	int error; /* -errno of the sync */
};

struct unsynced {
	struct unsynced_file *files; /* owned, with their fds */
	size_t n;
};

/* Closes what is left in @unsynced; for AUTO(). */
void unsynced_fini(struct unsynced *unsynced);

/* Takes *@fd over, the file of entry @n, unless that fails. 0 or -ENOMEM. */
int unsynced_add(struct unsynced *unsynced, int *fd, unsigned int n,
		 const struct holder *holder);

/* Brings all of them to the disk, several at a time. @failed is called with @data for each
 * that could not be, with its -errno; that is closed. 0, or what @failed returned first. */
int unsynced_sync(struct unsynced *unsynced,
		  int (*failed)(unsigned int n, int error, void *data), void *data);

#endif

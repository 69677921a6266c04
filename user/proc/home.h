/* SPDX-License-Identifier: GPL-2.0-only */
/* A mount of an orphan's filesystem that has a folder at its root: where it can be opened
 * by handle, and given a name. */
#ifndef RELINKTRACE_HOME_H
#define RELINKTRACE_HOME_H

#include "mount.h"
#include "orphan/orphan.h"

struct home {
	struct mount mount; /* owned */
	pid_t pid;	    /* a process that sees it there */
	int fd;		    /* its root, readable; owned; -1 unset */
};

#define HOME_INIT                                                                        \
	{                                                                                \
		.fd = -1                                                                 \
	}

/* Whose mounts are looked at. */
enum home_of {
	HOME_OF_HOLDERS, /* what the orphan's holders see */
	HOME_OF_ANYBODY, /* else what we see ourselves */
};

/* Closes and frees what @home owns; for AUTO(). */
void home_fini(struct home *home);

/* Calls @take with one mount after the other until it returns 0, and moves that one to
 * @out: for each holder the mount that @orphan was opened through, then any of its
 * filesystem; the same for others where @of says so. 0; -ENOENT there is none; else what
 * the last @take returned. */
int home_find(const struct orphan *orphan, enum home_of of,
	      int (*take)(const struct home *home, void *data), void *data,
	      struct home *out);

#endif

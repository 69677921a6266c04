/* SPDX-License-Identifier: GPL-2.0-only */
/* Which fd a program is to find at which number. */
#ifndef RELINKTRACE_FDPLAN_H
#define RELINKTRACE_FDPLAN_H

#include <stddef.h>
#include <sys/resource.h>

struct fdplan_item {
	int fd;		/* ours; owned; close-on-exec */
	int wanted;	/* the number in the program; -1 any */
	unsigned int n; /* the orphan's number */
};

struct fdplan {
	struct fdplan_item *items; /* owned */
	size_t n;
	struct rlimit limit; /* RLIMIT_NOFILE as it was, when raised */
	int raised;
};

/* Closes and frees what @plan owns; for AUTO(). */
void fdplan_fini(struct fdplan *plan);

/* Adds @fd, which is the plan's from then on, also on failure. 0 or -ENOMEM. */
int fdplan_add(struct fdplan *plan, int fd, int wanted, unsigned int n);

/* Chooses numbers where any will do, above all that are wanted, and moves every fd of the
 * plan above all of them, so that fdplan_place() overwrites none; raises the soft
 * RLIMIT_NOFILE for that where it must. 0; -EEXIST two want the same number; -EMFILE the
 * hard limit is too low; -errno. */
int fdplan_prepare(struct fdplan *plan);

/* Puts every fd at its number, for the program that is executed next: what was there is
 * closed, and the limit is what it was. After fdplan_prepare(). 0 or -errno. */
int fdplan_place(struct fdplan *plan);

/* Closes those that are ours; what was placed stays. */
void fdplan_close(struct fdplan *plan);

#endif

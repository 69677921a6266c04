/* SPDX-License-Identifier: GPL-2.0-only */
/* A walk of /proc under way, and what becomes of each link that it finds: for procwalk.h
 * alone. */
#ifndef RELINKTRACE_WALK_H
#define RELINKTRACE_WALK_H

#include "orphan/orphan.h"
#include "process.h"
#include "proclink.h"
#include "target.h"

struct walk {
	const struct target *target;
	struct orphan_set *set;
	unsigned int parts; /* PROCWALK_ of procwalk.h */
	bool denied;	    /* something of the process that is being walked */
	bool no_kcmp;	    /* refused: see procwalk.c, walk_table() */
	uint64_t undecided; /* links of which nobody can tell */
	uint64_t hiding; /* sockets and io_urings with files that /proc does not show */
	char *cgroup;	 /* owned; the last one asked for, with its id */
	uint64_t cgroup_id;
};

/* Frees what @walk owns; for AUTO(). */
void walk_fini(struct walk *walk);

/* What to make of the failure to read something of a process: gone is nothing, refused is
 * told of the process, the rest of the scan. Only what ends the walk is returned. */
int walk_forgive(struct walk *walk, int err);

/* Adds @holder, a holder of what @link leads to, which may lose its path to it. 0 also for
 * what is no orphan; -errno. */
int walk_add(struct walk *walk, const struct process *process, struct proclink *link,
	     struct holder *holder);

#endif

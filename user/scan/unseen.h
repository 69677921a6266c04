/* SPDX-License-Identifier: GPL-2.0-only */
/* Orphans that no task holds: behind loop devices, and mounted. */
#ifndef RELINKTRACE_UNSEEN_H
#define RELINKTRACE_UNSEEN_H

#include "bpf/known.h"
#include "proc/target.h"
#include "scan_source.h"

struct unseen {
	const struct scan_source *source;
	const struct target *target;
	const struct known *known; /* the map of orphans */
	struct orphan_set *set;
};

/* Looks for loop devices and mounts in every mount namespace that a task has, and adds
 * what they hold of the target to unseen->set: a mount where a task of the target has it
 * in its namespace, a loop device where the target is everybody or has the unlinker. What
 * others hold so is marked as held elsewhere. 0; -ENOMEM; -errno. */
int unseen_join(const struct unseen *unseen);

/* Lets the iterators of @source, which fill the map of orphans, see what is held so by
 * now. 0 or -errno. */
int unseen_bootstrap(const struct scan_source *source);

#endif

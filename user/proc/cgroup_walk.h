/* SPDX-License-Identifier: GPL-2.0-only */
/* A cgroup and all below it. */
#ifndef RELINKTRACE_CGROUP_WALK_H
#define RELINKTRACE_CGROUP_WALK_H

#include "cgroup.h"

/* Calls @each with @data for @cg and every cgroup below it: @dir is its open directory. One
 * that is removed meanwhile is passed over. 0; -errno; what @each returned that is not 0,
 * which ends it. */
int cgroup_walk(const struct cgroup *cg, int (*each)(int dir, void *data), void *data);

/* The same for each process of @cg and of all below it: @text is its number as digits, for as long
 * as the call. What one of them forks while the kernel lists them is listed behind it. -EINVAL
 * where one has no number in our pid namespace. */
int cgroup_walk_tasks(const struct cgroup *cg,
		      int (*each)(const char *text, pid_t pid, void *data), void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A cgroup and all below it. */
#ifndef RELINKTRACE_CGROUP_WALK_H
#define RELINKTRACE_CGROUP_WALK_H

#include "cgroup.h"

/* Calls @each with @data for @cg and every cgroup below it: @dir is its open directory. One
 * that is removed meanwhile is passed over. 0; -errno; what @each returned that is not 0,
 * which ends it. */
int cgroup_walk(const struct cgroup *cg, int (*each)(int dir, void *data), void *data);

#endif

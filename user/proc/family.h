/* SPDX-License-Identifier: GPL-2.0-only */
/* Who descends from whom. */
#ifndef RELINKTRACE_FAMILY_H
#define RELINKTRACE_FAMILY_H

#include "cgroup.h"

/* Whether each process of @cg and of all below it is @root or descends from it, so that who stops
 * those stops all of it; not where that cannot be told, as of one that ends meanwhile, which may
 * have left a child to others. */
bool family_has_all(pid_t root, const struct cgroup *cg);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Ending what goes on without a process. */
#ifndef RELINKTRACE_DETACH_H
#define RELINKTRACE_DETACH_H

#include <stddef.h>
#include <stdint.h>

/* The id of the cgroup that @spec names, see cgroup_find(); "id:N" may be of one that was
 * removed. 0; -EINVAL, logged. */
int detach_find(const char *spec, uint64_t *id);

/* Takes the @n cgroups @ids, and those that no longer exist, out of the pinned attach, and with
 * the last one all that was pinned. 0, also when they were not attached; -errno, logged. */
int detach_cgroups(const uint64_t *ids, size_t n);

/* Removes all that was pinned. 0, also when there was nothing; -errno, logged. */
int detach_all(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mounts answer at all: so that what hangs on one does not keep the others waiting. */
#ifndef RELINKTRACE_PROBE_H
#define RELINKTRACE_PROBE_H

#include <stdbool.h>

#include "orphan/orphan.h"

/* More are taken for ones that answer. */
#define PROBE_MOST 256

struct probe {
	int ids[PROBE_MOST]; /* of mounts */
	bool answered[PROBE_MOST];
	size_t n;
};

/* Tries each mount of @set by a process of its own, all at the same time: its root is opened
 * and a file without a name made in it. Waits for @ms at most; one that does not answer is
 * killed and not waited for. 0 or -errno. */
int probe_mounts(struct probe *probe, const struct orphan_set *set, int ms);

/* Whether the mount of @orphan did not answer, or has a server that may not. Pure. */
bool probe_may_hang(const struct probe *probe, const struct orphan *orphan);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The scan: map first, then one pass over the holders, joined into an orphan set. */
#ifndef RELINKTRACE_SCAN_H
#define RELINKTRACE_SCAN_H

#include "orphan/orphan.h"
#include "proc/target.h"
#include "bpf/iterators.h"

/* Fills @set (initialised by the caller) with the orphans of @target: from the pinned
 * attach where there is one, else from the holder iterators, else from /proc. Paths,
 * mounts, cgroups and allocated bytes are filled in; sorted. Returns 0, also when the
 * set is not complete (set->complete says so, the reason is logged); -errno when nothing
 * could be read at all. */
int scan(const struct target *target, struct orphan_set *set);

/* Where a scan gets its answer from; nothing in it is owned. */
struct scan_source {
	struct iterators iterators; /* files_fd is -1: walk /proc */
	enum backend backend;	    /* whose map of orphans it is, or BACKEND_NONE */
	bool settles; /* the iterators fill the map of orphans, and nothing before counts
			 as lost when they are through */
	int orphans_fd;
	int stats_fd;
};

#define SCAN_SOURCE_INIT                                                                 \
	{                                                                                \
		.iterators = ITERATORS_INIT, .orphans_fd = -1, .stats_fd = -1            \
	}

/* As scan(), from @source. */
int scan_with(const struct scan_source *source, const struct target *target,
	      struct orphan_set *set);

/* Fills the zeroed @orphan with what the map of orphans knew, as one that belongs to its
 * unlinker since no holder is known. False, and @orphan untouched, when the unlinker is
 * not of @target. */
bool scan_fill_unlinked(const struct rt_orphan *known, const struct target *target,
			struct orphan *orphan);

/* Whether the map of orphans of @backend is exact, births and releases alike, so that
 * nothing has to be read when it is empty. */
bool backend_is_exact(enum backend backend);

/* What the kernel half has lost since the last bootstrap, from the map of counters
 * @stats_fd. */
uint64_t scan_lost(int stats_fd);

#endif

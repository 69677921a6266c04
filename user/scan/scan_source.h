/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a scan gets its answer from. */
#ifndef RELINKTRACE_SCAN_SOURCE_H
#define RELINKTRACE_SCAN_SOURCE_H

#include <stdbool.h>

#include "bpf/hooks.h"
#include "bpf/iterators.h"
#include "orphan/orphan.h"

/* Nothing in it is owned. */
struct scan_source {
	struct iterators iterators; /* files_fd is -1: walk /proc */
	enum backend backend;	    /* whose map of orphans it is, or BACKEND_NONE */
	bool settles; /* the iterators fill the map of orphans, and nothing before counts
			 as lost when they are through */
	int orphans_fd;
	int stats_fd;
	struct hooks hooks; /* that fill the map, if it is to be exact */
	bool fills;	    /* the iterators put into the map what they find */
};

#define SCAN_SOURCE_INIT                                                                 \
	{                                                                                \
		.iterators = ITERATORS_INIT, .orphans_fd = -1, .stats_fd = -1            \
	}

#endif

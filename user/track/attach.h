/* SPDX-License-Identifier: GPL-2.0-only */
/* Beginning to track: hooks, then everything that is older than they are. */
#ifndef RELINKTRACE_ATTACH_H
#define RELINKTRACE_ATTACH_H

#include "bpf/tracker.h"
#include "scan/scan.h"

struct attach {
	struct tracker *tracker; /* owned */
	struct scan_source source;
};

#define ATTACH_INIT                                                                      \
	{                                                                                \
		.source = SCAN_SOURCE_INIT                                               \
	}

/* Loads and attaches the hooks of @backend (BACKEND_NONE: the best that works) and then
 * finds the orphans that are older, for the map and, those of @target, into @set
 * (initialised by the caller). @streaming as in struct tracker_options. 0; -errno, and
 * the reason in *@why (owned by the caller, may be NULL). */
int attach_begin(enum backend backend, bool streaming, const struct target *target,
		 struct attach *out, struct orphan_set *set, char **why);

/* Detaches and frees; for AUTO(). */
void attach_end(struct attach *attach);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Beginning to track: hooks, then everything that is older than they are. */
#ifndef RELINKTRACE_ATTACH_H
#define RELINKTRACE_ATTACH_H

#include "bpf/pins.h"
#include "bpf/tracker.h"
#include "scan/scan.h"

/* Of a BPF hash map, with room for what the kernel rounds up to. */
#define ATTACH_MAX_ORPHANS (1U << 26)

struct attach {
	struct tracker *tracker; /* owned */
	struct scan_source source;
};

#define ATTACH_INIT                                                                      \
	{                                                                                \
		.source = SCAN_SOURCE_INIT                                               \
	}

struct attach_wish {
	enum backend backend; /* BACKEND_NONE: the best that works */
	uint32_t max_orphans; /* that can be tracked at once; 0: by memory */
	bool streaming;	      /* as in struct tracker_options */
};

/* Loads and attaches the hooks and then finds the orphans that are older, for the map and,
 * those of @target, into @set (initialised by the caller). 0; -errno, logged. */
int attach_begin(const struct attach_wish *wish, const struct target *target,
		 struct attach *out, struct orphan_set *set);

/* The same, to go on without us: adds @target to the attach that is pinned, and then what was
 * lost since, for want of room in the map, is in it again; or pins a new one, as @wish says.
 * Waits for a list that is under way. 0; -errno, logged. */
int attach_pinned(const struct attach_wish *wish, const struct target *target,
		  struct orphan_set *set);

/* The hooks that are called @name, "fentry", "kprobe" or "tp_btf"; BACKEND_NONE for others. */
enum backend attach_backend(const char *name);

/* Detaches and frees; for AUTO(). */
void attach_end(struct attach *attach);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The scan: map first, then one pass over the holders, joined into an orphan set. */
#ifndef RELINKTRACE_SCAN_H
#define RELINKTRACE_SCAN_H

#include "orphan/orphan.h"
#include "proc/target.h"
#include "scan_source.h"

/* What a scan runs in the kernel. To load it takes much longer than to run it. */
struct scanner {
	struct iterators iterators; /* owned */
};

#define SCANNER_INIT                                                                     \
	{                                                                                \
		.iterators = ITERATORS_INIT                                              \
	}

/* Loads into @out (owned by the caller; for AUTO(scanner_close)) what scan() would load for
 * itself as things are: nothing where the pinned attach has it, or the kernel refuses it. */
void scanner_open(struct scanner *out);

void scanner_close(struct scanner *scanner);

/* Fills @set (initialised by the caller) with the orphans of @target: from the pinned
 * attach where there is one, else from the holder iterators, else from /proc. Paths,
 * mounts, cgroups and allocated bytes are filled in; sorted. What has to be loaded for that
 * is taken from @scanner (NULL: it is loaded). Returns 0, also when the set is not complete
 * (set->complete says so, the reason is logged); -errno when nothing could be read at all. */
int scan(const struct target *target, const struct scanner *scanner,
	 struct orphan_set *set);

/* As scan(), from @source. */
int scan_with(const struct scan_source *source, const struct target *target,
	      struct orphan_set *set);

/* Logs what @set lacks because the kernel half has lost events, if it does. */
void scan_tell_lost(const struct orphan_set *set);

/* How many events the kernel half has lost since the last bootstrap, and, at most, how many
 * it was not called for since the last pass that fills the map. */
uint64_t scan_lost(const struct scan_source *source);

/* The latter alone. */
uint64_t scan_missed(const struct scan_source *source);

/* Whether nobody on the machine holds an orphan, by a pinned attach that misses none; *@born counts
 * those that there have been. */
bool scan_is_quiet(uint64_t *born);

#endif

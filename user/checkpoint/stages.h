/* SPDX-License-Identifier: GPL-2.0-only */
/* The stages of a checkpoint's work, each with the privileges that it needs. */
#ifndef RELINKTRACE_STAGES_H
#define RELINKTRACE_STAGES_H

#include "preserve/preserve.h"
#include "proc/target.h"
#include "scan/scan.h"

/* What stage_look() takes from @out, for which that was done before the freeze. Owned by the
 * caller; for AUTO(scanner_close). */
void stage_ready(struct scanner *out);

/* Fills @set (initialised) with what @target holds, by @scanner; @select (NULL: nothing) is called with it
 * and @data, and may remove some of it. 0 or an error that was logged. */
int stage_look(const struct target *target, const struct scanner *scanner,
	       void (*select)(struct orphan_set *set, void *data), void *data,
	       struct orphan_set *set);

/* preserve_folders(), before the freeze. 0 or an error that was logged. */
int stage_folders(struct preserve *preserve, struct orphan_set *set);

/* preserve_all(). */
int stage_preserve(struct preserve *preserve, struct orphan_set *set);

/* preserve_settle(). */
int stage_settle(struct preserve *preserve);

/* Makes those copies of @set that can be made while the cgroup runs, which was frozen for a
 * moment at @frozen. 0 or an error that was logged. */
int stage_precopy(struct preserve *preserve, struct orphan_set *set,
		  const struct timespec *frozen, struct precopies *out);

#endif

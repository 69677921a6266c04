/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A checkpoint of what holds no orphan, without a freeze of ours.
 *
 * Nobody holds one before; then the caller does its own, which stops the tasks in its own way: one
 * process and all that descend from it, so that there must be nobody else in the cgroup;
 * finds what they hold while they stand still, and says so of what they came to hold in between:
 * then it has taken back what it did, and all is done with a freeze. So it is when it fails, as
 * CRIU does of an orphan that it would lose; unless it is known that there has been none
 * meanwhile, anywhere, or it says that it failed for something else, so that it would fail again. To
 * look once more does not tell: what it failed for may have been closed when it let go of the
 * tasks.
 */
#ifndef RELINKTRACE_ALONE_H
#define RELINKTRACE_ALONE_H

#include "checkpoint.h"
#include "orphan/orphan.h"

/* What was known before the look. */
struct alone {
	bool quiet;    /* nobody on the machine held any, */
	uint64_t born; /* of so many that there had been */
};

/* To be called before the look. */
void alone_begin(struct alone *alone);

/* Calls @wish->alone where that look has found, in @set, that @target holds nothing. 0; 1 it has to
 * be done with a freeze; -errno, logged: it failed, and nothing more is to be done. */
int alone_run(const struct alone *alone, const struct checkpoint_wish *wish,
	      const struct target *target, const struct manifest *manifest,
	      const struct orphan_set *set);

#endif

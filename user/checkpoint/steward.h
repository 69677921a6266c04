/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A checkpoint with a deadline as a whole in a process of its own: also what the manifest,
 * its journal, the store or the index are on may not answer, and whoever has a file open
 * there may not even come to its end. Nothing of that is done by the process that waits.
 */
#ifndef RELINKTRACE_STEWARD_H
#define RELINKTRACE_STEWARD_H

#include "checkpoint.h"

/* As checkpoint_run(). */
typedef int (*steward_work)(const struct checkpoint_wish *wish,
			    const struct target *target, struct manifest *out);

/* Has @work done with @wish, which has a deadline, and @target; wish->inside is called here,
 * wish->select in another process. What @work returned, with @out filled where that is 0 or
 * 1; -ETIMEDOUT, logged: it did not end in time, was left behind, and the cgroup is thawed
 * (by its guardian, freezer.h); -errno, logged. */
int steward_run(steward_work work, const struct checkpoint_wish *wish,
		const struct target *target, struct manifest *out);

#endif

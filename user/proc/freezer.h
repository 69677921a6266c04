/* SPDX-License-Identifier: GPL-2.0-only */
/* Stopping a cgroup for the time of a checkpoint, and setting it going again for sure. */
#ifndef RELINKTRACE_FREEZER_H
#define RELINKTRACE_FREEZER_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "cgroup.h"

struct freezer {
	bool active;	 /* we froze it, so we thaw it */
	int freeze_fd;	 /* cgroup.freeze, open for writing */
	int guardian_fd; /* our end of the guardian's socket: its EOF thaws */
	pid_t guardian;
};

#define FREEZER_INIT                                                                     \
	{                                                                                \
		.freeze_fd = -1, .guardian_fd = -1, .guardian = -1                       \
	}

/* Freezes @cg (cgroup.freeze, Documentation/admin-guide/cgroup-v2.rst) and waits for
 * "frozen 1" in cgroup.events, its own and of each cgroup below, @timeout_ms at most. (A
 * task of an inner cgroup may still be on its way when the kernel says so: it sets the
 * flag with the last child's, cgroup_propagate_frozen.) A guardian process thaws it even
 * when this one is killed; only who kills all of a service's processes (KillMode=
 * control-group) with SIGKILL gets the guardian too. At @until (CLOCK_MONOTONIC; NULL never)
 * it thaws it as well, whatever this process does then. A cgroup that somebody else had
 * frozen stays theirs: it is not thawed by us. -EDEADLK when this process is inside @cg;
 * -ETIMEDOUT (thawed again); -errno. */
int freezer_freeze(struct freezer *freezer, const struct cgroup *cg, int timeout_ms,
		   const struct timespec *until);

/* Whether @cg and each cgroup below it are frozen at this moment, whoever did that. */
bool freezer_is_frozen(const struct cgroup *cg);

/* Waits until it is, @timeout_ms at most. 0; -ETIMEDOUT; -errno. */
int freezer_await_frozen(const struct cgroup *cg, int timeout_ms);

/* Waits until @cg is frozen no more, @timeout_ms at most, which is for whoever froze it to do.
 * 0; -ETIMEDOUT; -errno. */
int freezer_await_thawed(const struct cgroup *cg, int timeout_ms);

/* In a child that was forked since: closes what would let the guardian believe that its
 * maker lives when only the child does. */
void freezer_forget(struct freezer *freezer);

/* Thaws what freezer_freeze() froze and ends the guardian; does nothing otherwise; for
 * AUTO(). A failure is logged: it names the cgroup's file and how to thaw by hand. */
void freezer_thaw(struct freezer *freezer);

#endif

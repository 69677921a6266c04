/* SPDX-License-Identifier: GPL-2.0-only */
/* What an agent asks for around a checkpoint and a restore. Each action does what is left
 * to be done, in whatever order the calls come and wherever an earlier one was killed, and
 * tells in its report what there is now. */
#ifndef RELINKTRACE_ACTIONS_H
#define RELINKTRACE_ACTIONS_H

#include "preserve/depot.h"
#include "proc/target.h"
#include "report.h"

/* How long an action may take where its caller does not say: half of what the kubelet gives
 * a whole checkpoint. */
#define ACTION_SECONDS 60

/* How long a keeper waits where its caller does not say. */
#define ACTION_WAIT_SECONDS 600

struct action_wish {
	const struct target *target; /* prepare: one cgroup; NULL else */
	const char *images; /* CRIU's, or any folder that travels with them; NULL none */
	const char *const *roots; /* pre-restore: --root; absolute */
	size_t n_roots;
	/* prepare, with external: copies of what the checkpoint does not carry by itself go
	 * into this directory, where the cgroup stays frozen until the dump; of what is on
	 * these mounts, where any are named. Around a restore: where that is now. NULL: of
	 * what a runtime dumps (config) into one in its root, see rootstore.h, what is nowhere
	 * else (depot.h, sparing); of what the caller dumps nothing. */
	const char *store;
	bool no_store;			  /* not by itself */
	struct depot_mounts store_mounts; /* not owned */
	bool external; /* prepare: criu is run with what the report says */
	/* prepare, with external: the file that a runtime has CRIU read its options from, and
	 * the first process of what it dumps; NULL the caller sees to that. */
	const char *config;
	pid_t tree;
	/* prepare, with config and unless no_store, of a cgroup that is not frozen: a keeper
	 * (keeper.h) waits so long, in seconds, for the pause; <= 0 none. It works no longer than
	 * @deadline, in seconds. */
	double wait, deadline;
	bool strict; /* all or nothing */
	bool keep;   /* post-restore: the names stay */
	/* post-dump inside of CRIU's own: the process that it dumps, which does not run; 0
	 * called from outside. */
	pid_t dumped;
};

/* Gives every orphan of the target a name, where that is of use: with @wish->external and a
 * cgroup that somebody keeps frozen all of them, else those that CRIU would link; the rest
 * fits into its images. Made already, nothing is made again. */
void action_prepare(struct txn *txn, const struct action_wish *wish,
		    struct report *report);

/* The dump came to its end: its names stay until they are restored or cleaned. */
void action_post_dump(struct txn *txn, const struct action_wish *wish,
		      struct report *report);

/* The dump, or the restore, failed: everything is as before it. */
void action_abort(struct txn *txn, const struct action_wish *wish, struct report *report);

/* Somebody is about to restore: verifies what is there, and makes the names again that
 * CRIU's images tell of. */
void action_pre_restore(struct txn *txn, const struct action_wish *wish,
			struct report *report);

/* The restore came to its end: the names go, unless they are to be kept. */
void action_post_restore(struct txn *txn, const struct action_wish *wish,
			 struct report *report);

/* Nobody will restore it. */
void action_clean(struct txn *txn, const struct action_wish *wish, struct report *report);

#endif

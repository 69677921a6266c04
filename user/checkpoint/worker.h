/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A checkpoint's work in a process of its own, for one with a deadline: a call into a
 * filesystem that does not answer cannot be taken back, not even by SIGKILL, and whoever is
 * in it must be left behind. What is done is told piece by piece, so that it is kept.
 *
 * Some time before the deadline the worker itself begins nothing more; a little before it,
 * it is killed and not waited for, so that there is time to write the manifest.
 */
#ifndef RELINKTRACE_WORKER_H
#define RELINKTRACE_WORKER_H

#include "manifest/manifest.h"
#include "postbox.h"
#include "preserve/preserve.h"
#include "proc/freezer.h"
#include "proc/target.h"
#include "scan/scan.h"

struct worker_task {
	const struct target *target;
	const struct scanner *scanner;
	void (*select)(struct orphan_set *set, void *data); /* see stage_look() */
	void *data;
	struct preserve_options options;
	struct manifest *manifest;     /* has been begun; gets what was preserved */
	struct freezer *freezer;       /* whom the worker does not belong to */
	const struct timespec *frozen; /* with precopy: see stage_precopy(); else NULL */
	const struct timespec *until;  /* CLOCK_MONOTONIC */
};

struct worker {
	pid_t pid;
	struct postbox box;
	struct manifest *manifest;
	struct manifest pending; /* all orphans, as failed ones; n 0: one is known of */
	size_t first_pending;	 /* those before are known of */
	struct timespec soft, hard; /* the times above */
	size_t left;	/* names and folders that it made, could not remove again, and
		      * logged; no manifest has them */
	bool abandoned; /* it did not end by itself: names may be there that only the
			 * journal has */
};

#define WORKER_INIT                                                                      \
	{                                                                                \
		.pid = -1, .box = POSTBOX_INIT                                           \
	}

/* Begins @task. 0 or -errno. */
int worker_start(struct worker *worker, const struct worker_task *task);

/* Waits until the copies from before the freeze are made. 0; -ETIMEDOUT, then it is
 * abandoned; -errno. */
int worker_await_precopy(struct worker *worker);

/* The cgroup is frozen and it may go on; or, unless @go, it undoes what it did. */
void worker_go_on(struct worker *worker, bool go);

/* Waits until it has ended, or its time has. The manifest has then what was preserved, and
 * the others as failed ones. 0; -errno: what it had made is undone, but for worker->left. */
int worker_finish(struct worker *worker);

/* Ends it where it lives, and frees what @worker owns; for AUTO(). */
void worker_fini(struct worker *worker);

#endif

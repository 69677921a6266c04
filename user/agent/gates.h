/* SPDX-License-Identifier: GPL-2.0-only */
/* The files by which a cgroup is frozen, its own and those of the ones above it, watched by
 * fanotify(7): who freezes it can be kept waiting before he has found out that it is frozen. */
#ifndef RELINKTRACE_GATES_H
#define RELINKTRACE_GATES_H

#include <stdbool.h>
#include <sys/types.h>

#include "proc/cgroup.h"

#define GATES_MOST 16 /* levels of cgroups */
#define GATES_PIDS 16 /* of those who wrote to a cgroup.freeze, the last ones */
#define GATES_HELD 64 /* kept waiting at a time; more are let go */

struct gate {
	int freeze; /* cgroup.freeze, open before it is watched; owned */
	ino_t freeze_ino, events_ino;
};

struct gates {
	int fan; /* owned; -1: nobody is kept waiting */
	dev_t dev;
	struct gate gates[GATES_MOST];
	size_t n;
	pid_t froze[GATES_PIDS];
	size_t n_froze;
	int held[GATES_HELD]; /* owned */
	size_t n_held;
};

#define GATES_INIT                                                                       \
	{                                                                                \
		.fan = -1                                                                \
	}

/* What gates_take() tells, and asks; @data is its caller's. */
struct gates_calls {
	/* @pid, no process of ours, has written to a cgroup.freeze; 0 it is not known who. */
	void (*written)(pid_t pid, void *data);
	/* Whether @pid, who has written there, and now opens cgroup.events of what is to be frozen,
	 * is to wait until gates_let_go(). */
	bool (*hold)(pid_t pid, void *data);
	/* The process, beside ourselves, that is never meant; -1 none. */
	pid_t (*ours)(void *data);
	void *data;
};

/* Watches @cg and the cgroups above it that this process is in none of: if they freeze, so do
 * we. 0; -EDEADLK we are in @cg; -EPERM; -EINVAL, -ENOSYS the kernel cannot; -errno. */
int gates_open(struct gates *out, const struct cgroup *cg);

/* Takes what has come by gates->fan. 0 or -errno. */
int gates_take(struct gates *gates, const struct gates_calls *calls);

/* Lets go whoever waits. */
void gates_let_go(struct gates *gates);

/* Adds the fds that a process that is to do nothing but this has to keep to @fds. How many there
 * are then. */
size_t gates_fds(const struct gates *gates, int *fds, size_t n);

/* Closes all; whoever waits goes on. For AUTO(), and for a child that was forked. */
void gates_fini(struct gates *gates);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* One process as /proc shows it. */
#ifndef RELINKTRACE_PROCESS_H
#define RELINKTRACE_PROCESS_H

#include <sys/types.h>

#include "proctext.h"

struct process {
	pid_t pid;
	pid_t live; /* the main thread, or another one where that has exited */
	int dir; /* /proc/PID; owned; stays this process's when the number is used again
		  */
	struct proctext_stat stat;
	char *cgroup; /* owned; below the v2 root; NULL unknown, see cgroup_of_pid() */
};

#define PROCESS_INIT                                                                     \
	{                                                                                \
		.dir = -1                                                                \
	}

/* Frees what @process owns; for AUTO(). */
void process_fini(struct process *process);

/* Opens /proc/@pid and reads what is known of it. A cgroup that cannot be told is no
 * error. 0; -ENOENT, -ESRCH when there is no such process; -EACCES, -EPERM; -errno. */
int process_open(pid_t pid, struct process *out);

/* Opens /proc/@pid where it is the process that began at @start_time (clock ticks since
 * boot, proc_pid_stat(5); 0: whichever it is). The directory is to the process what a
 * pidfd is: what is looked up in it is of this process or fails with ESRCH, also when the
 * id is used again (fs/proc/base.c keeps its struct pid). The fd, owned by the caller;
 * -ESRCH when it has exited; -EACCES, -EPERM; -errno. */
int process_pin(pid_t pid, uint64_t start_time);

/* The process that was pinned last; for many files of one. */
struct process_pinned {
	pid_t pid;
	uint64_t start_time;
	int dir; /* owned; -1 none yet */
};

#define PROCESS_PINNED_INIT                                                              \
	{                                                                                \
		.dir = -1                                                                \
	}

/* process_pin() where @last is another one. The fd, which belongs to @last; -errno. */
int process_pin_again(struct process_pinned *last, pid_t pid, uint64_t start_time);

/* Closes what @last holds; for AUTO(). */
void process_pinned_fini(struct process_pinned *last);

/* Whether any thread of it was running when it was opened. */
bool process_lives(const struct process *process);

/* Whether @pid is a process and not one of its other threads, which have directories in
 * /proc too. 0, -ESRCH or -errno. */
int process_check(pid_t pid);

#endif

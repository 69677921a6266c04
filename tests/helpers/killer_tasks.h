/* SPDX-License-Identifier: GPL-2.0-only */
/* The processes and threads of a command, as their calls tell of them: for killer.c. */
#ifndef RELINKTRACE_TEST_KILLER_TASKS_H
#define RELINKTRACE_TEST_KILLER_TASKS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "call.h"

/* A task that has made a call. */
struct task {
	pid_t tid, pid;
	char kind[16]; /* "worker", of relink-worker; "" it has not said yet */
	bool naming;   /* its last call said so; until then its name is its parent's */
};

struct tasks {
	struct task *all; /* owned */
	size_t n;
};

/* The process of task @tid, or 0 where it is gone. */
static pid_t process_of(pid_t tid)
{
	FILE *status = fopen(path_of("/proc/%d/status", tid), "re");
	char line[256];
	int pid = 0;

	while (status && !pid && fgets(line, sizeof(line), status))
		sscanf(line, "Tgid: %d", &pid);
	if (status)
		fclose(status);
	return pid;
}

/* What the process of @task calls itself. */
static void task_name(struct task *task)
{
	FILE *comm = fopen(path_of("/proc/%d/comm", task->pid), "re");

	if (comm && fscanf(comm, "relink-%15s", task->kind) != 1)
		task->kind[0] = '\0';
	if (comm)
		fclose(comm);
}

static struct task *task_add(struct tasks *tasks, pid_t tid)
{
	struct task made = {.tid = tid, .pid = process_of(tid)};

	if (!made.pid)
		return NULL;
	if (made.tid != made.pid)
		task_name(&made);
	tasks->all = realloc(tasks->all, (tasks->n + 1) * sizeof(made));
	if (!tasks->all)
		die("realloc");
	tasks->all[tasks->n] = made;
	return &tasks->all[tasks->n++];
}

/* The task of @call; NULL when it is gone. Ids are not used again so soon. */
static const struct task *task_of(struct tasks *tasks, const struct call *call)
{
	struct task *task = tasks->all;

	while (task < tasks->all + tasks->n && task->tid != call->tid)
		task++;
	if (task == tasks->all + tasks->n)
		task = task_add(tasks, call->tid);
	if (!task)
		return NULL;
	if (task->naming)
		task_name(task);
	task->naming = call->nr == __NR_prctl && call->args[0] == PR_SET_NAME;
	return task;
}

static void tasks_kill(const struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->n; i++)
		kill(tasks->all[i].pid, SIGKILL);
}

#endif

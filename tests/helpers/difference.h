/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A difference between what relinktrace says and the truth (truth.h), and what can be told
 * of it while all is still frozen: the tasks that it is about, and who shares their tables.
 */
#ifndef RELINKTRACE_TEST_DIFFERENCE_H
#define RELINKTRACE_TEST_DIFFERENCE_H

#include "truth.h"

static int differences;

/* @sign: - for what is in the truth only, + for what relinktrace says only. */
static inline void differs(const char *sign, const char *what, const char *more)
{
	fprintf(stderr, "%s %s %s\n", sign, what, more);
	differences++;
}

static inline bool has_holder(const struct rows *rows, const char *holder)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(rows->rows[i].holder, holder))
			return true;
	return false;
}

static inline bool has_key(const struct rows *rows, const char *key)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!strcmp(rows->rows[i].key, key))
			return true;
	return false;
}

static inline bool has_row(const struct rows *rows, const struct row *row)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!row_compare(&rows->rows[i], row))
			return true;
	return false;
}

/* Whether @tid has ended or is about to: of no use to anybody who freezes. */
static inline bool task_is_ending(int pid, int tid)
{
	FILE *file = fopen(path_of("/proc/%d/task/%d/stat", pid, tid), "re");
	unsigned int flags = 0;
	char line[1024] = "", *after;

	if (!file)
		return true;
	after = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	/* Of the fields of proc(5) the ninth; PF_EXITING, include/linux/sched.h. */
	return !after ||
	       (sscanf(after, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && flags & 4);
}

/* Whether every task that @holder can be of is ending. */
static inline bool holder_is_ending(const char *holder)
{
	int pid, tid = 0, fields = sscanf(holder, "%d/%d:", &pid, &tid);
	struct dirent *entry;
	bool ending = true;
	DIR *tasks;

	if (fields == 2)
		return task_is_ending(pid, tid ? tid : pid);
	tasks = opendir(path_of("/proc/%d/task", pid));
	while (tasks && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.' && !task_is_ending(pid, atoi(entry->d_name)))
			ending = false;
	if (tasks)
		closedir(tasks);
	return ending;
}

/*
 * Drops from @lacking what is not in the truth of @cgroup any more because whose it was
 * has died, frozen: a task on its way out leaves the cgroup, which is frozen by that if it
 * was the last that ran, before it sends its children their PR_SET_PDEATHSIG (cgroup_exit
 * and exit_notify, kernel/exit.c). Returns how many.
 */
static inline size_t late_drop(struct rows *lacking, const char *cgroup)
{
	size_t n = lacking->n, kept = 0;

	truth_of_cgroup(cgroup);
	for (size_t i = 0; i < n; i++)
		if (has_row(&truth.sure, &lacking->rows[i]) ||
		    !holder_is_ending(lacking->rows[i].holder))
			lacking->rows[kept++] = lacking->rows[i];
	lacking->n = kept;
	return n - kept;
}

/* Every task of this machine that has the same table of fds as @tid. */
static inline void sharers_tell(int tid)
{
	DIR *processes = opendir("/proc"), *tasks;
	struct dirent *process, *task;

	while (processes && (process = readdir(processes))) {
		int pid = atoi(process->d_name), other;

		tasks = pid ? opendir(path_of("/proc/%d/task", pid)) : NULL;
		while (tasks && (task = readdir(tasks))) {
			other = atoi(task->d_name);
			if (other && other != tid &&
			    !syscall(SYS_kcmp, tid, other, KCMP_FILES, 0, 0))
				fprintf(stderr, "  the same table: %d/%d\n", pid, other);
		}
		if (tasks)
			closedir(tasks);
	}
	if (processes)
		closedir(processes);
}

static inline void file_tell(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		fprintf(stderr, "  %s: %s\n", path, strerror(errno));
	while (file && getline(&line, &room, file) >= 0)
		if (strncmp(line, "Name:", 5) == 0 || strncmp(line, "State:", 6) == 0 ||
		    strncmp(line, "PPid:", 5) == 0 || strncmp(line, "Threads:", 8) == 0 ||
		    strncmp(line, "SigPnd:", 7) == 0 ||
		    strncmp(line, "ShdPnd:", 7) == 0 || strncmp(line, "0::", 3) == 0)
			fprintf(stderr, "  %s", line);
	free(line);
	if (file)
		fclose(file);
}

/* Who it is, in which state and where, and with whom it shares its table. */
static inline void task_tell(int pid, int tid)
{
	long order = syscall(SYS_kcmp, pid, tid, KCMP_FILES, 0, 0);

	fprintf(stderr, "task %d of process %d: kcmp of their tables %ld%s%s\n", tid, pid,
		order, order < 0 ? ", " : "", order < 0 ? strerror(errno) : "");
	file_tell(path_of("/proc/%d/task/%d/status", pid, tid));
	file_tell(path_of("/proc/%d/task/%d/cgroup", pid, tid));
	if (tid != pid)
		file_tell(path_of("/proc/%d/status", pid));
	sharers_tell(tid);
}

/* Each task that @rows are about. */
static inline void tasks_tell(const struct rows *rows)
{
	static struct rows told;

	for (size_t i = 0; i < rows->n; i++) {
		int pid, tid = 0;

		if (sscanf(rows->rows[i].holder, "%d/%d:", &pid, &tid) < 1)
			continue;
		if (!tid)
			tid = pid;
		if (has_key(&told, path_of("%d", tid)))
			continue;
		row_add(&told, path_of("%d", tid), "");
		task_tell(pid, tid);
	}
}

#endif

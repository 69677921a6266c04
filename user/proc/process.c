/* SPDX-License-Identifier: GPL-2.0-only */
#include "process.h"

#include <fcntl.h>

#include "base/auto.h"
#include "cgroup.h"

void process_fini(struct process *process)
{
	free(process->cgroup);
	auto_close(&process->dir);
	*process = (struct process)PROCESS_INIT;
}

/* Whether thread @tid of @process still runs. */
static bool thread_lives(const struct process *process, const char *tid)
{
	AUTO_FREE char *text = NULL;
	struct proctext_stat stat;
	char name[64];

	snprintf(name, sizeof(name), "task/%.16s/stat", tid);
	return !proctext_read(process->dir, name, &text) && !proctext_stat(text, &stat) &&
	       !stat.exiting;
}

bool process_lives(const struct process *process)
{
	return process->stat.state != 'Z' || process->live != process->pid;
}

/* A thread that has what all threads share: a main thread that has exited shows nothing,
 * and one that exits first loses its memory, then its files, and is a zombie at last
 * (do_exit(), kernel/exit.c). */
static pid_t process_live(const struct process *process)
{
	AUTO_FD fd = -1;
	AUTO_DIR *dir = NULL;
	struct dirent *entry;

	if (!process->stat.exiting)
		return process->pid;
	fd = openat(process->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return process->pid;
	TAKE_FD(fd);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && thread_lives(process, entry->d_name))
			return atoi(entry->d_name);
	return process->pid;
}

int process_open(pid_t pid, struct process *out)
{
	AUTO(process_fini) struct process process = {.pid = pid, .dir = -1};
	AUTO_FREE char *text = NULL;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "/proc/%d", pid);
	process.dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process.dir < 0)
		return -errno;
	err = proctext_read(process.dir, "stat", &text);
	if (!err)
		err = proctext_stat(text, &process.stat);
	if (err)
		return err;
	err = cgroup_of_pid(pid, &process.cgroup);
	if (err == -EACCES || err == -EPERM || err == -ENOMEM)
		return err;
	/* Asked by number: it was this process's as long as that is still here. */
	if (faccessat(process.dir, "stat", F_OK, 0))
		return -ESRCH;
	process.live = process_live(&process);
	*out = process;
	process = (struct process)PROCESS_INIT;
	return 0;
}

int process_pin(pid_t pid, uint64_t start_time)
{
	AUTO_FREE char *text = NULL;
	struct proctext_stat stat;
	AUTO_FD dir = -1;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "/proc/%d", pid);
	dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (!start_time)
		return TAKE_FD(dir);
	err = proctext_read(dir, "stat", &text);
	err = err ?: proctext_stat(text, &stat);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	return stat.start_time == start_time ? TAKE_FD(dir) : -ESRCH;
}

void process_pinned_fini(struct process_pinned *last)
{
	auto_close(&last->dir);
	*last = (struct process_pinned)PROCESS_PINNED_INIT;
}

int process_pin_again(struct process_pinned *last, pid_t pid, uint64_t start_time)
{
	int dir;

	if (last->dir >= 0 && last->pid == pid && last->start_time == start_time)
		return last->dir;
	dir = process_pin(pid, start_time);
	if (dir < 0)
		return dir;
	process_pinned_fini(last);
	*last = (struct process_pinned){pid, start_time, dir};
	return dir;
}

int process_check(pid_t pid)
{
	AUTO_FREE char *text = NULL;
	char name[32];
	uint64_t tgid;
	int err;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	err = proctext_read(AT_FDCWD, name, &text);
	if (err)
		return err == -ENOENT ? -ESRCH : err;
	if (proctext_value(text, "Tgid", 10, &tgid) || tgid != (uint64_t)pid)
		return -ESRCH;
	return 0;
}

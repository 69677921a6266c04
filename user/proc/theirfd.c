/* SPDX-License-Identifier: GPL-2.0-only */
#include "theirfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "process.h"

/* include/uapi/linux/pidfd.h, since 6.9 (64bef697d33b): pidfds of threads. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

void theirfd_fini(struct theirfd *their)
{
	auto_close(&their->pidfd);
	*their = (struct theirfd)THEIRFD_INIT;
}

static int open_process(pid_t pid, pid_t tid, uint64_t start_time)
{
	AUTO_FD pidfd = syscall(SYS_pidfd_open, tid ? tid : pid, tid ? PIDFD_THREAD : 0);
	AUTO_FD process = -1;

	if (pidfd < 0)
		return -errno;
	/* After the pidfd: then it is of that very process. */
	process = process_pin(pid, start_time);
	return process < 0 ? TAKE_FD(process) : TAKE_FD(pidfd);
}

int theirfd_get(struct theirfd *their, pid_t pid, pid_t tid, uint64_t start_time, int fd)
{
	int got;

	if (their->pidfd < 0 || their->pid != pid || their->tid != tid ||
	    their->start_time != start_time) {
		theirfd_fini(their);
		their->pidfd = open_process(pid, tid, start_time);
		if (their->pidfd < 0) {
			got = their->pidfd;
			their->pidfd = -1;
			return got;
		}
		their->pid = pid;
		their->tid = tid;
		their->start_time = start_time;
	}
	got = syscall(SYS_pidfd_getfd, their->pidfd, fd, 0);
	return got < 0 ? -errno : got;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Another process's own open file description, as an fd of ours (pidfd_getfd(2), 5.6): what
 * only an fd of it can be asked. */
#ifndef RELINKTRACE_THEIRFD_H
#define RELINKTRACE_THEIRFD_H

#include <stdint.h>
#include <sys/types.h>

/* The process that was last asked for; for many files of one. */
struct theirfd {
	pid_t pid, tid;
	uint64_t start_time;
	int pidfd; /* owned; -1 none yet */
};

#define THEIRFD_INIT                                                                     \
	{                                                                                \
		.pidfd = -1                                                              \
	}

/* Closes what @their holds; for AUTO(). */
void theirfd_fini(struct theirfd *their);

/* A duplicate of fd @fd of process @pid that began at @start_time; of its thread @tid's own
 * table, unless that is 0 (6.9). It shares position and flags with theirs: only look. The
 * fd, owned by the caller; -ESRCH the process is gone; -EBADF the fd is; -EPERM; -EINVAL a
 * thread's, before 6.9; -errno. */
int theirfd_get(struct theirfd *their, pid_t pid, pid_t tid, uint64_t start_time, int fd);

#endif

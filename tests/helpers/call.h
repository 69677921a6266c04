/* SPDX-License-Identifier: GPL-2.0-only */
/* A system call of another process, before the kernel does it. */
#ifndef RELINKTRACE_TEST_CALL_H
#define RELINKTRACE_TEST_CALL_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "lib.h"

struct call {
	pid_t tid;
	int nr;
	const __u64 *args;
};

/* Of each of them the last argument that is a path names what comes into being or goes. */
static const struct {
	int nr;
	const char *name;
	int dir_arg, path_arg; /* dir_arg -1: relative to the current directory */
} changing[] = {
#ifdef __NR_mkdir
	{__NR_mkdir, "mkdir", -1, 0},	     {__NR_rmdir, "rmdir", -1, 0},
	{__NR_unlink, "unlink", -1, 0},	     {__NR_rename, "rename", -1, 1},
	{__NR_link, "link", -1, 1},	     {__NR_symlink, "symlink", -1, 1},
#endif
	{__NR_mkdirat, "mkdirat", 0, 1},     {__NR_mknodat, "mknodat", 0, 1},
	{__NR_unlinkat, "unlinkat", 0, 1},   {__NR_renameat, "renameat", 2, 3},
	{__NR_renameat2, "renameat2", 2, 3}, {__NR_linkat, "linkat", 2, 3},
	{__NR_symlinkat, "symlinkat", 1, 2}, {__NR_openat, "openat", 0, 1},
};

#define N_CHANGING (sizeof(changing) / sizeof(changing[0]))

/* The row of @call, or -1 where it changes nothing. */
static inline int changing_find(const struct call *call)
{
	for (size_t i = 0; i < N_CHANGING; i++) {
		if (changing[i].nr != call->nr)
			continue;
		if (call->nr == __NR_openat && !(call->args[2] & O_CREAT))
			return -1;
		return i;
	}
	return -1;
}

/* Whether @call cannot change a file, a name or a lock of anybody who is not killed: what it
 * closes, being killed closes, too. */
static inline bool only_looks(const struct call *call)
{
	static const int calls[] = {
		__NR_read,	 __NR_pread64,	  __NR_lseek,	   __NR_fstat,
		__NR_newfstatat, __NR_statx,	  __NR_readlinkat, __NR_getdents64,
		__NR_mmap,	 __NR_munmap,	  __NR_mprotect,   __NR_brk,
		__NR_bpf,	 __NR_openat2,	  __NR_kcmp,	   __NR_getpid,
		__NR_fstatfs,	 __NR_pidfd_open, __NR_fgetxattr,  __NR_flistxattr,
		__NR_getrandom,	 __NR_faccessat,  __NR_epoll_wait, __NR_name_to_handle_at,
		__NR_getxattr,	 __NR_futex,	  __NR_madvise,	   __NR_rt_sigprocmask,
		__NR_getppid,	 __NR_gettid,	  __NR_geteuid,	   __NR_rt_sigaction,
		__NR_rseq,	 __NR_ppoll,	  __NR_recvfrom,   __NR_set_robust_list,
		__NR_getcwd,	 __NR_prlimit64,  __NR_close,	   __NR_close_range,
		__NR_capget,	 __NR_capset,	  __NR_uname,	   __NR_mremap,
		__NR_dup3,	 __NR_faccessat2, __NR_statfs,	   __NR_open_by_handle_at,
#ifdef __NR_readlink
		__NR_readlink,	 __NR_stat,	  __NR_lstat,	   __NR_access,
		__NR_poll,	 __NR_dup2,
#endif
	};

	if (call->nr == __NR_fcntl) /* none that is about locks */
		return call->args[1] == F_DUPFD_CLOEXEC || call->args[1] <= F_GETFL;
	if (call->nr == __NR_openat)
		return !(call->args[2] & (O_CREAT | O_TRUNC | O_ACCMODE)) &&
		       (call->args[2] & O_TMPFILE) != O_TMPFILE;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == call->nr)
			return true;
	return false;
}

static inline const char *call_name(const struct call *call)
{
	for (size_t i = 0; i < N_CHANGING; i++)
		if (changing[i].nr == call->nr)
			return changing[i].name;
	return path_of("%d", call->nr);
}

/* A string of the command's memory. */
static inline void read_string(pid_t pid, __u64 address, char *out, size_t size)
{
	size_t done = 0;

	while (done < size - 1) {
		/* up to the end of the page: the next one may not be there */
		size_t len = 4096 - (address + done) % 4096;
		struct iovec ours, theirs;
		ssize_t n;

		if (len > size - 1 - done)
			len = size - 1 - done;
		ours = (struct iovec){out + done, len};
		theirs = (struct iovec){(void *)(uintptr_t)(address + done), len};
		n = process_vm_readv(pid, &ours, 1, &theirs, 1, 0);
		if (n <= 0)
			break;
		if (memchr(out + done, 0, n))
			return;
		done += n;
	}
	out[done] = '\0';
}

#endif

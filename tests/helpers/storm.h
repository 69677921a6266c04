/* SPDX-License-Identifier: GPL-2.0-only */
/* What one task of the random workload (storm.c) has, and the steps that it takes by
 * itself: with names, fds and mappings. The steps that take several tasks are in storm.c,
 * those that the ledger is for in storm_sent.h. */
#ifndef RELINKTRACE_TEST_STORM_H
#define RELINKTRACE_TEST_STORM_H

#include <stdbool.h>
#include <sys/syscall.h>

#include "ledger.h"
#include "ring.h"

#define NAMES 24
#define SLOTS 24
#define MAPS  6

/* Fds that every task has at the same number, above those of any slot: of the directory,
 * and of each cgroup's cgroup.procs. The rings' are RING_FD and the following ones. */
#define DIR_FD	  500
#define CGROUP_FD 510

struct task {
	unsigned long long state; /* of the random numbers */
	int slots[SLOTS];	  /* fds, or -1 */
	void *maps[MAPS];
	int ring;    /* its own io_uring, or -1 */
	int pair[2]; /* its own sockets, or -1; what was sent over the first waits in the
			second */
	struct ledger_entry *sent;
	struct ring *asks; /* its own io_uring to ask by, or NULL */
	bool is_thread;	   /* other tasks have the same memory and the same cwd */
	bool is_alien; /* has no ledger, or files on a filesystem that it is not for */
};

static __thread struct task *me;

/* splitmix64: the same numbers on every machine. */
static inline unsigned int draw(unsigned int below)
{
	unsigned long long z = me->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

/* The last few look as if they were gone already. No other name is the same without
 * that. */
static inline const char *some_name(void)
{
	unsigned int n = draw(NAMES);

	return path_of(n < NAMES - 3 ? "name-%u" : "name-%u (deleted)", n);
}

/* A name that no other task uses. */
static inline const char *own_name(const char *kind)
{
	return path_of("%s-%d-%ld", kind, getpid(), syscall(SYS_gettid));
}

/* Into a slot, whose fd is closed for it. */
static inline void keep(int fd)
{
	unsigned int slot = draw(SLOTS);

	if (fd < 0)
		return;
	if (me->slots[slot] >= 0)
		close(me->slots[slot]);
	me->slots[slot] = fd;
}

static inline int some_fd(void)
{
	return me->slots[draw(SLOTS)];
}

static inline int open_name(const char *name, int flags)
{
	return openat(DIR_FD, name, flags | O_CLOEXEC, 0600);
}

static inline void unlink_or_die(const char *name, int flags)
{
	if (unlinkat(DIR_FD, name, flags))
		die("unlink %s", name);
}

static inline void do_open(void)
{
	int fd = open_name(some_name(), O_RDWR | O_CREAT);

	/* EINVAL: it is a FIFO, whose fd another has linked there. */
	if (fd >= 0 && ftruncate(fd, 1 + draw(100000)) && errno != EINVAL)
		die("ftruncate");
	keep(fd);
}

static inline void do_open_path(void)
{
	keep(open_name(some_name(), O_PATH));
}

static inline void do_tmpfile(void)
{
	keep(open_name(".", O_TMPFILE | O_RDWR | (draw(2) ? O_EXCL : 0)));
}

/* What may be linked of what has no name is open(2)'s and linkat(2)'s to say. */
static inline void do_link_fd(void)
{
	int fd = some_fd();

	if (fd >= 0)
		linkat(fd, "", DIR_FD, some_name(), AT_EMPTY_PATH);
}

static inline void do_link(void)
{
	linkat(DIR_FD, some_name(), DIR_FD, some_name(), 0);
}

static inline void do_unlink(void)
{
	unlinkat(DIR_FD, some_name(), 0);
}

/* One name, three times over. */
static inline void do_link_again(void)
{
	const char *name = own_name("again");
	int fd = open_name(name, O_RDWR | O_CREAT);

	if (fd < 0 || linkat(DIR_FD, name, DIR_FD, path_of("%s-too", name), 0))
		die("make %s", name);
	unlink_or_die(name, 0);
	/* Without root's rights, and without /proc (linkat(2)). */
	if (linkat(fd, "", DIR_FD, name, AT_EMPTY_PATH) &&
	    linkat(AT_FDCWD, path_of("/proc/self/fd/%d", fd), DIR_FD, name,
		   AT_SYMLINK_FOLLOW))
		die("link %s again", name);
	unlink_or_die(path_of("%s-too", name), 0);
	if (draw(2))
		keep(open_name(name, O_RDONLY));
	unlink_or_die(name, 0);
	keep(fd);
}

static inline void do_rename(void)
{
	renameat(DIR_FD, some_name(), DIR_FD, some_name());
}

static inline void do_exchange(void)
{
	renameat2(DIR_FD, some_name(), DIR_FD, some_name(), RENAME_EXCHANGE);
}

/* Unlinked or renamed by an io_uring, whose workers are threads of ours, as another may have
 * it; kernels before 5.11 refuse. */
static inline void do_ask(void)
{
	char from[32], to[32];
	struct io_uring_sqe request = {.opcode = IORING_OP_UNLINKAT, .fd = DIR_FD};

	if (!me->asks)
		return;
	snprintf(from, sizeof(from), "%s", some_name());
	snprintf(to, sizeof(to), "%s", some_name());
	request.addr = (unsigned long)from;
	if (draw(2)) {
		request.opcode = IORING_OP_RENAMEAT;
		request.len = DIR_FD;
		request.addr2 = (unsigned long)to;
	}
	ring_do(me->asks, &request);
}

static inline void do_close(void)
{
	unsigned int slot = draw(SLOTS);

	if (me->slots[slot] >= 0)
		close(me->slots[slot]);
	me->slots[slot] = -1;
}

static inline void do_dup(void)
{
	int fd = some_fd();

	if (fd >= 0)
		keep(fcntl(fd, draw(2) ? F_DUPFD_CLOEXEC : F_DUPFD, 0));
}

static inline void do_map(void)
{
	unsigned int slot = draw(MAPS);

	if (me->maps[slot])
		munmap(me->maps[slot], 4096);
	me->maps[slot] = mmap(NULL, 4096, PROT_READ, draw(2) ? MAP_SHARED : MAP_PRIVATE,
			      some_fd(), 0);
	if (me->maps[slot] == MAP_FAILED)
		me->maps[slot] = NULL;
}

static inline void do_seek(void)
{
	lseek(some_fd(), draw(10000), SEEK_SET);
}

static inline void directory_make(const char *name)
{
	if (mkdirat(DIR_FD, name, 0700))
		die("mkdir %s", name);
}

/* A directory of our own, removed, or replaced by another, while it is held by a slot or
 * as cwd. */
static inline void do_directory(void)
{
	const char *name = own_name("dir");
	int fd;

	directory_make(name);
	fd = open_name(name, O_RDONLY | O_DIRECTORY);
	if (draw(2) && fchdir(draw(3) ? fd : DIR_FD))
		die("fchdir");
	if (draw(4) == 0) {
		const char *other = own_name("other");

		directory_make(other);
		if (renameat(DIR_FD, other, DIR_FD, name))
			die("rename %s", other);
	}
	unlink_or_die(name, AT_REMOVEDIR);
	if (draw(2))
		keep(fd);
	else
		close(fd);
}

static inline void do_fifo(void)
{
	const char *name = own_name("fifo");

	if (mkfifoat(DIR_FD, name, 0600))
		die("mkfifo %s", name);
	keep(open_name(name, O_RDWR));
	unlink_or_die(name, 0);
}

#endif

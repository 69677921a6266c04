/* SPDX-License-Identifier: GPL-2.0-only */
/* Children in situations that a scan of /proc has to find, and what is to be found. */
#ifndef RELINKTRACE_CHILD_H
#define RELINKTRACE_CHILD_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "base/auto.h"
#include "proc/procwalk.h"

static char dir[64];

static inline const char *in_dir(const char *name)
{
	static char text[4][8192];
	static int n;

	n = (n + 1) % 4;
	snprintf(text[n], sizeof(text[n]), "%s/%s", dir, name);
	return text[n];
}

/* A child in a situation that @arrange makes; lives until it is ended. */
struct child {
	pid_t pid;
	int hold;
	struct stat st; /* of the file that it holds, as @arrange told it */
	struct orphan_set set;
};

/* What @arrange fills for the parent; shared memory. */
static struct told {
	struct stat st;
	pid_t tid;
	int fd;
} * told;

static int wait_fd = -1, ready_fd = -1;

/* Says that all is arranged and waits for the end, in whichever thread. */
static inline void __attribute__((noreturn)) arranged(void)
{
	char byte;

	MUST(write(ready_fd, "x", 1) == 1);
	while (read(wait_fd, &byte, 1) > 0)
		;
	_exit(0);
}

static inline struct child child_start(void (*arrange)(void))
{
	struct child child;
	int wait[2], ready[2];
	char byte;

	MUST(!pipe2(wait, O_CLOEXEC) && !pipe2(ready, O_CLOEXEC));
	memset(told, 0, sizeof(*told));
	child.pid = fork();
	MUST(child.pid >= 0);
	if (!child.pid) {
		close(wait[1]);
		wait_fd = wait[0];
		ready_fd = ready[1];
		arrange();
		arranged();
	}
	close(wait[0]);
	close(ready[1]);
	MUST(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	child.hold = wait[1];
	child.st = told->st;
	orphan_set_init(&child.set);
	return child;
}

static inline void child_end(struct child *child)
{
	close(child->hold);
	MUST(waitpid(child->pid, NULL, 0) == child->pid);
	orphan_set_fini(&child->set);
}

static inline struct child child_scan(void (*arrange)(void))
{
	struct child child = child_start(arrange);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};

	CHECK_INT(procwalk_scan(&target, &child.set), 0);
	CHECK(child.set.complete);
	CHECK_INT(child.set.unread, 0);
	orphan_set_sort(&child.set);
	return child;
}

static inline int file_make(const char *name, int flags)
{
	int fd = open(in_dir(name), O_CREAT | O_RDWR | O_CLOEXEC | flags, 0640);

	MUST(fd >= 0 && ftruncate(fd, 8192) == 0 &&
	     pwrite(fd, "foo\nbar\n", 8, 4096) == 8);
	MUST(!fstat(fd, &told->st));
	return fd;
}

/* The only orphan of @child, which must be what it told, with @n holders. */
static inline const struct orphan *only(const struct child *child, const char *name,
					size_t n)
{
	static const struct orphan nothing = {0};
	const struct orphan *orphan = child->set.orphans;

	if (!CHECK_INT(child->set.n, 1))
		return &nothing;
	CHECK_INT(orphan->ino, child->st.st_ino);
	CHECK_STR(orphan->path, name ? in_dir(name) : NULL);
	CHECK_INT(orphan->n_holders, n);
	return orphan->n_holders == n ? orphan : &nothing;
}

static inline const struct holder *holder_at(const struct orphan *orphan, size_t i)
{
	static const struct holder nothing = {0};

	return i < orphan->n_holders ? &orphan->holders[i] : &nothing;
}

static inline void children_set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/relinktrace-unit-%d", getpid());
	MUST(!mkdir(dir, 0755));
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MUST(told != MAP_FAILED);
}

/* Nothing may be left in the directory; what main() returns. */
static inline int children_done(void)
{
	CHECK(!rmdir(dir));
	return check_done();
}

#endif

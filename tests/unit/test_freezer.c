/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "check.h"
#include "enter.h"
#include "base/auto.h"
#include "proc/freezer.h"
#include "proc/proctext.h"

#define TIMEOUT_MS 20000

static struct cgroup outer = CGROUP_INIT, inner = CGROUP_INIT;
static char root[4096];

/* A child that counts for ever, and what it counts. */
static volatile uint64_t *counter;
static pid_t busy;

static void set_up(void)
{
	AUTO_FREE char *why = NULL;
	AUTO_FREE char *below = NULL;

	MUST(cgroup_mount());
	snprintf(root, sizeof(root), "%s/relinktrace-unit-%d", cgroup_mount(), getpid());
	MUST(asprintf(&below, "%s/inner", root) > 0);
	MUST(!mkdir(root, 0755) && !mkdir(below, 0755));
	MUST(!cgroup_find(root, &outer, &why) && !cgroup_find(below, &inner, &why));
	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	MUST(counter != MAP_FAILED);
	busy = fork();
	MUST(busy >= 0);
	while (!busy)
		++*counter;
	cgroup_enter(below, busy);
}

static void tear_down(void)
{
	AUTO_FREE char *below = NULL;

	MUST(!kill(busy, SIGKILL) && waitpid(busy, NULL, 0) == busy);
	MUST(asprintf(&below, "%s/inner", root) > 0);
	CHECK(!rmdir(below) && !rmdir(root));
	cgroup_fini(&outer);
	cgroup_fini(&inner);
}

/* What cgroup.events says; waits at most TIMEOUT_MS for it to become @want. */
static int frozen(const struct cgroup *cg, int want)
{
	AUTO_FD fd = openat(cg->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	uint64_t value;

	MUST(fd >= 0);
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLPRI};
		char text[512];
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		MUST(n >= 0);
		text[n] = '\0';
		MUST(!proctext_value(text, "frozen", 10, &value));
		if ((int)value == want || poll(&poll_fd, 1, TIMEOUT_MS) <= 0)
			return value;
	}
}

static int told(const struct cgroup *cg)
{
	AUTO_FREE char *text = NULL;

	MUST(!proctext_read(cg->fd, "cgroup.freeze", &text));
	return text[0] == '1';
}

static void tell(const struct cgroup *cg, const char *value)
{
	AUTO_FD fd = openat(cg->fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0 && write(fd, value, 1) == 1);
}

/* Whether the child makes no step while we make many. */
static bool stands_still(void)
{
	uint64_t before = *counter;

	for (int i = 0; i < 1000; i++)
		sched_yield();
	return *counter == before;
}

static void test_freeze_thaw(void)
{
	struct freezer freezer = FREEZER_INIT;
	uint64_t before;
	pid_t guardian;

	CHECK_INT(freezer_freeze(&freezer, &outer, TIMEOUT_MS, NULL), 0);
	CHECK(freezer.active);
	CHECK_INT(frozen(&outer, 1), 1);
	CHECK_INT(frozen(&inner, 1), 1);
	CHECK(stands_still());
	guardian = freezer.guardian;
	CHECK(guardian > 0 && !kill(guardian, 0));
	before = *counter;
	freezer_thaw(&freezer);
	CHECK_INT(told(&outer), 0);
	CHECK_INT(frozen(&outer, 0), 0);
	while (*counter == before)
		sched_yield();
	CHECK(kill(guardian, 0) && errno == ESRCH);
	CHECK(!freezer.active && freezer.freeze_fd == -1 && freezer.guardian == -1);
	freezer_thaw(&freezer); /* nothing is left to do */
}

/* Somebody else freezes again between our thaw and the guardian's end. */
static void test_thawed_is_left_alone(void)
{
	struct freezer freezer = FREEZER_INIT;

	CHECK_INT(freezer_freeze(&freezer, &inner, TIMEOUT_MS, NULL), 0);
	freezer_thaw(&freezer);
	tell(&inner, "1");
	CHECK_INT(told(&inner), 1);
	tell(&inner, "0");
}

static void test_already_frozen(void)
{
	struct freezer freezer = FREEZER_INIT;

	tell(&outer, "1");
	CHECK_INT(freezer_freeze(&freezer, &outer, TIMEOUT_MS, NULL), 0);
	CHECK(!freezer.active);
	freezer_thaw(&freezer);
	CHECK_INT(told(&outer), 1);
	CHECK_INT(frozen(&outer, 1), 1);
	/* Below it we have our own say, and take it back. */
	CHECK_INT(freezer_freeze(&freezer, &inner, TIMEOUT_MS, NULL), 0);
	CHECK(freezer.active);
	freezer_thaw(&freezer);
	CHECK_INT(told(&inner), 0);
	CHECK_INT(told(&outer), 1);
	tell(&outer, "0");
	CHECK_INT(frozen(&outer, 0), 0);
}

/* A child's answer to freezer_freeze(@cg) from inside the cgroup @dir. */
static int freeze_from(const char *dir, const struct cgroup *cg)
{
	int ends[2], status;
	char byte;
	pid_t pid;

	MUST(!pipe2(ends, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		struct freezer freezer = FREEZER_INIT;

		if (read(ends[0], &byte, 1) != 1)
			_exit(255);
		_exit(-freezer_freeze(&freezer, cg, TIMEOUT_MS, NULL));
	}
	cgroup_enter(dir, pid);
	MUST(write(ends[1], "x", 1) == 1);
	MUST(waitpid(pid, &status, 0) == pid);
	close(ends[0]);
	close(ends[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_self(void)
{
	AUTO_FREE char *below = NULL;

	MUST(asprintf(&below, "%s/inner", root) > 0);
	CHECK_INT(freeze_from(root, &outer), EDEADLK);
	CHECK_INT(freeze_from(below, &outer), EDEADLK);
	CHECK_INT(told(&outer), 0);
	CHECK_INT(freeze_from(root, &inner), 0);
	CHECK_INT(frozen(&inner, 0), 0); /* it has exited: its guardian thawed */
}

/* Waits in the kernel for a page that never comes, which no freezer can end: a fault in
 * kernel mode is over with the page or with SIGKILL only. Tells @ready_fd its
 * userfaultfd, or -1. */
static void __attribute__((noreturn)) hang(int ready_fd)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK), pipe_fds[2];
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	area.range.start = (uintptr_t)page;
	area.range.len = 4096;
	if (uffd >= 0 &&
	    (page == MAP_FAILED || pipe(pipe_fds) || ioctl(uffd, UFFDIO_API, &api) ||
	     ioctl(uffd, UFFDIO_REGISTER, &area)))
		uffd = -1;
	if (write(ready_fd, &uffd, sizeof(uffd)) == sizeof(uffd) && uffd >= 0)
		_exit(write(pipe_fds[1], page, 1) != 1);
	_exit(1);
}

/* With a task of its own the outer cgroup says "frozen 1" before the inner one does. */
static void test_timeout(void)
{
	AUTO_FREE char *below = NULL;
	struct freezer freezer = FREEZER_INIT;
	struct pollfd fault = {.events = POLLIN};
	int ready[2], uffd, pid_fd;
	pid_t pid;

	MUST(asprintf(&below, "%s/inner", root) > 0);
	cgroup_enter(root, busy);
	MUST(!pipe2(ready, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		hang(ready[1]);
	MUST(read(ready[0], &uffd, sizeof(uffd)) == sizeof(uffd));
	if (uffd < 0) {
		check_skip("-ETIMEDOUT",
			   "no userfaultfd, so nothing that cannot be frozen");
	} else {
		cgroup_enter(below, pid);
		pid_fd = syscall(SYS_pidfd_open, pid, 0);
		fault.fd = syscall(SYS_pidfd_getfd, pid_fd, uffd, 0);
		MUST(fault.fd >= 0 && poll(&fault, 1, TIMEOUT_MS) == 1);
		CHECK_INT(freezer_freeze(&freezer, &outer, 50, NULL), -ETIMEDOUT);
		CHECK(!freezer.active && freezer.guardian == -1);
		CHECK_INT(told(&outer), 0);
		freezer_thaw(&freezer);
		close(fault.fd);
		close(pid_fd);
	}
	kill(pid, SIGKILL);
	MUST(waitpid(pid, NULL, 0) == pid);
	cgroup_enter(below, busy);
	close(ready[0]);
	close(ready[1]);
}

/* How many fds @pid has. */
static int count_fds(pid_t pid)
{
	char name[64];
	AUTO_DIR *dir = NULL;
	int n = 0;

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	dir = opendir(name);
	while (dir && readdir(dir))
		n++;
	return n - 2;
}

/* Kills the freezing process by @signal to its whole process group, as a terminal would
 * (SIGKILL: the process alone), and expects the cgroup to thaw. */
static void test_guardian(int signal)
{
	static const struct sigaction by_default = {.sa_handler = SIG_DFL};
	int ends[2], status;
	pid_t pid, guardian;

	MUST(!pipe2(ends, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		struct freezer freezer = FREEZER_INIT;

		setpgid(0, 0);
		/* A script that runs us in the background has it ignored. */
		MUST(sigaction(signal, &by_default, NULL) == 0 || signal == SIGKILL);
		if (freezer_freeze(&freezer, &outer, TIMEOUT_MS, NULL) ||
		    write(ends[1], &freezer.guardian, sizeof(pid_t)) != sizeof(pid_t))
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	MUST(read(ends[0], &guardian, sizeof(guardian)) == sizeof(guardian));
	CHECK_INT(frozen(&outer, 1), 1);
	CHECK_INT(count_fds(guardian), 2);
	CHECK(getsid(guardian) == guardian);
	MUST(!kill(signal == SIGKILL ? pid : -pid, signal));
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	CHECK_INT(frozen(&outer, 0), 0);
	CHECK_INT(told(&outer), 0);
	close(ends[0]);
}

static void test_guardian_ignores(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1};
	struct freezer freezer = FREEZER_INIT;

	CHECK_INT(freezer_freeze(&freezer, &outer, TIMEOUT_MS, NULL), 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		CHECK(!kill(freezer.guardian, signals[i]));
	CHECK_INT(waitpid(freezer.guardian, NULL, WNOHANG), 0);
	CHECK_INT(frozen(&outer, 1), 1);
	freezer_thaw(&freezer);
	CHECK_INT(frozen(&outer, 0), 0);
}

/* At its time the cgroup is thawed, though the one who froze it does nothing. */
static void test_until(void)
{
	struct freezer freezer = FREEZER_INIT;
	struct timespec until;

	MUST(!clock_gettime(CLOCK_MONOTONIC, &until));
	until.tv_sec++;
	CHECK_INT(freezer_freeze(&freezer, &outer, TIMEOUT_MS, &until), 0);
	CHECK_INT(frozen(&outer, 0), 0);
	CHECK_INT(told(&outer), 0);
	freezer_thaw(&freezer);
	CHECK_INT(freezer.guardian, -1);
}

int main(void)
{
	set_up();
	test_freeze_thaw();
	test_thawed_is_left_alone();
	test_already_frozen();
	test_self();
	test_timeout();
	test_guardian(SIGKILL);
	test_guardian(SIGINT);
	test_guardian(SIGTERM);
	test_guardian(SIGHUP);
	test_guardian_ignores();
	test_until();
	tear_down();
	return check_done();
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "freezer.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/clock.h"
#include "base/log.h"
#include "cgroup_walk.h"
#include "ownfd.h"
#include "proctext.h"

/* What goes over the guardian's socket. */
#define GUARDIAN_READY	'r' /* from it: signals and fds are in order */
#define GUARDIAN_THAWED 't' /* to it: nothing is left to do */

static int64_t now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

static int freeze_write(int fd, char value)
{
	ssize_t n;

	do
		n = pwrite(fd, &value, 1, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Closes every fd but @a and @b. */
static void close_others(int a, int b)
{
	unsigned int low = a < b ? a : b, high = a < b ? b : a;

	if (low)
		close_range(0, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, UINT_MAX, 0);
}

/* Waits for a word on @socket; at @end (of now_ms(); 0 never) for no more. */
static char guardian_wait(int socket, int64_t end)
{
	struct pollfd polled = {.fd = socket, .events = POLLIN};
	char word = 0;

	for (;;) {
		int64_t left = end - now_ms();
		int n = poll(&polled, 1, !end ? -1 : left < 0 ? 0 : left);

		if (!n)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		return recv(socket, &word, 1, 0) == 1 ? word : 0;
	}
}

/* The guardian: waits until its maker says that all is done, or is no more, or until @end,
 * and thaws unless the first. Signals are blocked by the maker; the terminal's and the session's
 * reach it no more after setsid(). */
static void __attribute__((noreturn)) guardian_run(int socket, int freeze_fd, int64_t end)
{
	const char ready = GUARDIAN_READY;

	setsid();
	if (chdir("/"))
		_exit(EXIT_FAILURE);
	prctl(PR_SET_NAME, "relink-guardian");
	/* The caller's files must not live on in here, orphans least of all. */
	close_others(socket, freeze_fd);
	if (send(socket, &ready, 1, MSG_NOSIGNAL) != 1)
		_exit(EXIT_FAILURE);
	if (guardian_wait(socket, end) == GUARDIAN_THAWED)
		_exit(EXIT_SUCCESS);
	_exit(freeze_write(freeze_fd, '0') ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Forks the guardian and waits until nothing but SIGKILL can stop it. It is born into our
 * cgroup, which is not the one that is to be frozen. */
static int guardian_start(struct freezer *freezer, int64_t end)
{
	AUTO_FD ours = -1, theirs = -1;
	int ends[2], err = 0;
	sigset_t all, before;
	char word = 0;
	ssize_t n;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid < 0)
		err = -errno;
	if (!pid)
		guardian_run(theirs, freezer->freeze_fd, end);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (err)
		return err;
	close(TAKE_FD(theirs));
	do
		n = recv(ours, &word, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n != 1 || word != GUARDIAN_READY) {
		waitpid(pid, NULL, 0);
		return -ECHILD;
	}
	freezer->guardian = pid;
	freezer->guardian_fd = TAKE_FD(ours);
	return 0;
}

/* Ends the guardian; with @thawed it does not thaw. */
static void guardian_end(struct freezer *freezer, bool thawed)
{
	const char word = GUARDIAN_THAWED;

	if (freezer->guardian < 0)
		return;
	if (thawed)
		send(freezer->guardian_fd, &word, 1, MSG_NOSIGNAL);
	close(TAKE_FD(freezer->guardian_fd));
	while (waitpid(freezer->guardian, NULL, 0) < 0 && errno == EINTR)
		;
	freezer->guardian = -1;
}

/* -EDEADLK when we would freeze ourselves, in @cg or in one below it. */
static int refuse_self(const struct cgroup *cg)
{
	AUTO_FREE char *own = NULL;
	int err = cgroup_of_pid(getpid(), &own);

	if (err == -EXDEV) /* above our own namespace, so in no cgroup that has a path */
		return 0;
	if (err)
		return err;
	return cgroup_contains(cg->path, own) ? -EDEADLK : 0;
}

/* Whether @cg has been told to freeze. 1, 0 or -errno. */
static int told_to_freeze(const struct cgroup *cg)
{
	AUTO_FREE char *text = NULL;
	int err = proctext_read(cg->fd, "cgroup.freeze", &text);

	return err ? err : text[0] == '1';
}

/* Waits for "frozen 1", or unless @wanted 0, in @events_fd, an open cgroup.events, until
 * @end. kernfs wakes poll(2) with POLLPRI at each change after the last read. */
static int events_wait(int events_fd, bool wanted, int64_t end)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = events_fd, .events = POLLPRI};
		int64_t left = end - now_ms();
		char text[512];
		ssize_t n = pread(events_fd, text, sizeof(text) - 1, 0);
		uint64_t frozen;

		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (proctext_value(text, "frozen", 10, &frozen))
			return -EOPNOTSUPP; /* before 5.2 (76f969e8948d) */
		if (!frozen == !wanted)
			return 0;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&poll_fd, 1, left) < 0 && errno != EINTR)
			return -errno;
	}
}

/* events_wait() for the cgroup of directory @dir; one that is removed has nobody. */
static int dir_wait(int dir, void *data)
{
	const int64_t *end = data;
	AUTO_FD fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : events_wait(fd, true, *end);

	return err == -ENOENT || err == -ENODEV ? 0 : err;
}

/* Waits for @cg and each cgroup below it. The flag of @cg alone will not do: where it has
 * tasks of its own, it is set as soon as those are frozen, whatever those below do
 * (kernel/cgroup/freezer.c, cgroup_update_frozen). */
static int wait_frozen(const struct cgroup *cg, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	return cgroup_walk(cg, dir_wait, &end);
}

bool freezer_is_frozen(const struct cgroup *cg)
{
	return !wait_frozen(cg, 0);
}

int freezer_await_frozen(const struct cgroup *cg, int timeout_ms)
{
	return wait_frozen(cg, timeout_ms);
}

int freezer_await_thawed(const struct cgroup *cg, int timeout_ms)
{
	AUTO_FD fd = openat(cg->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : events_wait(fd, false, now_ms() + timeout_ms);
}

/* Freezes the cgroup of freezer->freeze_fd, which is ours to thaw from here on. */
static int freeze_start(struct freezer *freezer, const struct timespec *until)
{
	int err = guardian_start(
		freezer, until ? until->tv_sec * 1000LL + until->tv_nsec / 1000000 : 0);

	if (err)
		return err;
	/* Set first: from the write on there is something to undo. */
	freezer->active = true;
	return freeze_write(freezer->freeze_fd, '1');
}

int freezer_freeze(struct freezer *freezer, const struct cgroup *cg, int timeout_ms,
		   const struct timespec *until)
{
	AUTO(freezer_thaw) struct freezer own = FREEZER_INIT;
	int err = refuse_self(cg), told;

	if (err)
		return err;
	told = told_to_freeze(cg);
	if (told < 0)
		return told;
	if (!told) {
		own.freeze_fd = openat(cg->fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
		if (own.freeze_fd < 0)
			return -errno;
		err = freeze_start(&own, until);
		if (err)
			return err;
	}
	err = wait_frozen(cg, timeout_ms);
	if (err)
		return err;
	*freezer = own;
	own = (struct freezer)FREEZER_INIT;
	return 0;
}

/* Says that the cgroup of @fd, its cgroup.freeze, stays frozen. */
static void log_not_thawed(int fd, int err)
{
	AUTO_FREE char *name = NULL;

	if (ownfd_path(fd, &name))
		name = NULL;
	log_error(
		"cannot write 0 to %s: %s%s; the cgroup stays frozen until somebody does",
		name ? name : "cgroup.freeze", strerror(-err), caps_missing(CAPS_FREEZE));
}

void freezer_forget(struct freezer *freezer)
{
	auto_close(&freezer->freeze_fd);
	auto_close(&freezer->guardian_fd);
	*freezer = (struct freezer)FREEZER_INIT;
}

void freezer_thaw(struct freezer *freezer)
{
	int err = 0;

	if (freezer->active) {
		err = freeze_write(freezer->freeze_fd, '0');
		if (err == -ENODEV) /* removed meanwhile: nobody is frozen in it */
			err = 0;
		if (err)
			log_not_thawed(freezer->freeze_fd, err);
	}
	/* Where we failed the guardian tries again. */
	guardian_end(freezer, !err);
	auto_close(&freezer->freeze_fd);
	*freezer = (struct freezer)FREEZER_INIT;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "guard.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"

/* Goes on with the traced @pid, which has stopped with @status, as if nobody traced it. */
static void go_on(pid_t pid, int status)
{
	int signal = WSTOPSIG(status);
	bool group = status >> 16 == PTRACE_EVENT_STOP;

	if (group && signal != SIGTRAP)
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
	else
		ptrace(PTRACE_CONT, pid, NULL, group ? 0L : (long)signal);
}

static bool is_exec(int status)
{
	return WIFSTOPPED(status) && status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
}

/* Waits for the exec of @pid, or its end. */
static void __attribute__((noreturn)) watch(pid_t pid, void (*done)(void *), void *data)
{
	int status;

	for (;;) {
		if (waitpid(pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			_exit(EXIT_FAILURE);
		}
		if (!WIFSTOPPED(status)) /* it never came to it */
			_exit(EXIT_SUCCESS);
		if (!is_exec(status)) {
			go_on(pid, status);
			continue;
		}
		done(data);
		ptrace(PTRACE_DETACH, pid, NULL, NULL);
		_exit(EXIT_SUCCESS);
	}
}

/* Tells its number, waits until it may trace @pid, tells how that went, and watches. */
static void __attribute__((noreturn))
guard_run(pid_t pid, int socket, void (*done)(void *), void *data)
{
	pid_t own = getpid();
	int error = 0;
	char word;

	prctl(PR_SET_NAME, "relink-guard");
	if (send(socket, &own, sizeof(own), MSG_NOSIGNAL) != sizeof(own) ||
	    recv(socket, &word, 1, 0) != 1)
		_exit(EXIT_FAILURE);
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXEC))
		error = errno;
	send(socket, &error, sizeof(error), MSG_NOSIGNAL);
	close(socket);
	if (error)
		_exit(EXIT_FAILURE);
	watch(pid, done, data);
}

static ssize_t receive(int socket, void *data, size_t len)
{
	ssize_t n;

	do
		n = recv(socket, data, len, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Lets it trace us (Yama wants to be told, Documentation/admin-guide/LSM/Yama.rst) and
 * waits until it does. */
static int guard_admit(int socket)
{
	int error;
	pid_t pid;

	if (receive(socket, &pid, sizeof(pid)) != sizeof(pid))
		return -ECHILD;
	prctl(PR_SET_PTRACER, pid);
	if (send(socket, "", 1, MSG_NOSIGNAL) != 1 ||
	    receive(socket, &error, sizeof(error)) != sizeof(error))
		return -ECHILD;
	return -error;
}

int guard_exec(void (*done)(void *data), void *data)
{
	AUTO_FD ours = -1, theirs = -1;
	pid_t self = getpid(), between;
	sigset_t all, before;
	int ends[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	/* Through another one, so that the program finds no child that it knows nothing
	 * of. */
	between = fork();
	if (between < 0)
		err = -errno;
	if (!between) {
		pid_t pid = fork();

		if (pid)
			_exit(pid < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
		close(TAKE_FD(ours));
		guard_run(self, theirs, done, data);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (err)
		return err;
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	close(TAKE_FD(theirs));
	return guard_admit(ours);
}

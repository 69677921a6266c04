/* SPDX-License-Identifier: GPL-2.0-only */
#include "hook.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auto.h"
#include "interrupt.h"
#include "openfiles.h"
#include "why.h"

extern char **environ;

/* The shell, with the signals that we ignore as they were. */
static int start(const char *command, bool own_group, pid_t *pid)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
	posix_spawnattr_t attributes;
	sigset_t ours;
	int ret;

	sigemptyset(&ours);
	sigaddset(&ours, SIGXFSZ);
	if (posix_spawnattr_init(&attributes))
		return -ENOMEM;
	posix_spawnattr_setsigdefault(&attributes, &ours);
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGDEF |
					 (own_group ? POSIX_SPAWN_SETPGROUP : 0));
	ret = posix_spawn(pid, "/bin/sh", NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return -ret;
}

/* Waits for the end of @pid until @until. 0; -ETIMEDOUT. */
static int wait_until(pid_t pid, const struct timespec *until)
{
	struct pollfd polled = {.events = POLLIN};
	int n;

	polled.fd = syscall(SYS_pidfd_open, pid, 0);
	if (polled.fd < 0)
		return -errno;
	do
		n = poll(&polled, 1, interrupt_ms_to(until));
	while (n < 0 && errno == EINTR);
	close(polled.fd);
	return n ? 0 : -ETIMEDOUT;
}

/* @path, absolute, without asking the filesystem that it is on. */
static char *absolute(const char *path)
{
	AUTO_FREE char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
	char *made;

	if (*path == '/')
		return strdup(path);
	return cwd && asprintf(&made, "%s/%s", cwd, path) >= 0 ? made : NULL;
}

int hook_run(const char *command, const char *manifest, const struct timespec *until,
	     char **why)
{
	AUTO_FREE char *path = absolute(manifest);
	int status, ret;
	pid_t pid;

	if (!path || setenv("RELINKTRACE_MANIFEST", path, 1))
		return why_set(why, -errno, "%s: %s", manifest, strerror(errno));
	openfiles_reset(0);
	ret = start(command, until, &pid);
	openfiles_raise();
	if (ret)
		return why_set(why, ret, "cannot run /bin/sh: %s", strerror(-ret));
	ret = until ? wait_until(pid, until) : 0;
	if (ret)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return why_set(why, -errno, "cannot wait for it: %s",
				       strerror(errno));
	if (ret == -ETIMEDOUT)
		return why_set(why, ret,
			       "it had not ended by the deadline, and was killed");
	if (WIFSIGNALED(status))
		return why_set(why, -ECANCELED, "it was ended by signal %d",
			       WTERMSIG(status));
	if (WEXITSTATUS(status))
		return why_set(why, -ECANCELED, "it ended with status %d",
			       WEXITSTATUS(status));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "abandon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auto.h"

/* A killed one is gone at once, unless the kernel does not let it go. */
#define REAP_MS 50

pid_t abandon_fork(int signal)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, signal);
	/* It was too late for that. */
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	return 0;
}

void abandon_shed_fds(void)
{
	AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		if (fd != STDERR_FILENO || !isatty(fd))
			dup2(null, fd);
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(fd);
	}
}

void abandon_end(pid_t *pid)
{
	struct pollfd polled = {.events = POLLIN};

	if (*pid < 0)
		return;
	kill(*pid, SIGKILL);
	polled.fd = syscall(SYS_pidfd_open, *pid, 0);
	if (polled.fd >= 0) {
		poll(&polled, 1, REAP_MS);
		close(polled.fd);
	}
	waitpid(*pid, NULL, WNOHANG);
	*pid = -1;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "abandon.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auto.h"

/* A killed one is gone at once, unless the kernel does not let it go. */
#define REAP_MS 50

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

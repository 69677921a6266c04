/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a program takes, for measuring:
 *
 *   took COMMAND [ARG]...
 *
 * Prints the microseconds from before it is begun until it has been waited for, which a
 * shell would add its own fork to. Its output goes nowhere. Ends with 1 when it was killed
 * or its exit status is above 1, which is what lsof and find say when a process went away.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "lib.h"

extern char **environ;

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	int null = open_or_die("/dev/null", O_WRONLY), status;
	double begin;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: took COMMAND [ARG]...\n");
		return 2;
	}
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, null, 1);
	posix_spawn_file_actions_adddup2(&actions, null, 2);
	begin = now_us();
	errno = posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ);
	if (errno)
		die("%s", argv[1]);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	printf("%.3f\n", now_us() - begin);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		fprintf(stderr, "%s ended with status %#x\n", argv[1], status);
		return 1;
	}
	return 0;
}

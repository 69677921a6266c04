/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long a program takes, for measuring:
 *
 *   took [--cpu] COMMAND [ARG]...
 *
 * Prints the microseconds from before it is begun until it has been waited for, which a
 * shell would add its own fork to; with --cpu those that it was on a processor, for where
 * a clock leaps while all processors are idle. Its output goes nowhere. Ends with 1 when it was killed
 * or its exit status is above 1, which is what lsof and find say when a process went away.
 */
#include <spawn.h>
#include <stdbool.h>
#include <sys/resource.h>
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
	bool cpu = argc > 1 && !strcmp(argv[1], "--cpu");
	double begin, elapsed;
	struct rusage used;
	pid_t pid;

	argv += cpu;
	argc -= cpu;
	if (argc < 2) {
		fprintf(stderr, "usage: took [--cpu] COMMAND [ARG]...\n");
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
	if (wait4(pid, &status, 0, &used) != pid)
		die("wait4");
	elapsed = now_us() - begin;
	if (cpu)
		elapsed = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
			  used.ru_utime.tv_usec + used.ru_stime.tv_usec;
	printf("%.3f\n", elapsed);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		fprintf(stderr, "%s ended with status %#x\n", argv[1], status);
		return 1;
	}
	return 0;
}

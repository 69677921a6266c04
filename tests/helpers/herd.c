/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many unlinked files, for CRIU to dump:
 *
 *   herd DIR REPORT N SIZE [linked]
 *
 * Holds N files of SIZE bytes in DIR without their names; `linked`: each has another link.
 * Prints `ready PID` from a session of its own and goes on with /dev/null for stdio. At each
 * SIGUSR1 it writes to REPORT, a FIFO, the longest time in microseconds between two looks at
 * the clock, one each millisecond, since the last one: how long it was stopped.
 */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib.h"

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void file_make(const char *dir, int n, int64_t size, bool linked)
{
	static char block[1 << 20];
	const char *name = path_of("%s/herd-%d", dir, n);
	int fd = open_or_die(name, O_RDWR | O_CREAT | O_EXCL);

	memset(block, 'h', sizeof(block));
	for (int64_t at = 0; at < size; at += (int64_t)sizeof(block))
		write_or_die(fd, block,
			     size - at < (int64_t)sizeof(block) ? size - at
								: (int64_t)sizeof(block),
			     at);
	if (fsync(fd) || (linked && link(name, path_of("%s/link-%d", dir, n))) ||
	    unlink(name))
		die("%s", name);
}

static void report(const char *path, int64_t longest)
{
	FILE *out = fopen(path, "we");

	if (!out || fprintf(out, "%lld\n", (long long)longest) < 0 || fclose(out))
		die("%s", path);
}

int main(int argc, char **argv)
{
	struct timespec pause = {.tv_nsec = 1000000};
	int64_t last, longest = 0;
	struct rlimit limit;
	sigset_t signals;
	int n;

	if (argc < 5 || argc > 6) {
		fprintf(stderr, "usage: herd DIR REPORT N SIZE [linked]\n");
		return 2;
	}
	n = atoi(argv[3]);
	limit = (struct rlimit){n + 64, n + 64};
	if (setrlimit(RLIMIT_NOFILE, &limit) && n > 900)
		die("RLIMIT_NOFILE");
	setsid();
	for (int i = 0; i < n; i++)
		file_make(argv[1], i, atoll(argv[4]), argc > 5);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (int fd = 0; fd < 3; fd++)
		dup2(open_or_die("/dev/null", O_RDWR), fd);
	for (last = now_us();;) {
		int64_t now;

		if (sigtimedwait(&signals, NULL, &pause) == SIGUSR1) {
			report(argv[2], longest);
			longest = 0;
			last = now_us();
			continue;
		}
		now = now_us();
		if (now - last > longest)
			longest = now - last;
		last = now;
	}
}

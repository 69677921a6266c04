/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many open files, for measuring:
 *
 *   crowd DIR PROCESSES FDS ORPHANS
 *
 * PROCESSES with FDS open files each, of 16 files in DIR, and ORPHANS unlinked ones in
 * all, spread evenly. Prints "ready" when they are there; they end with the helper, or
 * when its input ends.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib.h"

/* What a member has open besides. */
#define OTHER_FDS 16

/* Never returns; one byte to @ready says that its files are open. */
static void member(const char *dir, int place, int fds, int orphans, int ready)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("prctl");
	for (int i = 0; i < fds; i++) {
		bool orphan = i < orphans;
		const char *path = orphan ? path_of("%s/orphan-%d-%d", dir, place, i)
					  : path_of("%s/file-%d", dir, i % 16);

		open_or_die(path, O_RDWR | O_CREAT);
		if (orphan && unlink(path))
			die("unlink %s", path);
	}
	if (write(ready, "", 1) != 1)
		die("write");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int processes, fds, orphans, ready[2];
	char byte;

	if (argc != 5) {
		fprintf(stderr, "usage: crowd DIR PROCESSES FDS ORPHANS\n");
		return 2;
	}
	processes = atoi(argv[2]);
	fds = atoi(argv[3]);
	orphans = atoi(argv[4]);
	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("getrlimit");
	/* A virtual machine's own limit is 4096, which its root may raise. */
	if (limit.rlim_max < (rlim_t)fds + OTHER_FDS)
		limit.rlim_max = fds + OTHER_FDS;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) || pipe(ready))
		die("setrlimit, pipe");
	for (int i = 0; i < processes; i++) {
		int share = orphans / processes + (i < orphans % processes);
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			member(argv[1], i, fds, share, ready[1]);
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			die("a process ended early");
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long one is stopped, as the stopped one sees it:
 *
 *   gap DIR SIZE NAME...
 *
 * makes and holds an unlinked file of SIZE bytes; with a NAME that is another link of it,
 * which stays. It is brought to the disk and 3 seconds old when it says `ready PID`. Each
 * line on stdin is answered with the longest time, in microseconds, between two looks at
 * the clock since the last answer; looks are 100 microseconds apart.
 */
#include <poll.h>
#include <time.h>

#include "lib.h"

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	static char block[1 << 20];
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	struct timespec pause = {.tv_sec = 3};
	int64_t last, longest = 0, size;
	const char *path;
	int fd;

	if (argc < 3)
		return 2;
	size = atoll(argv[2]);
	path = path_of("%s/gap", argv[1]);
	fd = open_or_die(path, O_RDWR | O_CREAT | O_EXCL);
	for (off_t at = 0; at < size; at += sizeof(block)) {
		block_fill(block, sizeof(block), at);
		write_or_die(fd, block, sizeof(block), at);
	}
	if ((argc > 3 && link(path, path_of("%s/%s", argv[1], argv[3]))) ||
	    unlink(path) || fsync(fd))
		die("gap");
	nanosleep(&pause, NULL);
	printf("ready %d\n", getpid());
	fflush(stdout);
	pause = (struct timespec){.tv_nsec = 100000};
	for (last = now_us();;) {
		int64_t now = now_us();
		char line[64];

		longest = now - last > longest ? now - last : longest;
		last = now;
		if (poll(&input, 1, 0) > 0) {
			if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
				return 0;
			printf("%lld\n", (long long)longest);
			fflush(stdout);
			longest = 0;
			last = now_us();
		}
		nanosleep(&pause, NULL);
	}
}

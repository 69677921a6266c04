/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes without a pause to files that have no name:
 *
 *   scribble HOLD SITUATION DIR SIZE
 *
 * (the first two arguments are what lib.bash would have started, see $HOLD_VIA). Fd 50 is a
 * file that nobody touches, 51 one that is written to by write(2), 52 one that is written to
 * by a shared mapping; each has SIZE bytes. All pages of the mapping were written to before,
 * and all files are 3 seconds old when it says `ready PID`: no store to the mapping changes
 * the file's ctime then, unless it is written back in between.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "lib.h"

static off_t size;
static char *map;

static int make(const char *dir, int wanted)
{
	static char block[1 << 16];
	int fd = open_or_die(path_of("%s/scribble", dir), O_RDWR | O_CREAT | O_EXCL);

	if (unlink(path_of("%s/scribble", dir)) || dup2(fd, wanted) < 0)
		die("scribble");
	close(fd);
	for (off_t at = 0; at < size; at += sizeof(block)) {
		block_fill(block, sizeof(block), at + wanted);
		write_or_die(wanted, block, sizeof(block), at);
	}
	return wanted;
}

/* Somewhere in the file, eight bytes before its end at most. */
static off_t place(uint64_t n)
{
	return n * 0x9e3779b97f4a7c15u % (size - 8);
}

static void *writer(void *arg)
{
	for (uint64_t n = 0;; n++)
		write_or_die(51, &n, sizeof(n), place(n));
	return arg;
}

static void *mapper(void *arg)
{
	for (uint64_t n = 0;; n++)
		memcpy(map + place(n), &n, sizeof(n));
	return arg;
}

int main(int argc, char **argv)
{
	struct timespec until;
	pthread_t thread;
	char line[64];

	if (argc != 5)
		return 2;
	size = atoll(argv[4]);
	make(argv[3], 50);
	make(argv[3], 51);
	make(argv[3], 52);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, 52, 0);
	if (map == MAP_FAILED)
		die("mmap");
	for (off_t at = 0; at < size; at += 4096)
		map[at] ^= 1;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 3;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	if (pthread_create(&thread, NULL, writer, NULL) ||
	    pthread_create(&thread, NULL, mapper, NULL))
		die("start a thread");
	printf("ready %d\n", getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}

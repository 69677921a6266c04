/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages of a file are in memory, a line for each run of them: all that a file of a tmpfs
 * has, with data or without.
 *
 *   pages FILE     exit status 3 where the kernel has no cachestat(2) (6.5)
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib.h"

#define SYS_CACHESTAT 451

static bool is_cached(int fd, uint64_t start, uint64_t length)
{
	uint64_t range[] = {start, length}, counts[5];

	if (syscall(SYS_CACHESTAT, fd, range, counts, 0)) {
		if (errno == ENOSYS)
			exit(3);
		die("cachestat");
	}
	return counts[0];
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	uint64_t page = sysconf(_SC_PAGESIZE), at = 0;
	bool was = false;

	if (fd < 0)
		die("open");
	for (; is_cached(fd, at, 0); at += page) {
		bool is = is_cached(fd, at, page);

		if (is != was)
			printf("%s %llu\n", is ? "from" : "to", (unsigned long long)at);
		was = is;
	}
	printf("end %llu\n", (unsigned long long)at);
	return 0;
}

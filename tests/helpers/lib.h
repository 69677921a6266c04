/* SPDX-License-Identifier: GPL-2.0-only */
/* What the helpers of the tests share. Nothing here comes from user/: a helper that
 * shared code with the command would share its mistakes. A helper ends at its first
 * failure. */
#ifndef RELINKTRACE_TEST_LIB_H
#define RELINKTRACE_TEST_LIB_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ends the helper with a message and the text of errno. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *format,
								       ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	exit(1);
}

/* Formats a path; valid until the eighth call after this one. */
__attribute__((format(printf, 1, 2))) static inline const char *
path_of(const char *format, ...)
{
	static __thread char ring[8][8192];
	static __thread unsigned int next;
	char *path = ring[next++ % 8];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(ring[0]), format, args);
	va_end(args);
	return path;
}

/* Opens, or ends the helper. */
static inline int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die("open %s", path);
	return fd;
}

/* Writes all of it, or ends the helper. */
static inline void write_or_die(int fd, const void *data, size_t len, off_t offset)
{
	if (pwrite(fd, data, len, offset) != (ssize_t)len)
		die("write %zu bytes at %lld", len, (long long)offset);
}

/* The first 16 bytes of every block of @len bytes say where the block belongs. */
static inline void block_fill(char *block, size_t len, off_t offset)
{
	for (size_t i = 0; i < len; i += 16) {
		char word[17];

		snprintf(word, sizeof(word), "%015llx\n",
			 (unsigned long long)(offset + i));
		memcpy(block + i, word, len - i < 16 ? len - i : 16);
	}
}

/* FNV-1a, 64 bit, of the whole of @fd, whatever its position is. */
static inline uint64_t sum_of_fd(int fd)
{
	uint64_t sum = 0xcbf29ce484222325u;
	static char buffer[1 << 18];
	off_t offset = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), offset)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = (sum ^ (unsigned char)buffer[i]) * 0x100000001b3u;
		offset += n;
	}
	if (n < 0)
		die("read fd %d", fd);
	return sum;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the situations of hold.c are made of. */
#ifndef RELINKTRACE_TEST_HOLD_H
#define RELINKTRACE_TEST_HOLD_H

#include "lib.h"

#define SMALL	   8192
#define SPARSE_GAP (1 << 20) /* files that are larger get one block in each gap */
#define MAP_LEN	   4096

struct hold {
	const char *dir;
	char **args;	  /* ends with NULL */
	const char *name; /* what `unlink` removes, below dir */
	int fd;		  /* what the commands work on; -1 none */
	char *map;	  /* what `poke` writes to */
	char told[1024];  /* the rest of the ready line */
};

/* Adds to the ready line. */
__attribute__((format(printf, 2, 3))) static inline void tell(struct hold *hold,
							      const char *format, ...)
{
	size_t len = strlen(hold->told);
	va_list args;

	va_start(args, format);
	vsnprintf(hold->told + len, sizeof(hold->told) - len, format, args);
	va_end(args);
}

/* The @n-th argument after the directory. */
static inline const char *arg_or(const struct hold *hold, int n, const char *fallback)
{
	for (int i = 0; i <= n; i++) {
		if (!hold->args[i])
			return fallback;
	}
	return hold->args[n];
}

static inline const char *in_dir(const struct hold *hold, const char *name)
{
	return path_of("%s/%s", hold->dir, name);
}

/* Gives @fd @size bytes that say where they belong, sparse when it is large. */
static inline void file_fill(int fd, off_t size)
{
	char block[4096];
	off_t step = size > SPARSE_GAP ? SPARSE_GAP : (off_t)sizeof(block);

	if (ftruncate(fd, size))
		die("ftruncate");
	for (off_t offset = 0; offset < size; offset += step) {
		size_t len = sizeof(block);

		if (size - offset < (off_t)len)
			len = size - offset;
		block_fill(block, len, offset);
		write_or_die(fd, block, len, offset);
	}
}

static inline int file_make(const struct hold *hold, const char *name, off_t size,
			    int flags)
{
	int fd = open_or_die(in_dir(hold, name), flags | O_CREAT | O_EXCL);

	file_fill(fd, size);
	return fd;
}

static inline void seek(int fd, off_t offset)
{
	if (lseek(fd, offset, SEEK_SET) != offset)
		die("lseek to %lld", (long long)offset);
}

static inline void unlink_or_die(const struct hold *hold, const char *name)
{
	if (unlink(in_dir(hold, name)))
		die("unlink %s", name);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the mounts of a manifest are now, as somebody says who knows: after a migration,
 * or in a snapshot. */
#ifndef RELINKTRACE_ROOTS_H
#define RELINKTRACE_ROOTS_H

#include <stdbool.h>
#include <stddef.h>

struct root {
	char *point; /* owned; absolute, no '/' at its end; "" for "/" */
	int fd;	     /* O_PATH of the directory that is there now; owned */
};

struct roots {
	struct root *roots; /* owned */
	size_t n;
	/* Programs run with the files by now: size and time may be others than recorded. */
	bool in_use;
};

/* Closes and frees what @roots owns; for AUTO(). */
void roots_fini(struct roots *roots);

/* Adds @spec: "POINT=DIR", what was mounted on or is below POINT is in DIR now; or "DIR",
 * which is short for "/=DIR". DIR with a '=' in it has to be written in the long way. 0;
 * -EINVAL POINT is not absolute, or has "." or ".." in it; -EEXIST POINT for the second
 * time; -errno: DIR is no directory; and the reason in @why. */
int roots_add(struct roots *roots, const char *spec, char **why);

/* Opens (O_PATH) the directory that mount point @point is in now: that of the longest
 * POINT that is @point or above it, and the rest of @point below that, never out of it:
 * no symbolic link is followed (openat2(2), RESOLVE_BENEATH), other mounts may be
 * entered, since @point was one. The fd, owned by the caller; -ENOENT no POINT is above
 * it; -errno; and the reason in @why. */
int roots_open(const struct roots *roots, const char *point, char **why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths that strangers may have a hand in, opened below a directory so that they cannot
 * lead anywhere else: no ".." out of it, symbolic link, magic link or other mount on the way
 * (openat2(2), since 5.6). */
#ifndef RELINKTRACE_BENEATH_H
#define RELINKTRACE_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

/* Opens @path below @root_fd with open(2) @flags; O_CLOEXEC is added. A final symbolic
 * link is opened itself with O_PATH | O_NOFOLLOW, and refused otherwise. The fd, owned by
 * the caller; -ELOOP a symbolic link; -EXDEV another mount; -errno. */
int beneath_open(int root_fd, const char *path, int flags);

/* The same, but other mounts may be entered. */
int beneath_open_mounts(int root_fd, const char *path, int flags);

/* Opens (O_PATH) the folder of @path and sets *@name to its last component, inside @path.
 * The fd, owned by the caller; -errno as above. */
int beneath_open_parent(int root_fd, const char *path, const char **name);

/* For qsort(): below 0 where @a may be inside of @b, both below one directory, which a longer path
 * alone can be; 0 where neither can be inside of the other. Pure. */
int beneath_inner_first(const char *a, const char *b);

/* Whether @a and @b, below one directory, are in one folder. Pure. */
bool beneath_same_parent(const char *a, const char *b);

/* Brings to the disk what names the folder of @path has, and that others are gone. One that
 * is no folder any more has none. 0; -errno as above. */
int beneath_sync_parent(int root_fd, const char *path);

#endif

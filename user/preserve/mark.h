/* SPDX-License-Identifier: GPL-2.0-only */
/* The mark of a folder that some checkpoint made for names: the extended attribute
 * trusted.relinktrace, which only CAP_SYS_ADMIN of the initial user namespace can set
 * (xattr(7)). Where a filesystem or the caller cannot, there is none. */
#ifndef RELINKTRACE_MARK_H
#define RELINKTRACE_MARK_H

#include <stdbool.h>
#include <sys/types.h>

/* Marks folder @name in @dir_fd with the @id of the checkpoint that made it, where it is
 * the one of inode number @ino, and can be marked. */
void mark_put(int dir_fd, const char *name, ino_t ino, const char *id);

/* Whether directory @fd (O_PATH is enough) is marked. */
bool mark_is_on(int fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files that are there as they were or as they are to be, whenever this ends. */
#ifndef RELINKTRACE_PLACING_H
#define RELINKTRACE_PLACING_H

#include <jansson.h>
#include <stddef.h>

/* Puts the @len bytes at @text, mode 0600, on the disk as @name in @dir_fd, in place of
 * what was there. 0 or -errno. */
int placing_bytes(int dir_fd, const char *name, const char *text, size_t len);

/* The same with @root as text. */
int placing_json(int dir_fd, const char *name, const json_t *root);

#endif

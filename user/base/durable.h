/* SPDX-License-Identifier: GPL-2.0-only */
/* What is on the disk when the call returns, or written as a whole. */
#ifndef RELINKTRACE_DURABLE_H
#define RELINKTRACE_DURABLE_H

#include <stddef.h>

/* Writes all of the @len bytes at @text to @fd. 0 or -errno. */
int durable_write(int fd, const char *text, size_t len);

/* Brings the names in directory @fd, which is no O_PATH fd, to the disk. A filesystem that
 * knows no fsync of directories (EINVAL, fsync(2)) has done what it can. 0 or -errno. */
int durable_directory(int fd);

/* The same where @fd may be an O_PATH fd, which takes no fsync. */
int durable_folder(int fd);

/* Makes directory @path, mode 0700, where it is missing, with its name on the disk; its own
 * directory is there. 0; -errno and the reason in @why. */
int durable_mkdir(const char *path, char **why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A regular file's data, taken over into a new file. */
#ifndef RELINKTRACE_COPY_H
#define RELINKTRACE_COPY_H

#include <stdint.h>

/* Shares all data of @src (readable) with @dst (writable, of the same filesystem):
 * FICLONE, ioctl_ficlonerange(2). 0; -EOPNOTSUPP where the filesystem cannot; -errno. */
int copy_clone(int src, int dst);

/* Copies the data of @src (readable) to @dst (empty, writable), holes left out
 * (SEEK_DATA, lseek(2)), up to the size that @src has at begin, and gives @dst that size.
 * *@bytes is what was copied. 0; what interrupt_check() says; -errno. */
int copy_sparse(int src, int dst, uint64_t *bytes);

#endif

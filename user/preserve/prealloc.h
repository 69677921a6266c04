/* SPDX-License-Identifier: GPL-2.0-only */
/* Space that a file has and no data is in. */
#ifndef RELINKTRACE_PREALLOC_H
#define RELINKTRACE_PREALLOC_H

#include <stdint.h>

/* Gives @dst, which has the data and the size of @src, the space that @src has allocated
 * and not written, inside its size and beyond (FIEMAP_EXTENT_UNWRITTEN, Documentation/
 * filesystems/fiemap.rst; FALLOC_FL_KEEP_SIZE, fallocate(2)). Of a tmpfs that are the pages in
 * its holes, which cachestat(2) counts from Linux 6.5 on. Parts of blocks of @dst are left out, so
 * that it never has more. 0, also where one of the filesystems knows no such thing; -errno.
 */
int prealloc_carry(int src, int dst);

/* Takes from @dst, of a tmpfs, what large pages (huge= of tmpfs(5)) have given it where @src
 * has holes, if it has more than @src by that. 0 or -errno. */
int prealloc_trim(int src, int dst);

/* How many bytes @src, of a tmpfs, has allocated that @dst, which prealloc_carry() was called
 * for, has not: before Linux 6.5 a tmpfs tells nobody where they are. */
uint64_t prealloc_missing(int src, int dst);

#endif

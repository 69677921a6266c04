/* SPDX-License-Identifier: GPL-2.0-only */
/* Space that a file has and no data is in. */
#ifndef RELINKTRACE_PREALLOC_H
#define RELINKTRACE_PREALLOC_H

/* Gives @dst, which has the data and the size of @src, the space that @src has allocated
 * and not written, inside its size and beyond (FIEMAP_EXTENT_UNWRITTEN, Documentation/
 * filesystems/fiemap.rst; FALLOC_FL_KEEP_SIZE, fallocate(2)). Parts of blocks
 * of @dst are left out, so that it never has more. 0, also where one of the filesystems
 * knows no such thing (tmpfs tells nobody where its space is); -errno.
 */
int prealloc_carry(int src, int dst);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A new regular file that becomes like an old one: data, holes, preallocation, attributes.
 */
#ifndef RELINKTRACE_FILL_H
#define RELINKTRACE_FILL_H

#include <sys/stat.h>

#include "manifest/manifest.h"
#include "precopy.h"

/* Fills @dst, an empty file open for reading and writing, from the file that
 * @src can read, whose stat is @st from before it was read, by METHOD_CLONE or METHOD_COPY. The
 * inode flags immutable and append are left to whoever opens it at the restore
 * (entry->attributes). Where @copy is not NULL, @dst is that earlier copy of @src, of which
 * @statx_attributes (STATX_ATTR_*) are from when @st is, and what changed since is made good; its
 * attributes are given away. Of @entry, bytes_copied, attributes and not_carried
 * are set. 0; what interrupt_check() says; -errno. */
int fill(int src, const struct stat *st, uint64_t statx_attributes, enum method method,
	 int dst, struct precopied *copy, struct manifest_entry *entry);

#endif

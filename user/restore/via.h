/* SPDX-License-Identifier: GPL-2.0-only */
/* One inode can be held through several mounts, such as a read-only bind mount: each
 * description comes back through its own. */
#ifndef RELINKTRACE_VIA_H
#define RELINKTRACE_VIA_H

#include "manifest/manifest.h"

/* Opens (O_PATH) the file of @entry that @path_fd is open on once more, through the mount
 * that @holder had it by. The fd, owned by the caller; -1 where that is the entry's own
 * mount, or where it is out of reach, which is logged. */
int via_open(const struct manifest *manifest, const struct manifest_entry *entry,
	     const struct holder *holder, int path_fd);

#endif

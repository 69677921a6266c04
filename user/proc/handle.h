/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening an orphan by file handle (open_by_handle_at(2)): as long as anything holds it,
 * without knowing what. The handle is put together from what the kernel half knows, as
 * the filesystem itself would write it. */
#ifndef RELINKTRACE_HANDLE_H
#define RELINKTRACE_HANDLE_H

#include "orphan/orphan.h"
#include "mount.h"

/* Opens (O_PATH) the file of @orphan, by inode number and generation, on the mount that
 * @mount_fd (readable, of any file there) is on. On btrfs, where each subvolume counts
 * by itself, only when exactly one of them has such a file. The fd, owned by the caller;
 * -EOPNOTSUPP a filesystem whose handles are not known here, or cannot be made up;
 * -ESTALE no such file any more; -EPERM without CAP_DAC_READ_SEARCH; -ENOTUNIQ; -errno;
 * and the reason in @why. */
int handle_open(int mount_fd, const char *fstype, const struct orphan *orphan,
		char **why);

/* The same on a mount of its superblock whose root is a directory in sight: the one it
 * was opened through as its holders see it, else one of our own. *@mount, owned by the
 * caller, is that mount, and *@pid the process that sees it there. -ENOENT where there is
 * none. */
int handle_open_mounted(const struct orphan *orphan, struct mount *mount, pid_t *pid,
			char **why);

/* Opens (O_PATH) the file behind @fd again, on the mount that @mount_fd is on: by the
 * handle that the filesystem gives out for it. -EOPNOTSUPP where it gives none; -errno. */
int handle_reopen(int fd, int mount_fd);

#endif

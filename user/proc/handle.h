/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening an orphan by file handle (open_by_handle_at(2)): as long as anything holds it,
 * without knowing what. The handle is put together from what the kernel half knows, as
 * the filesystem itself would write it. */
#ifndef RELINKTRACE_HANDLE_H
#define RELINKTRACE_HANDLE_H

#include "home.h"
#include "orphan/orphan.h"

/* Opens (O_PATH) the file of @orphan, by inode number and generation, on the mount that
 * @mount_fd (readable, of any file there) is on. On btrfs, where each subvolume counts
 * by itself, only when exactly one of them has such a file. The fd, owned by the caller;
 * -EOPNOTSUPP a filesystem whose handles are not known here, or cannot be made up;
 * -ESTALE no such file any more; -EPERM without CAP_DAC_READ_SEARCH; -ENOTUNIQ; -errno;
 * and the reason in @why. */
int handle_open(int mount_fd, const char *fstype, const struct orphan *orphan,
		char **why);

/* The same on the first home where that can be done, which is in @home then. -ENOENT
 * where there is none. */
int handle_open_home(const struct orphan *orphan, enum home_of of, struct home *home,
		     char **why);

/* Opens (O_PATH) the file behind @fd again, on the mount that @mount_fd is on: by the
 * handle that the filesystem gives out for it. -EOPNOTSUPP where it gives none; -errno. */
int handle_reopen(int fd, int mount_fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "ownfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "proctext.h"

int ownfd_open(int fd, int flags)
{
	char link[64];
	int opened;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	opened = open(link, flags | O_CLOEXEC | O_NOCTTY);
	return opened < 0 ? -errno : opened;
}

int ownfd_path(int fd, char **path)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return proctext_readlink(AT_FDCWD, link, path);
}

int ownfd_inner_ino(int fd, uint64_t *ino)
{
	AUTO_FREE char *text = NULL;
	char name[64];
	int ret;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	ret = proctext_read(AT_FDCWD, name, &text);
	return ret ?: proctext_value(text, "ino", 10, ino);
}

int ownfd_stat(int fd, struct stat *out, int *mnt_id, uint64_t *attributes)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &stx))
		return -errno;
	if (!(stx.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	*mnt_id = stx.stx_mnt_id;
	*attributes = stx.stx_attributes;
	*out = (struct stat){
		.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.st_ino = stx.stx_ino,
		.st_mode = stx.stx_mode,
		.st_nlink = stx.stx_nlink,
		.st_uid = stx.stx_uid,
		.st_gid = stx.stx_gid,
		.st_rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor),
		.st_size = stx.stx_size,
		.st_blksize = stx.stx_blksize,
		.st_blocks = stx.stx_blocks,
		.st_atim = {stx.stx_atime.tv_sec, stx.stx_atime.tv_nsec},
		.st_mtim = {stx.stx_mtime.tv_sec, stx.stx_mtime.tv_nsec},
		.st_ctim = {stx.stx_ctime.tv_sec, stx.stx_ctime.tv_nsec},
	};
	return 0;
}

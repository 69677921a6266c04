/* SPDX-License-Identifier: GPL-2.0-only */
/* Which filesystem it is, however often it is mounted: the device's number is another after a
 * restart, and of btrfs after each umount. */
#ifndef RELINKTRACE_FSID_H
#define RELINKTRACE_FSID_H

#include <stdbool.h>

/* 32 hexadecimal digits and a NUL; "" not known. */
#define FSID_SIZE 33

/* Whether a filesystem of type @fstype has one, which fsid_read() would read. Pure. */
bool fsid_has(const char *fstype);

/* What is written into the filesystem of type @fstype, of which @root_fd (O_PATH is enough) is
 * the root of a mount: of ext2, ext3 and ext4 what statfs(2) makes of its UUID (ext4_statfs(),
 * fs/ext4/super.c); of btrfs that and the number of the subvolume (btrfs_statfs(),
 * fs/btrfs/super.c); of xfs, whose f_fsid is the device's number, its UUID
 * (XFS_IOC_FSGEOMETRY_V1). "" of any other, and where it cannot be read: nobody is asked who
 * may not answer. A copy of the filesystem has the same. */
void fsid_read(const char *fstype, int root_fd, char out[static FSID_SIZE]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "fsid.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "base/auto.h"

/* fs/xfs/libxfs/xfs_fs.h, which is in no header of the C library. */
struct xfs_fsop_geom_v1 {
	uint32_t blocksize, rtextsize, agblocks, agcount;
	uint32_t logblocks, sectsize, inodesize, imaxpct;
	uint64_t datablocks, rtblocks, rtextents, logstart;
	uint8_t uuid[16];
	uint32_t sunit, swidth;
	int32_t version;
	uint32_t flags, logsectsize, rtsectsize, dirblocksize;
};

static_assert(sizeof(struct xfs_fsop_geom_v1) == 112, "as the kernel has it");

#define XFS_IOC_FSGEOMETRY_V1 _IOR('X', 100, struct xfs_fsop_geom_v1)

/* Nothing but zeros is no UUID. */
static void print(const uint8_t *bytes, size_t n, char out[static FSID_SIZE])
{
	static const uint8_t none[16];

	if (!memcmp(bytes, none, n))
		return;
	for (size_t i = 0; i < sizeof(none); i++)
		sprintf(out + 2 * i, "%02x", i < n ? bytes[i] : 0);
}

static void of_xfs(int root_fd, char out[static FSID_SIZE])
{
	AUTO_FD fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct xfs_fsop_geom_v1 geometry = {0};

	if (fd >= 0 && !ioctl(fd, XFS_IOC_FSGEOMETRY_V1, &geometry))
		print(geometry.uuid, sizeof(geometry.uuid), out);
}

bool fsid_has(const char *fstype)
{
	return !strcmp(fstype, "xfs") || !strcmp(fstype, "btrfs") ||
	       !strcmp(fstype, "ext2") || !strcmp(fstype, "ext3") ||
	       !strcmp(fstype, "ext4");
}

void fsid_read(const char *fstype, int root_fd, char out[static FSID_SIZE])
{
	struct statfs fs;

	out[0] = '\0';
	if (!strcmp(fstype, "xfs"))
		of_xfs(root_fd, out);
	else if (fsid_has(fstype) && !fstatfs(root_fd, &fs))
		print((const uint8_t *)&fs.f_fsid, sizeof(fs.f_fsid), out);
}

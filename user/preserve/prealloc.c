/* SPDX-License-Identifier: GPL-2.0-only */
#include "prealloc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"

#define EXTENTS 256 /* of one call; 14 KiB */

/* Bytes: that of a page table's entry of the third level is above it nowhere. */
#define LARGEST_PAGE (64L << 20)

struct extents {
	struct fiemap map;
	struct fiemap_extent room[EXTENTS];
};

/* Whole blocks of @dst only: it may be on another filesystem, with larger ones. */
static int allocate(int dst, uint64_t start, uint64_t end)
{
	struct stat st;
	uint64_t block;

	if (fstat(dst, &st))
		return -errno;
	block = st.st_blksize;
	start = (start + block - 1) / block * block;
	end = end / block * block;
	if (start < end && fallocate(dst, FALLOC_FL_KEEP_SIZE, start, end - start))
		return errno == EOPNOTSUPP ? 0 : -errno;
	return 0;
}

int prealloc_carry(int src, int dst)
{
	AUTO_FREE struct extents *extents = malloc(sizeof(*extents));
	uint64_t start = 0;
	bool last = false;

	if (!extents)
		return -ENOMEM;
	while (!last) {
		struct fiemap *map = &extents->map;

		memset(map, 0, sizeof(*map));
		map->fm_start = start;
		map->fm_length = FIEMAP_MAX_OFFSET - start;
		map->fm_extent_count = EXTENTS;
		if (ioctl(src, FS_IOC_FIEMAP, map))
			return errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL
				       ? 0
				       : -errno;
		for (unsigned int i = 0; i < map->fm_mapped_extents; i++) {
			const struct fiemap_extent *extent = &map->fm_extents[i];
			int ret = 0;

			start = extent->fe_logical + extent->fe_length;
			last = extent->fe_flags & FIEMAP_EXTENT_LAST;
			if (extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
				ret = allocate(dst, extent->fe_logical, start);
			if (ret)
				return ret;
		}
		last = last || !map->fm_mapped_extents;
	}
	return 0;
}

static bool is_tmpfs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC;
}

static int punch(int fd, off_t start, off_t end)
{
	off_t page = sysconf(_SC_PAGESIZE);

	start = (start + page - 1) / page * page;
	if (start < end &&
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start))
		return errno == EOPNOTSUPP ? 0 : -errno;
	return 0;
}

int prealloc_trim(int src, int dst)
{
	struct stat from, to;
	off_t data, hole = 0;
	int ret = 0;

	if (!is_tmpfs(dst))
		return 0;
	if (fstat(src, &from) || fstat(dst, &to))
		return -errno;
	if (to.st_blocks <= from.st_blocks)
		return 0;
	while (hole < to.st_size && !ret) {
		hole = lseek(src, hole, SEEK_HOLE);
		if (hole < 0 || hole >= to.st_size)
			break;
		data = lseek(src, hole, SEEK_DATA);
		if (data < 0 || data > to.st_size)
			data = to.st_size;
		ret = punch(dst, hole, data);
		hole = data;
	}
	/* The end is in a large page, too. */
	return ret ?: punch(dst, to.st_size, to.st_size + LARGEST_PAGE);
}

uint64_t prealloc_missing(int src, int dst)
{
	struct stat from, to;

	if (!is_tmpfs(src) || fstat(src, &from) || fstat(dst, &to) ||
	    from.st_blocks <= to.st_blocks)
		return 0;
	return (from.st_blocks - to.st_blocks) * 512ULL;
}

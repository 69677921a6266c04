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
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"

#define EXTENTS 256 /* of one call; 14 KiB */

/* Bytes: that of a page table's entry of the third level is above it nowhere. */
#define LARGEST_PAGE (64L << 20)

/* 6.5, cf264e1329fb "cachestat: implement cachestat syscall": the same on every architecture. */
#define SYS_CACHESTAT 451

/* include/uapi/linux/mman.h */
struct cache_range {
	uint64_t start, length;
};

struct cache_counts {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

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

static bool is_tmpfs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC;
}

static int carry_extents(int src, int dst)
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

/* The next hole of @fd from *@start on, up to *@end, which is @size, that of the file, for the
 * last one. False: there is none. */
static bool next_hole(int fd, off_t size, off_t *start, off_t *end)
{
	off_t hole = *start < size ? lseek(fd, *start, SEEK_HOLE) : size;

	if (hole < 0 || hole >= size)
		return false;
	*start = hole;
	*end = lseek(fd, hole, SEEK_DATA);
	if (*end < 0 || *end > size)
		*end = size;
	return true;
}

/* The pages of @fd, of a tmpfs, in memory from @start on, up to @end (0: to the last one). 0 or
 * -errno; -ENOSYS before 6.5. What is in the swap has been written. */
static int pages_count(int fd, uint64_t start, uint64_t end, uint64_t *pages)
{
	struct cache_range range = {.start = start, .length = end ? end - start : 0};
	struct cache_counts counts;

	if (syscall(SYS_CACHESTAT, fd, &range, &counts, 0))
		return -errno;
	*pages = counts.cached;
	return 0;
}

/* The pages from @start up to @end, without data, that @src has, whatever pages they are. */
static int carry_pages(int src, int dst, uint64_t start, uint64_t end, uint64_t page)
{
	uint64_t pages = 0, middle = start + (end - start) / page / 2 * page;
	int ret = pages_count(src, start, end, &pages);

	if (ret || !pages)
		return ret;
	if (pages == (end - start) / page)
		return allocate(dst, start, end);
	/* What is counted is in memory, and may have changed meanwhile. */
	if (middle == start)
		return 0;
	ret = carry_pages(src, dst, start, middle, page);
	return ret ?: carry_pages(src, dst, middle, end, page);
}

/* Where @src, of a tmpfs, has pages and no data: in its holes, and behind its end. */
static int carry_tmpfs(int src, int dst)
{
	uint64_t page = sysconf(_SC_PAGESIZE), end, beyond;
	off_t hole = 0, data;
	struct stat st;
	int ret = 0;

	if (fstat(src, &st))
		return -errno;
	end = (st.st_size + page - 1) / page * page;
	while (!ret && next_hole(src, st.st_size, &hole, &data)) {
		uint64_t start = (hole + page - 1) / page * page;
		/* That of the end is whole. */
		uint64_t stop = data < st.st_size ? (uint64_t)data : end;

		if (start < stop)
			ret = carry_pages(src, dst, start, stop, page);
		hole = data;
	}
	for (beyond = page; !ret; beyond *= 2) {
		uint64_t pages = 0;

		ret = pages_count(src, end, 0, &pages);
		if (ret || !pages || end > INT64_MAX - beyond)
			break;
		ret = carry_pages(src, dst, end, end + beyond, page);
		end += beyond;
	}
	return ret == -ENOSYS || ret == -EPERM || ret == -EOPNOTSUPP ? 0 : ret;
}

int prealloc_carry(int src, int dst)
{
	return is_tmpfs(src) ? carry_tmpfs(src, dst) : carry_extents(src, dst);
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
	while (!ret && next_hole(src, to.st_size, &hole, &data)) {
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

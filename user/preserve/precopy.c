/* SPDX-License-Identifier: GPL-2.0-only */
#include "precopy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/list.h"
#include "base/openfiles.h"
#include "base/progress.h"
#include "budget.h"
#include "carry.h"
#include "copy.h"
#include "fill.h"
#include "preserve.h"
#include "source.h"

/* Compared at a time; what differs is written in pieces of it. */
#define PIECE (64U << 10)

static void precopied_fini(struct precopied *copy)
{
	auto_close(&copy->fd);
	auto_close(&copy->src);
	attributes_fini(&copy->attributes);
	free(copy->not_carried);
}

void precopies_fini(struct precopies *copies)
{
	for (size_t i = 0; i < copies->n; i++)
		precopied_fini(&copies->items[i]);
	free(copies->items);
	*copies = (struct precopies){0};
}

/* Whether every way to write to @orphan is one that is seen. */
static bool is_seen(const struct orphan *orphan)
{
	if (orphan->elsewhere || orphan->unattributed)
		return false;
	for (size_t i = 0; i < orphan->n_holders; i++) {
		const struct holder *holder = &orphan->holders[i];

		if (holder->kind != RT_HOLDER_FD && holder->kind != RT_HOLDER_MAP &&
		    holder->kind != RT_HOLDER_EXE)
			return false;
		if (holder->kind == RT_HOLDER_FD && holder->flags & O_DIRECT)
			return false;
	}
	return true;
}

/* Whether a store to a shared mapping of @fd sets the ctime, once it was written back. */
static bool has_true_ctime(int fd, const char *fstype)
{
	static const char *const known[] = {"ext2", "ext3", "ext4", "xfs", "btrfs"};
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) ||
	    stx.stx_attributes & STATX_ATTR_DAX)
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i], fstype))
			return true;
	return false;
}

static bool is_small(const struct orphan *orphan)
{
	for (size_t i = 0; i < orphan->n_holders; i++)
		if (orphan->holders[i].kind == RT_HOLDER_MAP)
			return false;
	return orphan->size <= PRECOPY_SMALL;
}

static bool is_wanted(const struct preserve *preserve, const struct orphan *orphan)
{
	enum method method = preserve->options.method;

	/* What no link leads to takes a frozen holder to get at. */
	if (!S_ISREG(orphan->mode) || !orphan_first_linked(orphan) ||
	    (preserve->options.small && !is_small(orphan)))
		return false;
	if (method != METHOD_AUTO)
		return method == METHOD_COPY;
	if (depot_takes(preserve->options.depot, orphan))
		return true;
	/* The others are linked. */
	return !orphan->nlink && !(orphan->tmpfile && preserve->options.stop);
}

static int open_copy(const struct folder *folder)
{
	int fd = openat(folder->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* What @src, of @st, is like before it is copied. */
static void note_source(int src, const struct stat *st, const struct orphan *orphan,
			const struct timespec *barrier, struct precopied *copy)
{
	copy->ctime = st->st_ctim;
	copy->size = st->st_size;
	copy->st_dev = st->st_dev;
	copy->trusted = st->st_ctim.tv_sec < barrier->tv_sec - PRECOPY_MARGIN &&
			is_seen(orphan) && has_true_ctime(src, orphan->fstype);
}

/* Fills copy->fd with all that there is to it. -ESTALE where that could not be trusted later. */
static int copy_whole(int src, const struct orphan *orphan,
		      const struct timespec *barrier, struct precopied *copy)
{
	AUTO(manifest_entry_fini) struct manifest_entry entry = {0};
	struct statx stx;
	struct stat st;
	int ret;

	if (fstat(src, &st) || statx(src, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx))
		return -errno;
	note_source(src, &st, orphan, barrier, copy);
	if (!copy->trusted || st.st_size > PRECOPY_SMALL)
		return -ESTALE;
	ret = fill(src, &st, 0, METHOD_COPY, copy->fd, NULL, &entry);
	if (ret)
		return ret;
	copy->whole = true;
	copy->bytes = entry.bytes_copied;
	copy->statx_attributes = stx.stx_attributes;
	copy->attributes = entry.attributes;
	entry.attributes = (struct attributes){0};
	copy->not_carried = TAKE_PTR(entry.not_carried);
	return 0;
}

/* Fills copy->fd. */
static int copy_one(int src, const struct orphan *orphan, const struct timespec *barrier,
		    struct precopied *copy)
{
	AUTO(attributes_fini) struct attributes attributes = {0};
	AUTO_FREE char *missing = NULL;
	struct stat st;
	int ret;

	/* See above: before the ctime is looked at. */
	if (fsync(src) || fstat(src, &st))
		return -errno;
	note_source(src, &st, orphan, barrier, copy);
	ret = carry_read(src, &st, &attributes);
	ret = ret ?: carry_prepare(copy->fd, &attributes, &missing);
	ret = ret ?: copy_sparse(src, copy->fd, &copy->bytes);
	return ret ?: fsync(copy->fd) ? -errno : 0;
}

static int append(struct precopies *copies, struct precopied *copy)
{
	struct precopied *grown = list_grow(copies->items, copies->n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	copies->items = grown;
	grown[copies->n++] = *copy;
	return 0;
}

/* For the freeze. What was opened again elsewhere is not what its holder has; and its number does not
 * tell a file of a btrfs from that of another subvolume. */
static void keep_source(const struct orphan *orphan, struct source *source,
			struct precopied *copy)
{
	if (source->at_home || !strcmp(orphan->fstype, "btrfs") ||
	    source->holder->kind != RT_HOLDER_FD || source->holder->tid)
		return;
	copy->pid = source->holder->pid;
	copy->start_time = source->holder->start_time;
	copy->their_fd = source->holder->fd;
	copy->src = TAKE_FD(source->readable);
}

/* 0 also where it is left for later. */
static int precopy_one(struct preserve *preserve, struct orphan *orphan,
		       const struct timespec *barrier, struct precopies *out)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	struct precopied copy = {
		.dev_major = orphan->dev_major,
		.dev_minor = orphan->dev_minor,
		.ino = orphan->ino,
		.has_generation = orphan->has_generation,
		.generation = orphan->generation,
		.fd = -1,
		.src = -1,
	};
	AUTO_FD fd = -1;
	struct folder *folder = NULL;
	AUTO_FREE char *why = NULL;
	int ret = preserve_reach(preserve, orphan, &source, &folder, &why), readable;

	if (ret)
		return ret == -ENOMEM ? ret : 0;
	readable = source_reading(&source);
	fd = open_copy(folder);
	if (readable < 0 || fd < 0)
		return 0;
	/* What can be cloned is so in no time. */
	if (preserve->options.method == METHOD_AUTO) {
		copy.clone_error = copy_clone(readable, fd);
		if (!copy.clone_error)
			return 0;
	}
	copy.fd = fd;
	/* The one that it was reached through. */
	copy.mnt_id = orphan->mnt_id;
	ret = preserve->options.small ? copy_whole(readable, orphan, barrier, &copy)
				      : copy_one(readable, orphan, barrier, &copy);
	if (ret)
		return ret == -ENOMEM || ret == -EINTR ? ret : 0;
	fd = -1;
	if (copy.whole)
		keep_source(orphan, &source, &copy);
	ret = append(out, &copy);
	if (ret)
		precopied_fini(&copy);
	return ret;
}

/* Each copy is an open fd; half of what there may be stays for the work in the freeze. */
static size_t most_copies(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : limit.rlim_cur / 2;
}

int precopy_all(struct preserve *preserve, struct orphan_set *set,
		const struct timespec *barrier, struct precopies *out)
{
	size_t most;
	uint64_t expected = 0;
	int ret = budget_check(preserve, set);

	if (preserve->options.small)
		preserve->room = openfiles_room();
	/* Two files for each, which stay open until all is settled. */
	most = preserve->options.small ? preserve->room / 4 : most_copies();
	for (size_t i = 0; i < set->n && !ret; i++)
		if (is_wanted(preserve, &set->orphans[i]))
			expected += orphan_bytes(&set->orphans[i]);
	progress_begin(expected, PROGRESS_MS);
	for (size_t i = 0; i < set->n && !ret && out->n < most; i++) {
		size_t n = out->n;

		if (interrupt_check()) {
			ret = interrupt_pending() ? -EINTR : 0;
			break;
		}
		if (!is_wanted(preserve, &set->orphans[i]))
			continue;
		ret = precopy_one(preserve, &set->orphans[i], barrier, out);
		/* Cloned, or left for later. */
		if (out->n == n)
			progress_add(orphan_bytes(&set->orphans[i]), 0);
	}
	progress_end();
	precopies_sort(out);
	return ret;
}

/* What is asked for when a copy is looked for; the rest is compared afterwards. */
static int compare(const void *a, const void *b)
{
	const struct precopied *left = a, *right = b;

	if (left->ino != right->ino)
		return left->ino < right->ino ? -1 : 1;
	if (left->dev_major != right->dev_major)
		return left->dev_major < right->dev_major ? -1 : 1;
	if (left->dev_minor != right->dev_minor)
		return left->dev_minor < right->dev_minor ? -1 : 1;
	return 0;
}

void precopies_sort(struct precopies *copies)
{
	if (copies->n)
		qsort(copies->items, copies->n, sizeof(*copies->items), compare);
}

size_t precopies_files(const struct precopies *copies)
{
	size_t n = 0;

	for (size_t i = 0; copies && i < copies->n; i++) {
		n += (copies->items[i].fd >= 0) + (copies->items[i].src >= 0);
	}
	return n;
}

/* The first of @copies that does not come before @asked, or the end. */
static struct precopied *lower_bound(const struct precopies *copies,
				     const struct precopied *asked)
{
	size_t first = 0, end = copies->n;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (compare(&copies->items[middle], asked) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return copies->items + first;
}

struct precopied *precopies_find(const struct precopies *copies,
				 const struct orphan *orphan)
{
	struct precopied asked = {.dev_major = orphan->dev_major,
				  .dev_minor = orphan->dev_minor,
				  .ino = orphan->ino};

	if (!copies || !copies->n)
		return NULL;
	/* One number can be several files': reused, or of two subvolumes of a btrfs. */
	for (struct precopied *copy = lower_bound(copies, &asked);
	     copy < copies->items + copies->n && !compare(copy, &asked); copy++)
		if (copy->mnt_id == orphan->mnt_id &&
		    copy->has_generation == orphan->has_generation &&
		    copy->generation == orphan->generation && copy->fd >= 0)
			return copy;
	return NULL;
}

bool precopy_is_unchanged(const struct precopied *copy, const struct orphan *orphan,
			  const struct stat *st)
{
	/* Two subvolumes of a btrfs have the same inode numbers. */
	return copy->trusted && is_seen(orphan) && st->st_size == copy->size &&
	       st->st_dev == copy->st_dev && st->st_ctim.tv_sec == copy->ctime.tv_sec &&
	       st->st_ctim.tv_nsec == copy->ctime.tv_nsec;
}

/* Up to @len bytes at @pos, 0 only at the end. */
static ssize_t read_at(int fd, char *buffer, size_t len, off_t pos)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, buffer + got, len - got, pos + got);

		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += n;
	}
	return got;
}

static int write_at(int fd, const char *buffer, size_t len, off_t pos)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, buffer + done, len - done, pos + done);

		if (n < 0)
			return -errno;
		done += n;
	}
	return 0;
}

/* Both have @end bytes at least, unless @src was cut meanwhile. @buffers: 2 * PIECE. */
static int update_data(int src, int dst, off_t pos, off_t end, char *buffers,
		       uint64_t *bytes)
{
	while (pos < end) {
		size_t len = end - pos < PIECE ? end - pos : PIECE;
		ssize_t here = read_at(src, buffers, len, pos), there;
		int ret = interrupt_check();

		if (ret)
			return ret;
		if (here <= 0)
			return here;
		there = read_at(dst, buffers + PIECE, here, pos);
		if (there < 0)
			return there;
		progress_add(here, here);
		if (there != here || memcmp(buffers, buffers + PIECE, here)) {
			ret = write_at(dst, buffers, here, pos);
			if (ret)
				return ret;
			*bytes += here;
		}
		pos += here;
	}
	return 0;
}

/* What is a hole of @src is one of @dst afterwards. */
static int update_hole(int dst, off_t pos, off_t end)
{
	off_t data = pos < end ? lseek(dst, pos, SEEK_DATA) : -1;

	if (data < 0 || data >= end)
		return 0;
	return fallocate(dst, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos, end - pos)
		       ? -errno
		       : 0;
}

int precopy_update(int src, off_t size, int dst, uint64_t *bytes)
{
	AUTO_FREE char *buffers = malloc(2 * PIECE);
	off_t pos = 0, data, end;
	int ret = 0;

	if (!buffers)
		return -ENOMEM;
	if (ftruncate(dst, size))
		return -errno;
	while (pos < size && !ret) {
		data = lseek(src, pos, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			return -errno;
		if (data < 0 || data > size)
			data = size;
		ret = update_hole(dst, pos, data);
		if (ret || data == size)
			break;
		end = lseek(src, data, SEEK_HOLE);
		if (end < 0 && errno != ENXIO)
			return -errno;
		if (end < 0 || end > size)
			end = size;
		ret = update_data(src, dst, data, end, buffers, bytes);
		pos = end;
	}
	return ret;
}

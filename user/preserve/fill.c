/* SPDX-License-Identifier: GPL-2.0-only */
#include "fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "carry.h"
#include "copy.h"
#include "prealloc.h"

static int look(int fd, struct statx *out)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, out) ? -errno : 0;
}

/* The data, anew or what is missing of it. */
static int fill_data(int src, const struct stat *st, enum method method, int dst,
		     const struct precopied *copy, struct manifest_entry *entry,
		     uint64_t *bytes)
{
	if (!copy)
		return method == METHOD_CLONE ? copy_clone(src, dst)
					      : copy_sparse(src, dst, bytes);
	entry->precopy = (struct manifest_precopy){
		.made = true,
		.bytes = copy->bytes,
		.unchanged = precopy_is_unchanged(copy, &entry->orphan, st),
	};
	if (entry->precopy.unchanged)
		return 0;
	return precopy_update(src, st->st_size, dst, bytes);
}

/* What no attribute can be set for. @to is what @dst was like when it had its data. */
static int note_missing(int src, int dst, const struct statx *to, char **missing)
{
	uint64_t allocated = 0;
	struct statx from;
	int ret = 0;

	if (look(src, &from))
		return 0;
	if (from.stx_blocks > to->stx_blocks)
		allocated = prealloc_missing(src, dst);
	if (allocated)
		ret = carry_miss(missing, "%llu bytes of preallocated space",
				 (unsigned long long)allocated);
	from.stx_attributes &= ~to->stx_attributes;
	if (!ret && from.stx_attributes & STATX_ATTR_ENCRYPTED)
		ret = carry_miss(missing, "encryption: its data is in plain text here");
	if (!ret && from.stx_attributes & STATX_ATTR_VERITY)
		ret = carry_miss(missing, "fs-verity");
	return ret;
}

/* Whether @copy, of what its source was, is as good as one of what it is. */
static bool is_whole(const struct stat *st, uint64_t attributes,
		     const struct precopied *copy, const struct orphan *orphan)
{
	return copy->whole && precopy_is_unchanged(copy, orphan, st) &&
	       attributes == copy->statx_attributes;
}

/* Nothing is left to be done but to say so; the source may have been read since. */
static int take_whole(int dst, const struct stat *st, struct precopied *copy,
		      struct manifest_entry *entry)
{
	const struct timespec times[] = {st->st_atim, st->st_mtim};
	const struct timespec *atime = &copy->attributes.atime;

	if ((atime->tv_sec != times[0].tv_sec || atime->tv_nsec != times[0].tv_nsec) &&
	    futimens(dst, times))
		return -errno;
	entry->precopy = (struct manifest_precopy){
		.made = true, .bytes = copy->bytes, .unchanged = true};
	entry->bytes_copied = copy->bytes;
	free(entry->not_carried);
	entry->not_carried = TAKE_PTR(copy->not_carried);
	attributes_fini(&entry->attributes);
	entry->has_attributes = true;
	entry->attributes = copy->attributes;
	entry->attributes.atime = st->st_atim;
	copy->attributes = (struct attributes){0};
	return 0;
}

int fill(int src, const struct stat *st, uint64_t statx_attributes, enum method method,
	 int dst, struct precopied *copy, struct manifest_entry *entry)
{
	AUTO(attributes_fini) struct attributes attributes = {0};
	AUTO_FREE char *missing = NULL;
	uint64_t bytes = 0;
	struct statx now;
	int ret;

	if (copy && is_whole(st, statx_attributes, copy, &entry->orphan))
		return take_whole(dst, st, copy, entry);
	if (copy && copy->whole) {
		/* With what was allocated, which the source may have no more. */
		if (ftruncate(dst, 0))
			return -errno;
		entry->precopy =
			(struct manifest_precopy){.made = true, .bytes = copy->bytes};
		copy = NULL;
	}
	ret = carry_read(src, st, &attributes);
	ret = ret ?: carry_prepare(dst, &attributes, &missing);
	ret = ret ?: fill_data(src, st, method, dst, copy, entry, &bytes);
	ret = ret ?: look(dst, &now);
	if (!ret && method == METHOD_COPY && now.stx_blocks > (uint64_t)st->st_blocks)
		ret = prealloc_trim(src, dst) ?: look(dst, &now);
	/* After the data: it cuts off what the filesystem allocated on its own beyond
	 * the end (xfs). */
	ret = ret ?: prealloc_carry(src, dst);
	ret = ret ?: note_missing(src, dst, &now, &missing);
	ret = ret ?: carry_write(dst, &now, st, &attributes, &missing);
	ret = ret ?: carry_unseen(&missing);
	if (ret)
		return ret;
	entry->bytes_copied = bytes + entry->precopy.bytes;
	free(entry->not_carried);
	entry->not_carried = TAKE_PTR(missing);
	attributes_fini(&entry->attributes);
	entry->has_attributes = true;
	entry->attributes = attributes;
	attributes = (struct attributes){0};
	return 0;
}

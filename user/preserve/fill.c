/* SPDX-License-Identifier: GPL-2.0-only */
#include "fill.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "carry.h"
#include "copy.h"
#include "prealloc.h"

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

int fill(int src, const struct stat *st, enum method method, int dst,
	 const struct precopied *copy, struct manifest_entry *entry)
{
	AUTO(attributes_fini) struct attributes attributes = {0};
	AUTO_FREE char *missing = NULL;
	uint64_t bytes = 0;
	int ret;

	ret = carry_read(src, st, &attributes);
	ret = ret ?: carry_prepare(dst, &attributes, &missing);
	ret = ret ?: fill_data(src, st, method, dst, copy, entry, &bytes);
	/* After the data: it cuts off what the filesystem allocated on its own beyond
	 * the end (xfs). */
	ret = ret ?: prealloc_carry(src, dst);
	ret = ret ?: carry_write(dst, st, &attributes, &missing);
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

/* SPDX-License-Identifier: GPL-2.0-only */
#include "fill.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "carry.h"
#include "copy.h"
#include "prealloc.h"
#include "source.h"

/* Data first takes what comes before it from @attributes, and then gets the rest. */
static int fill_from(int src, const struct stat *st, enum method method, int dst,
		     const struct attributes *attributes, uint64_t *bytes, char **missing)
{
	int ret = carry_prepare(dst, attributes, missing);

	ret = ret
		      ?: method == METHOD_CLONE ? copy_clone(src, dst)
						: copy_sparse(src, dst, bytes);
	/* After the data: it cuts off what the filesystem allocated on its own beyond
	 * the end (xfs). */
	ret = ret ?: prealloc_carry(src, dst);
	return ret ?: carry_write(dst, st, attributes, missing);
}

int fill(int src, const struct stat *st, enum method method, int dst,
	 struct manifest_entry *entry)
{
	AUTO(attributes_fini) struct attributes attributes = {0};
	AUTO_FD readable = source_reopen(src);
	AUTO_FREE char *missing = NULL;
	uint64_t bytes = 0;
	int ret;

	if (readable < 0)
		return readable;
	ret = carry_read(readable, st, &attributes);
	ret = ret ?: fill_from(readable, st, method, dst, &attributes, &bytes, &missing);
	if (ret)
		return ret;
	entry->bytes_copied = bytes;
	free(entry->not_carried);
	entry->not_carried = TAKE_PTR(missing);
	attributes_fini(&entry->attributes);
	entry->has_attributes = true;
	entry->attributes = attributes;
	attributes = (struct attributes){0};
	return 0;
}

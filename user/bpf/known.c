/* SPDX-License-Identifier: GPL-2.0-only */
#include "known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/auto.h"

/* Entries of one call. The kernel gives whole buckets (htab_map_lookup_batch, 5.6,
 * 05799638563e), which are short: ENOSPC cannot come of it. */
#define BATCH 1024

bool known_is_empty(int orphans_fd)
{
	uint64_t key;

	return bpf_map_get_next_key(orphans_fd, NULL, &key) == -ENOENT;
}

void known_fini(struct known *known)
{
	free(known->entries);
	*known = (struct known){0};
}

static int entry_compare(const void *left, const void *right)
{
	const struct known_entry *a = left, *b = right;

	return a->key < b->key ? -1 : a->key > b->key;
}

static int append(struct known *known, const uint64_t *keys,
		  const struct rt_orphan *values, size_t n)
{
	struct known_entry *entries;

	if (!n)
		return 0;
	entries = reallocarray(known->entries, known->n + n, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		entries[known->n + i] = (struct known_entry){keys[i], values[i]};
	known->entries = entries;
	known->n += n;
	return 0;
}

int known_read(int orphans_fd, struct known *out)
{
	AUTO_FREE struct rt_orphan *values = calloc(BATCH, sizeof(*values));
	AUTO_FREE uint64_t *keys = calloc(BATCH, sizeof(*keys));
	AUTO(known_fini) struct known known = {0};
	uint32_t place, next; /* in the kernel's table of buckets */
	bool first = true;
	int err = 0;

	if (!values || !keys)
		return -ENOMEM;
	while (err != -ENOENT) { /* what it says when that was the last */
		uint32_t n = BATCH;
		int ret;

		err = bpf_map_lookup_batch(orphans_fd, first ? NULL : &place, &next, keys,
					   values, &n, NULL);
		if (err && err != -ENOENT)
			return err;
		ret = append(&known, keys, values, n);
		if (ret)
			return ret;
		place = next;
		first = false;
	}
	if (known.n)
		qsort(known.entries, known.n, sizeof(*known.entries), entry_compare);
	*out = known;
	known = (struct known){0};
	return 0;
}

const struct rt_orphan *known_find(const struct known *known, uint64_t key)
{
	const struct known_entry wanted = {.key = key}, *found = NULL;

	if (known->n)
		found = bsearch(&wanted, known->entries, known->n, sizeof(wanted),
				entry_compare);
	return found ? &found->orphan : NULL;
}

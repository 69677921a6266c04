/* SPDX-License-Identifier: GPL-2.0-only */
#include "late.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "descent.h"
#include "undo.h"

/* Files whose names are brought into the journal by one sync. */
#define BATCH 512

/* One of them. */
struct late {
	struct source source;	/* nothing; for the ladder */
	struct descent descent; /* owned; its entry is of the manifest */
};

/* Takes the file over. */
static void late_begin(struct preserve *preserve, struct manifest_entry *entry,
		       struct unsynced_file *file, struct late *late)
{
	*late = (struct late){
		.source = SOURCE_INIT,
		.descent.holder = file->holder,
		.descent.ladder =
			{
				.manifest = preserve->manifest,
				.next_n = &preserve->next_n,
				.digest = preserve->options.digest,
				.store = entry->store,
				.source = &late->source,
				.folders = &preserve->folders,
				.folder =
					folder_set_find(&preserve->folders, entry->store,
							entry->orphan.mnt_id),
				.entry = entry,
				.methods = {entry->method},
				.n_methods = 1,
				.fd = TAKE_FD(file->fd),
				.filled = true,
				.synced = true,
			},
		.descent.pending = true,
	};
}

static int late_batch(struct preserve *preserve, struct late *lates, size_t n)
{
	struct descent *descents[BATCH];
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		descents[i] = &lates[i].descent;
	preserve->folders.round++;
	while (!ret && descent_any_pending(descents, n))
		ret = descent_round(preserve, descents, n);
	for (size_t i = 0; i < n; i++) {
		struct descent *descent = descents[i];

		if (!ret && descent->ret)
			ret = undo_unnamed(
				preserve->manifest, descent->ladder.entry, descent->ret,
				descent->why ? descent->why : strerror(-descent->ret));
		descent_fini(descent);
	}
	return ret;
}

/* The entry of @n; they mostly come in the order of the numbers, so that the one behind *@at,
 * which is set to it, is looked at first. */
static struct manifest_entry *find(struct manifest *manifest, unsigned int n, size_t *at)
{
	for (size_t i = 0; i < manifest->n_entries; i++) {
		*at = (*at + 1) % manifest->n_entries;
		if (manifest->entries[*at].n == n)
			return &manifest->entries[*at];
	}
	return NULL;
}

/* Whoever found the name taken has a later number. */
static int by_number(const void *left, const void *right)
{
	const struct manifest_entry *a = left, *b = right;

	return a->n < b->n ? -1 : a->n > b->n;
}

int late_name(struct preserve *preserve)
{
	struct unsynced *unsynced = &preserve->unsynced;
	AUTO_FREE struct late *lates = unsynced->n ? calloc(BATCH, sizeof(*lates)) : NULL;
	size_t at = 0, n = 0;
	int ret = lates || !unsynced->n ? 0 : -ENOMEM;

	for (size_t i = 0; i < unsynced->n && !ret; i++) {
		struct unsynced_file *file = &unsynced->files[i];
		struct manifest_entry *entry =
			file->fd < 0 ? NULL : find(preserve->manifest, file->n, &at);

		if (entry && !entry->relink_path)
			late_begin(preserve, entry, file, &lates[n++]);
		if (n == BATCH || (n && i + 1 == unsynced->n)) {
			ret = late_batch(preserve, lates, n);
			n = 0;
		}
	}
	undo_drop_failed(preserve->manifest);
	if (preserve->manifest->n_entries)
		qsort(preserve->manifest->entries, preserve->manifest->n_entries,
		      sizeof(*preserve->manifest->entries), by_number);
	unsynced_fini(unsynced);
	return ret;
}

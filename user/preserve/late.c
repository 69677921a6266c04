/* SPDX-License-Identifier: GPL-2.0-only */
#include "late.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/why.h"
#include "ladder.h"
#include "undo.h"

/* Files whose names are brought into the journal by one sync. */
#define BATCH 512

/* One of them. */
struct late {
	struct manifest_entry *entry; /* of the manifest */
	const struct holder *holder;
	struct source source; /* nothing; for the ladder */
	struct ladder ladder; /* owned */
	bool pending;	      /* has neither its name nor failed */
	int ret;
	char *why; /* owned */
};

static void late_fini(struct late *late)
{
	ladder_fini(&late->ladder);
	free(TAKE_PTR(late->why));
}

/* Takes the file over. */
static void late_begin(struct preserve *preserve, struct manifest_entry *entry,
		       struct unsynced_file *file, struct late *late)
{
	*late = (struct late){
		.entry = entry,
		.holder = file->holder,
		.source = SOURCE_INIT,
		.ladder =
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
		.pending = true,
	};
}

/* The folder may have been removed since: makes it again. */
static int late_renew(struct preserve *preserve, struct late *late)
{
	char path[RELINK_PATH_MAX];
	int ret;

	if (late->entry->store)
		return folder_set_get_store(&preserve->folders, preserve->manifest,
					    &late->ladder.folder, &late->why);
	ret = manifest_name(preserve->manifest, false, late->entry->n, path);
	return ret
		       ?: folder_set_get(&preserve->folders, preserve->manifest,
					 late->entry->orphan.mnt_id, late->holder, path,
					 &late->ladder.folder, &late->why);
}

/* Every pending one a step further. 0; what ends the whole. */
static int late_round(struct preserve *preserve, struct late *lates, size_t n)
{
	int ret = 0;

	preserve->folders.round++;
	for (size_t i = 0; i < n && !ret; i++) {
		struct late *late = &lates[i];

		if (!late->pending)
			continue;
		late->ret = late_renew(preserve, late)
				    ?: ladder_prepare(&late->ladder, &late->why);
		late->pending = !late->ret || late->ret == -EAGAIN;
		ret = preserve_grave(late->ret);
	}
	ret = ret ?: preserve_write_down(preserve);
	for (size_t i = 0; i < n && !ret; i++) {
		struct late *late = &lates[i];

		if (!late->pending || late->ret)
			continue;
		late->ret = ladder_publish(&late->ladder);
		late->pending = late->ret == -EAGAIN;
		ret = preserve_grave(late->ret);
	}
	return ret;
}

static bool any_pending(const struct late *lates, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lates[i].pending)
			return true;
	return false;
}

static int late_batch(struct preserve *preserve, struct late *lates, size_t n)
{
	int ret = 0;

	while (!ret && any_pending(lates, n))
		ret = late_round(preserve, lates, n);
	for (size_t i = 0; i < n; i++) {
		struct late *late = &lates[i];

		if (!ret && late->ret)
			ret = undo_unnamed(preserve->manifest, late->entry, late->ret,
					   late->why ? late->why : strerror(-late->ret));
		late_fini(late);
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

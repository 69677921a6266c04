/* SPDX-License-Identifier: GPL-2.0-only */
#include "making.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "checkpoint/checkpoint.h"
#include "criu/handover.h"
#include "criu/rootstore.h"
#include "manifest/template.h"
#include "restore/clean.h"

void making_fini(struct making *making)
{
	criu_prepare_fini(&making->prepare);
	free(making->storeless);
}

static bool is_wanted(const struct orphan *orphan, const void *data)
{
	const struct making *making = data;
	const struct txn *txn = making->txn;

	if (making->files)
		return links_files_have(making->files, orphan);
	/* What has no name is copied: into CRIU's image, when nothing changes any more, or
	 * by us, if nothing changes until then. */
	return orphan->nlink || (txn->external && txn->stable);
}

static int by_inode(const void *left, const void *right)
{
	const struct orphan *a = *(const struct orphan *const *)left;
	const struct orphan *b = *(const struct orphan *const *)right;

	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	if (a->dev_major != b->dev_major)
		return a->dev_major < b->dev_major ? -1 : 1;
	return a->dev_minor < b->dev_minor ? -1 : a->dev_minor > b->dev_minor;
}

/* A name of ours, which goes, is none that the program has left. */
static void discount(struct orphan_set *set, const struct manifest *earlier)
{
	AUTO_FREE const struct orphan **ours =
		calloc(earlier->n_entries + 1, sizeof(const struct orphan *));
	size_t n = 0;

	for (size_t i = 0; ours && i < earlier->n_entries; i++) {
		const struct manifest_entry *entry = &earlier->entries[i];

		if (entry->same_inode && entry->relink_path && !entry->store)
			ours[n++] = &entry->orphan;
	}
	if (n)
		qsort(ours, n, sizeof(const struct orphan *), by_inode);
	for (size_t i = 0; i < set->n && n; i++) {
		struct orphan *orphan = &set->orphans[i];

		if (orphan->nlink &&
		    bsearch(&orphan, ours, n, sizeof(const struct orphan *), by_inode))
			orphan->nlink--;
	}
}

static void select_orphans(struct orphan_set *set, void *data)
{
	struct making *making = data;
	struct txn *txn = making->txn;

	if (making->earlier)
		discount(set, making->earlier);
	for (size_t i = 0; i < set->n; i++) {
		const struct orphan *orphan = &set->orphans[i];

		if (making->files || is_wanted(orphan, making))
			continue;
		txn->ghosts++;
		if (!S_ISREG(orphan->mode))
			continue;
		/* 3.17 goes by the size, later ones by what is allocated. */
		if (orphan->size > txn->ghost_bytes)
			txn->ghost_bytes = orphan->size;
		if (orphan->allocated > txn->ghost_bytes)
			txn->ghost_bytes = orphan->allocated;
	}
	/* It may grow until the dump. */
	if (!txn->stable && txn->ghost_bytes <= INT64_MAX / 2)
		txn->ghost_bytes *= 2;
	orphan_set_keep(set, is_wanted, making);
}

/* Inside of the freeze: by what CRIU will know the files; and for a dump that a runtime
 * starts, what it and its restore find by themselves. */
static int collect_keys(const struct manifest *manifest, void *data)
{
	struct making *making = data;
	AUTO_FREE char *why = NULL;
	int ret;

	if (!making->txn->external)
		return 0;
	if (making->prepare.config) {
		making->prepare.images = making->dir;
		making->prepare.others = !making->txn->stable;
		making->prepare.ghost_bytes = making->txn->ghost_bytes;
		ret = criu_prepare(&making->prepare, manifest, &why);
	} else {
		ret = criu_keys_collect(manifest, &making->prepare.keys, &why);
		ret = ret ?: criu_keys_write(making->dir, &making->prepare.keys, &why);
	}
	if (ret)
		log_error("%s", why_text(why));
	return ret;
}

bool making_stores_by_itself(const struct action_wish *wish)
{
	return wish->config && !wish->store && !wish->no_store;
}

void making_find_store(struct making *making, const struct action_wish *wish)
{
	struct txn *txn = making->txn;

	free(txn->store);
	txn->store = NULL;
	if ((wish->store || making_stores_by_itself(wish)) && !txn->stable)
		why_set(&making->storeless, 0,
			"the cgroup is not frozen already, and a copy would be old by "
			"the dump");
	else if (making_stores_by_itself(wish))
		rootstore_find(wish->tree, &txn->store, &making->storeless);
}

void making_open_store(struct making *making, const struct action_wish *wish)
{
	AUTO(depot_fini) struct depot depot = DEPOT_INIT;
	const char *path = making->txn->store;

	making->store = making->txn->stable ? wish->store : NULL;
	if (path &&
	    !depot_try(&depot, path, &wish->store_mounts, making->dir,
		       &making->storeless) &&
	    !depot_make(&depot, path, &making->storeless))
		making->store = path;
}

int making_run(struct making *making, const struct action_wish *wish,
	       struct manifest *out)
{
	AUTO_FREE char *path = criu_path(making->dir, CRIU_MANIFEST);
	struct checkpoint_wish checkpoint = {
		.manifest = path,
		.template = TEMPLATE_DEFAULT,
		.store = making->store,
		.store_mounts = wish->store_mounts,
		.store_rest = true,
		.store_sparing = !wish->store,
		.store_own = !wish->store,
		/* A copy would be old by the time of the dump. */
		.preserve.method = making->txn->stable ? METHOD_AUTO : METHOD_LINK,
		.freeze = !wish->dumped,
		.select = select_orphans,
		.inside = collect_keys,
		.data = making,
	};

	return path ? checkpoint_run(&checkpoint, wish->target, out) : -ENOMEM;
}

int making_check_store(const struct making *making, const struct action_wish *wish,
		       struct report *report)
{
	if (making->store || (!wish->store && !wish->store_mounts.n))
		return 0;
	log_warning("nothing goes into %s%s: %s", wish->store ? "store " : "a store",
		    wish->store ?: "", why_text(making->storeless));
	report_worsen(report, OUTCOME_PART);
	return -EAGAIN;
}

void making_settle_store(struct making *making, const struct action_wish *wish,
			 struct manifest *manifest)
{
	struct txn *txn = making->txn;
	bool later = !txn->stable && wish->wait > 0; /* by a keeper */
	bool wanted = making_stores_by_itself(wish) && !wish->store_mounts.n && !later;

	if (wanted && !making->store)
		rootstore_tell_missed(manifest, why_text(making->storeless));
	if (!txn->store || manifest_stored(manifest))
		return;
	clean_store_folder(txn->store);
	free(txn->store);
	txn->store = NULL;
}

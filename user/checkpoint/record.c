/* SPDX-License-Identifier: GPL-2.0-only */
#include "record.h"

#include <errno.h>
#include <string.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/index.h"
#include "preserve/carried.h"
#include "restore/unfinished.h"

void record_fini(struct record *record)
{
	depot_mounts_fini(&record->found);
	manifest_file_fini(&record->file);
	journal_file_fini(&record->journal);
	manifest_fini(&record->manifest);
	depot_fini(&record->depot);
}

/* Removes what an earlier checkpoint to the same manifest left that was killed. */
static int clean_earlier(const char *path)
{
	struct clean_result result = {0};
	AUTO_FREE char *why = NULL;
	int state = unfinished_clean(path, NULL, &result, &why);

	if (state < 0)
		log_error("%s%s", why_text(why), advice(state));
	else if (state == UNFINISHED_LEFT)
		log_error("%s.journal is of a checkpoint that did not finish, and not "
			  "all that it made could be removed: see above, or name another "
			  "--manifest",
			  path);
	else if (state == UNFINISHED_CLEAN)
		log_warning("%s.journal was of a checkpoint that did not finish: %zu "
			    "names that it had made were removed",
			    path, result.removed);
	else if (state == UNFINISHED_FINISHED)
		log_warning("%s.journal was of a checkpoint that did finish: its names "
			    "stay, and are in its manifest",
			    path);
	return state < 0 ? state : state == UNFINISHED_LEFT ? -EBUSY : 0;
}

/* Whether it has to be found out whose copies the store takes. */
static bool finds_mounts(const struct checkpoint_wish *wish)
{
	return wish->store && wish->store_rest && !wish->store_mounts.n;
}

/* Finds out where copies go that are not to be on their mounts. */
static int begin_store(struct record *record, const struct checkpoint_wish *wish)
{
	AUTO_FREE char *why = NULL;
	int ret;

	if (!wish->store)
		return 0;
	record->found.listed = true;
	record->found.sparing = wish->store_sparing;
	ret = depot_try(&record->depot, wish->store,
			finds_mounts(wish) ? &record->found : &wish->store_mounts,
			wish->manifest, &why);
	if (ret)
		log_error("%s", why_text(why));
	record->depot.store.own = wish->store_own;
	return ret ?: store_copy(&record->depot.store, &record->manifest.store);
}

/* Makes that: of a folder that is to go again the journal tells before it is there. 0 or an error
 * that was logged. */
static int make_store(struct record *record, const struct checkpoint_wish *wish)
{
	AUTO_FREE char *why = NULL;
	unsigned int place;
	int ret = 0;

	if (!wish->store)
		return 0;
	if (wish->store_own)
		ret = journal_file_store(&record->journal, &record->depot.store, &place)
			      ?: journal_file_sync(&record->journal);
	if (ret) {
		log_error("cannot write the journal: %s%s", strerror(-ret), advice(ret));
		return ret;
	}
	ret = depot_make(&record->depot, wish->store, &why);
	if (!ret)
		return 0;
	if (!wish->storeless) {
		log_error("%s", why_text(why));
		return ret;
	}
	*wish->storeless = TAKE_PTR(why);
	clean_own_store(&record->manifest.store);
	store_fini(&record->manifest.store);
	depot_fini(&record->depot);
	return 0;
}

void record_give_up(struct record *record, const char *path, size_t left)
{
	if (left) {
		log_error("%zu names or folders are left, or may be: `relinktrace clean "
			  "%s` removes them",
			  left, path);
		record->file.temp[0] = '\0'; /* says that it is unfinished */
		return;
	}
	clean_own_store(&record->manifest.store);
	index_remove(record->manifest.id);
	manifest_file_fini(&record->file);
	journal_file_remove(&record->journal);
}

int record_begin(struct record *record, const struct checkpoint_wish *wish,
		 const struct target *target)
{
	AUTO_FREE char *why = NULL;
	int ret = clean_earlier(wish->manifest);

	if (ret)
		return ret;
	ret = manifest_begin(&record->manifest, target->cgroups[0].path,
			     target->cgroups[0].id, wish->template);
	if (ret) {
		log_error("cannot begin a manifest: %s", strerror(-ret));
		return ret;
	}
	ret = begin_store(record, wish);
	if (ret)
		return ret;
	ret = journal_file_begin(&record->journal, wish->manifest, &record->manifest,
				 &why);
	ret = ret
		      ?: manifest_file_begin(&record->file, wish->manifest,
					     record->manifest.id, &why);
	if (ret) {
		journal_file_remove(&record->journal);
		log_error("%s%s", why_text(why), advice(ret));
		return ret;
	}
	if (index_add(record->manifest.id, wish->manifest, &why))
		log_warning("%s: clean will find this checkpoint by its manifest only, "
			    "not by --id or --expired",
			    why_text(why));
	ret = make_store(record, wish);
	if (ret)
		record_give_up(record, wish->manifest, 0);
	return ret;
}

int record_find_mounts(struct record *record, const struct checkpoint_wish *wish,
		       const struct orphan_set *set)
{
	int ret;

	if (!finds_mounts(wish) || record->depot.fd < 0)
		return 0;
	ret = carried_find(set, &record->found);
	if (ret)
		log_error("cannot find out what goes into the store: %s", strerror(-ret));
	return ret;
}

int record_commit(struct record *record, const char *path)
{
	int ret = manifest_file_write(&record->file, &record->manifest);

	ret = ret ?: journal_file_commit(&record->journal);
	ret = ret ?: manifest_file_commit(&record->file);
	if (ret)
		log_error("cannot write manifest %s: %s%s; the names that were made are "
			  "removed again",
			  path, strerror(-ret), advice(ret));
	return ret;
}

int record_keep_journal(struct record *record, const char *path, size_t left)
{
	if (!left)
		return 0;
	log_warning("%zu names or folders that are not needed are left, or may be: "
		    "`relinktrace clean %s` removes them, too",
		    left, path);
	return journal_file_abandon(&record->journal);
}

void record_forget_journal(struct record *record, const char *path)
{
	if (record->file.temp[0])
		log_warning("`relinktrace clean %s.journal` removes it", path);
	else
		journal_file_remove(&record->journal);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "checkpoint.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/index.h"
#include "journal/journal_file.h"
#include "manifest/manifest_file.h"
#include "proc/freezer.h"
#include "restore/unfinished.h"
#include "scan/scan.h"

/* As long as a task may sit in an uninterruptible sleep on a busy disk. */
#define FREEZE_TIMEOUT_MS 10000

/* What is written while a checkpoint is made. The journal is there first and goes last, so
 * that whenever this ends, it is known what was made. */
struct record {
	struct journal_file journal;
	struct manifest_file file;
	struct manifest manifest;
	struct depot depot;
};

static void record_fini(struct record *record)
{
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
		log_error("%s", why_text(why));
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

/* Where copies go that are not to be on their mounts. */
static int begin_store(const struct checkpoint_wish *wish, struct record *record)
{
	AUTO_FREE char *why = NULL;
	int ret;

	if (!wish->store)
		return 0;
	ret = depot_open(&record->depot, wish->store, &wish->store_mounts, wish->manifest,
			 &why);
	if (ret)
		log_error("%s", why_text(why));
	return ret ?: store_copy(&record->depot.store, &record->manifest.store);
}

/* Everything that is written down before the first name is made. */
static int record_begin(const struct checkpoint_wish *wish, const struct target *target,
			struct record *record)
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
	ret = begin_store(wish, record);
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
	return 0;
}

/* Nothing of the checkpoint stays, unless @left says that names do. */
static void record_give_up(struct record *record, const char *path, size_t left)
{
	if (left) {
		log_error("%zu names are left: `relinktrace clean %s` removes them", left,
			  path);
		record->file.temp[0] = '\0'; /* says that it is unfinished */
		return;
	}
	index_remove(record->manifest.id);
	manifest_file_fini(&record->file);
	journal_file_remove(&record->journal);
}

/* Writes the manifest; the names stay. */
static int commit(const struct checkpoint_wish *wish, struct record *record)
{
	int ret = manifest_file_write(&record->file, &record->manifest);

	ret = ret ?: journal_file_commit(&record->journal);
	ret = ret ?: manifest_file_commit(&record->file);
	if (ret)
		log_error("cannot write manifest %s: %s%s; the names that were made are "
			  "removed again",
			  wish->manifest, strerror(-ret), advice(ret));
	return ret;
}

/* Looking cannot write, whatever it is shown. */
static int look(const struct checkpoint_wish *wish, const struct target *target,
		struct orphan_set *set)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_LOOK);
	int ret = scan(target, set);

	(void)stage;
	if (!ret && wish->select)
		wish->select(set, wish->data);
	return ret;
}

static int preserve_with_privileges(struct preserve *preserve, struct orphan_set *set)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_PRESERVE);

	(void)stage;
	return preserve_all(preserve, set);
}

/* Scan, preserve and write; the cgroup may be frozen. 0 or an error that was logged. */
static int work(const struct checkpoint_wish *wish, const struct target *target,
		struct record *record, struct preserve *preserve)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	int ret;

	orphan_set_init(&set);
	ret = look(wish, target, &set);
	if (ret)
		log_error("cannot find out what cgroup %s holds: %s",
			  target->cgroups[0].path, strerror(-ret));
	ret = ret ?: preserve_with_privileges(preserve, &set);
	ret = ret ?: commit(wish, record);
	if (ret) {
		record_give_up(record, wish->manifest, preserve_undo(preserve));
		return ret;
	}
	preserve_keep(preserve);
	journal_file_remove(&record->journal);
	return 0;
}

static int freeze(struct freezer *freezer, const struct target *target)
{
	int ret = freezer_freeze(freezer, &target->cgroups[0], FREEZE_TIMEOUT_MS,
				 NULL);

	if (ret)
		log_error("cannot freeze cgroup %s: %s", target->cgroups[0].path,
			  strerror(-ret));
	return ret;
}

/* A moment at which nobody in the cgroup is in a system call: frozen, and thawed again. */
static int barrier(const struct target *target, struct timespec *out)
{
	AUTO(freezer_thaw) struct freezer freezer = FREEZER_INIT;
	int ret = freeze(&freezer, target);

	if (!ret)
		clock_gettime(CLOCK_REALTIME_COARSE, out);
	return ret;
}

static int precopy_with_privileges(struct preserve *preserve, struct orphan_set *set,
				   const struct timespec *frozen, struct precopies *out)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_PRESERVE);

	(void)stage;
	return precopy_all(preserve, set, frozen, out);
}

/* The copies that can be made while the cgroup runs. */
static int precopy(const struct checkpoint_wish *wish, const struct target *target,
		   struct preserve *preserve, struct precopies *out)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct timespec frozen;
	int ret;

	orphan_set_init(&set);
	ret = barrier(target, &frozen);
	if (ret)
		return ret;
	ret = look(wish, target, &set);
	ret = ret ?: precopy_with_privileges(preserve, &set, &frozen, out);
	if (ret)
		log_error("cannot copy before the freeze: %s", strerror(-ret));
	return ret;
}

/* Freezes the cgroup where that was asked for, for the time of work() and of the caller's
 * own. 0; 1 that failed; an error that was logged. */
static int work_frozen(const struct checkpoint_wish *wish, const struct target *target,
		       struct record *record)
{
	AUTO(precopies_fini) struct precopies precopies = {0};
	AUTO(preserve_fini) struct preserve preserve;
	AUTO(freezer_thaw) struct freezer freezer = FREEZER_INIT;
	struct preserve_options options = wish->preserve;
	int ret = 0;

	options.journal = &record->journal;
	options.precopies = &precopies;
	options.depot = wish->store ? &record->depot : NULL;
	options.frozen = wish->freeze;
	preserve_begin(&preserve, &options, &record->manifest);
	if (wish->freeze && wish->precopy)
		ret = precopy(wish, target, &preserve, &precopies);
	if (!ret && wish->freeze)
		ret = freeze(&freezer, target);
	if (ret) {
		record_give_up(record, wish->manifest, preserve_undo(&preserve));
		return ret;
	}
	ret = work(wish, target, record, &preserve);
	if (ret || !wish->inside)
		return ret;
	return wish->inside(&record->manifest, wish->data) ? 1 : 0;
}

int checkpoint_run(const struct checkpoint_wish *wish, const struct target *target,
		   struct manifest *out)
{
	AUTO(record_fini)
	struct record record = {.journal = JOURNAL_FILE_INIT,
				.file = MANIFEST_FILE_INIT,
				.depot = DEPOT_INIT};
	int ret = record_begin(wish, target, &record);

	ret = ret ?: work_frozen(wish, target, &record);
	if (ret < 0)
		return ret;
	*out = record.manifest;
	record.manifest = (struct manifest){0};
	return ret;
}

void checkpoint_undo(const char *path, const struct manifest *manifest)
{
	struct clean_result result = {0};

	clean_all(manifest, &result);
	if (result.left) {
		log_error("%zu names are left: `relinktrace clean %s` removes them",
			  result.left, path);
		return;
	}
	if (unlink(path) && errno != ENOENT)
		log_error("cannot remove %s: %s", path, strerror(errno));
	index_remove(manifest->id);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "checkpoint.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "alone.h"
#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/index.h"
#include "proc/freezer.h"
#include "record.h"
#include "restore/unfinished.h"
#include "stages.h"
#include "steward.h"
#include "worker.h"

/* As long as a task may sit in an uninterruptible sleep on a busy disk. */
#define FREEZE_TIMEOUT_MS 10000

/* Ends what preserve_all() was called for (@ret): nothing of it stays, or all. */
static int finish(const struct checkpoint_wish *wish, struct record *record,
		  struct preserve *preserve, int ret)
{
	size_t litter = preserve->folders.n_litter;

	ret = ret ?: record_keep_journal(record, wish->manifest, litter);
	ret = ret ?: record_commit(record, wish->manifest);
	if (ret) {
		record_give_up(record, wish->manifest, preserve_undo(preserve));
		return ret;
	}
	preserve_keep(preserve);
	if (!manifest_stored(&record->manifest))
		clean_own_store(&record->manifest.store);
	if (!litter)
		record_forget_journal(record, wish->manifest);
	return 0;
}

/* Finds what there is, and what of it goes into the store. 0 or an error that was logged. */
static int look(const struct checkpoint_wish *wish, const struct target *target,
		const struct scanner *scanner, struct record *record,
		struct orphan_set *set)
{
	int ret = stage_look(target, scanner, wish->select, wish->data, set);

	return ret ?: record_find_mounts(record, wish, set);
}

/* Scan and preserve; the cgroup may be frozen. 0 or an error that was logged. */
static int work(const struct checkpoint_wish *wish, const struct target *target,
		const struct scanner *scanner, struct record *record,
		struct preserve *preserve)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	int ret;

	orphan_set_init(&set);
	/* What runs may have closed it by then. */
	set.opened = wish->freeze && !wish->select && !wish->preserve.max_bytes;
	ret = look(wish, target, scanner, record, &set);
	return ret ?: stage_preserve(preserve, &set);
}

static int freeze(const struct checkpoint_wish *wish, struct freezer *freezer,
		  const struct target *target)
{
	int left = wish->until ? interrupt_ms_to(wish->until) : FREEZE_TIMEOUT_MS;
	int ret = freezer_freeze(freezer, &target->cgroups[0],
				 left < FREEZE_TIMEOUT_MS ? left : FREEZE_TIMEOUT_MS,
				 wish->until);

	if (ret)
		log_error("cannot freeze cgroup %s: %s%s", target->cgroups[0].path,
			  strerror(-ret), caps_refused(ret, CAPS_FREEZE));
	return ret;
}

/* A moment at which nobody in the cgroup is in a system call: frozen, and thawed again. */
static int barrier(const struct checkpoint_wish *wish, const struct target *target,
		   struct timespec *out)
{
	AUTO(freezer_thaw) struct freezer freezer = FREEZER_INIT;
	int ret = freeze(wish, &freezer, target);

	if (!ret)
		clock_gettime(CLOCK_REALTIME_COARSE, out);
	return ret;
}

/* The copies that can be made while the cgroup runs. */
static int precopy(const struct checkpoint_wish *wish, const struct target *target,
		   const struct scanner *scanner, struct record *record,
		   struct preserve *preserve, struct precopies *out)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct timespec frozen;
	int ret = barrier(wish, target, &frozen);

	orphan_set_init(&set);
	ret = ret ?: look(wish, target, scanner, record, &set);
	return ret ?: stage_precopy(preserve, &set, &frozen, out);
}

static struct preserve_options preserve_options(const struct checkpoint_wish *wish,
						struct record *record)
{
	struct preserve_options options = wish->preserve;

	options.journal = &record->journal;
	options.depot = record->depot.fd >= 0 ? &record->depot : NULL;
	options.frozen = wish->freeze;
	options.late = wish->late && wish->freeze && !wish->until;
	options.small = options.late && !wish->precopy;
	return options;
}

/* What comes before the freeze, or in its place. 0 nothing is left to be frozen for; 1; an error
 * that was logged. */
static int work_unfrozen(const struct checkpoint_wish *wish, const struct target *target,
			 const struct scanner *scanner, struct record *record,
			 struct preserve *preserve, struct precopies *precopies)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	/* Else it may turn out that nothing is to be made of it. */
	bool looks = !wish->preserve.max_bytes && !wish->select;
	struct alone alone = {0};
	int ret = 0;

	orphan_set_init(&set);
	if (wish->alone)
		alone_begin(&alone);
	if (looks && (wish->alone || !wish->precopy))
		ret = look(wish, target, scanner, record, &set);
	if (!ret)
		ret = looks ? alone_run(&alone, wish, target, &record->manifest, &set)
			    : 1;
	if (!ret)
		return stage_preserve(preserve, &set);
	if (ret < 0)
		return ret;
	ret = 0;
	if (wish->precopy || (preserve->options.small && looks && set.n))
		ret = precopy(wish, target, scanner, record, preserve, precopies);
	/* The folders for what is held by now: each is brought to the disk. */
	if (!ret && !wish->precopy && looks)
		ret = stage_folders(preserve, &set);
	return ret ?: 1;
}

/* Writes down what was done (@ret) when everything goes on. 0; 1 that the caller's own has failed,
 * as it has already where @failed; an error that was logged. */
static int finish_after(const struct checkpoint_wish *wish, struct record *record,
			struct preserve *preserve, bool failed, int ret)
{
	ret = finish(wish, record, preserve, ret);
	if (!ret && wish->after)
		failed = wish->after(&record->manifest, wish->data);
	return failed ? 1 : ret;
}

/* What is left to do when the work was done (@ret) and may end after the freeze. As
 * finish_after(). */
static int finish_late(const struct checkpoint_wish *wish, struct record *record,
		       struct preserve *preserve, struct freezer *freezer, int ret)
{
	bool failed = !ret && wish->inside && wish->inside(&record->manifest, wish->data);

	freezer_thaw(freezer);
	ret = ret ?: failed ? -ECANCELED : stage_settle(preserve);
	return finish_after(wish, record, preserve, failed, ret);
}

/* Freezes the cgroup where that was asked for, for the time of work() and of the caller's
 * own. 0; 1 that failed; an error that was logged. */
static int work_frozen(const struct checkpoint_wish *wish, const struct target *target,
		       const struct scanner *scanner, struct record *record)
{
	AUTO(precopies_fini) struct precopies precopies = {0};
	AUTO(preserve_fini) struct preserve preserve;
	AUTO(freezer_thaw) struct freezer freezer = FREEZER_INIT;
	struct preserve_options options = preserve_options(wish, record);
	int ret = 1;

	options.precopies = &precopies;
	preserve_begin(&preserve, &options, &record->manifest);
	if (wish->freeze)
		ret = work_unfrozen(wish, target, scanner, record, &preserve, &precopies);
	if (!ret)
		return finish_after(wish, record, &preserve, false, 0);
	if (ret > 0)
		ret = wish->freeze ? freeze(wish, &freezer, target) : 0;
	if (ret) {
		record_give_up(record, wish->manifest, preserve_undo(&preserve));
		return ret;
	}
	ret = work(wish, target, scanner, record, &preserve);
	if (options.late)
		return finish_late(wish, record, &preserve, &freezer, ret);
	ret = finish(wish, record, &preserve, ret);
	if (ret || !wish->inside)
		return ret;
	return wish->inside(&record->manifest, wish->data) ? 1 : 0;
}

/* Freezes, and has the work done by @worker until its time has come. 0 or -errno. */
static int work_by(struct worker *worker, const struct checkpoint_wish *wish,
		   const struct target *target, const struct scanner *scanner,
		   struct record *record, struct freezer *freezer)
{
	struct timespec frozen = {0};
	bool precopy = wish->freeze && wish->precopy;
	struct worker_task task = {
		.target = target,
		.scanner = scanner,
		.select = wish->select,
		.data = wish->data,
		.options = preserve_options(wish, record),
		.manifest = &record->manifest,
		.freezer = freezer,
		.frozen = precopy ? &frozen : NULL,
		.until = wish->until,
	};
	int ret = 0, failed;

	if (wish->freeze)
		ret = precopy ? barrier(wish, target, &frozen)
			      : freeze(wish, freezer, target);
	ret = ret ?: worker_start(worker, &task);
	if (!ret && precopy) {
		ret = worker_await_precopy(worker);
		if (ret == -ETIMEDOUT)
			return worker_finish(worker);
		if (ret)
			return ret;
		failed = freeze(wish, freezer, target);
		worker_go_on(worker, !failed);
		ret = worker_finish(worker);
		return failed ?: ret;
	}
	return ret ?: worker_finish(worker);
}

/* Nothing of what @worker made stays, if that can be. */
static void take_back(const struct worker *worker, const char *path,
		      struct record *record)
{
	struct clean_result result = {0};

	/* A filesystem that it was left behind in does not answer us either. */
	if (worker->abandoned) {
		log_error("names may be left: `relinktrace clean %s` removes them", path);
		record->file.temp[0] = '\0'; /* says that it is unfinished */
		return;
	}
	clean_all(&record->manifest, &result);
	record_give_up(record, path, worker->left + result.left);
}

/* As work_frozen(), to be ended at wish->until whatever happens. */
static int work_in_time(const struct checkpoint_wish *wish, const struct target *target,
			const struct scanner *scanner, struct record *record)
{
	AUTO(worker_fini) struct worker worker = WORKER_INIT;
	AUTO(freezer_thaw) struct freezer freezer = FREEZER_INIT;
	int ret = work_by(&worker, wish, target, scanner, record, &freezer);

	if (ret && !worker.abandoned) {
		/* It has undone what it did. */
		record_give_up(record, wish->manifest, worker.left);
		return ret;
	}
	if (!ret && worker.abandoned) {
		log_warning("the work did not end by the deadline, and was left behind: "
			    "`relinktrace clean %s` removes what is half made, too",
			    wish->manifest);
		ret = journal_file_abandon(&record->journal);
	}
	if (!worker.abandoned)
		ret = ret ?: record_keep_journal(record, wish->manifest, worker.left);
	ret = ret ?: record_commit(record, wish->manifest);
	if (ret) {
		take_back(&worker, wish->manifest, record);
		return ret;
	}
	if (!worker.abandoned && !worker.left)
		record_forget_journal(record, wish->manifest);
	return wish->inside && wish->inside(&record->manifest, wish->data) ? 1 : 0;
}

/* For steward_run() as well. */
static int run(const struct checkpoint_wish *wish, const struct target *target,
	       struct manifest *out)
{
	AUTO(record_fini) struct record record = RECORD_INIT;
	AUTO(scanner_close) struct scanner scanner = SCANNER_INIT;
	int ret = record_begin(&record, wish, target);

	if (ret)
		return ret;
	stage_ready(&scanner);
	ret = wish->until ? work_in_time(wish, target, &scanner, &record)
			  : work_frozen(wish, target, &scanner, &record);
	if (ret < 0)
		return ret;
	*out = record.manifest;
	record.manifest = (struct manifest){0};
	return ret;
}

int checkpoint_run(const struct checkpoint_wish *wish, const struct target *target,
		   struct manifest *out)
{
	return wish->until ? steward_run(run, wish, target, out) : run(wish, target, out);
}

void checkpoint_undo(const char *path, const struct manifest *manifest)
{
	struct clean_result result = {0};
	AUTO_FREE char *why = NULL;

	/* What the journal was kept for, if it was: without the manifest it would not know
	 * which of the names are not needed. */
	if (unfinished_clean(path, manifest->id, &result, &why) < 0)
		log_error("%s", why_text(why));
	clean_all(manifest, &result);
	if (result.left) {
		log_error("%zu names are left: `relinktrace clean %s` removes them",
			  result.left, path);
		return;
	}
	clean_own_store(&manifest->store);
	if (unlink(path) && errno != ENOENT)
		log_error("cannot remove %s: %s", path, strerror(errno));
	index_remove(manifest->id);
}

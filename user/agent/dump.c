/* SPDX-License-Identifier: GPL-2.0-only */
/* The actions around a dump. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "actions.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "checkpoint/checkpoint.h"
#include "criu/handover.h"
#include "criu/prepare.h"
#include "criu/rootstore.h"
#include "journal/index.h"
#include "manifest/template.h"
#include "preserve/carried.h"
#include "proc/freezer.h"
#include "transfer.h"
#include "undo.h"

/* What the callbacks of the checkpoint are handed. */
struct making {
	struct txn *txn;
	const char *dir;		 /* of its generation */
	const struct links_files *files; /* only these; NULL any */
	const char *store;		 /* not owned; NULL none */
	char *storeless; /* owned; why there is none where one is made by itself */
	/* Keys, owned; config NULL: nobody but the caller has to find them. */
	struct criu_prepare prepare;
};

static void making_fini(struct making *making)
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

static void select_orphans(struct orphan_set *set, void *data)
{
	struct making *making = data;
	struct txn *txn = making->txn;

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

/* Takes back what there is of @txn, which failed. */
static void give_up(struct txn *txn, struct report *report)
{
	struct clean_result result = {0};

	undo_checkpoints(txn, UINT_MAX, &result);
	report_worsen(report, OUTCOME_FAILED);
	report->cleaned = result;
	if (result.left)
		log_error("%zu names are left: hook clean tries again", result.left);
	else
		txn_remove(txn);
}

static void give_up_because(struct txn *txn, struct report *report, const char *why)
{
	log_error("%s", why_text(why));
	give_up(txn, report);
}

/* Whether there is to be a store where none was asked for. */
static bool stores_by_itself(const struct action_wish *wish)
{
	return wish->config && !wish->store && !wish->no_store;
}

/* Where the store will be. */
static void find_store(struct making *making, const struct action_wish *wish)
{
	struct txn *txn = making->txn;

	free(txn->store);
	txn->store = NULL;
	if ((wish->store || stores_by_itself(wish)) && !txn->stable)
		why_set(&making->storeless, 0,
			"the cgroup is not frozen already, and a copy would be old by "
			"the dump");
	else if (stores_by_itself(wish))
		rootstore_find(wish->tree, &txn->store, &making->storeless);
}

/* Makes the store that is made by itself; where that cannot be, it goes without. */
static void make_store(struct making *making, const struct action_wish *wish)
{
	AUTO(depot_fini) struct depot depot = DEPOT_INIT;
	const char *path = making->txn->store;

	making->store = making->txn->stable ? wish->store : NULL;
	if (path && !depot_open(&depot, path, &wish->store_mounts, making->dir,
				&making->storeless))
		making->store = path;
}

/* Begins a new generation: on the disk before anything is made. */
static int begin(struct making *making, const struct action_wish *wish, char **why)
{
	struct txn *txn = making->txn;
	int ret = txn_next(txn, why);

	if (ret)
		return ret;
	txn->phase = TXN_PREPARING;
	txn->checkpoint[0] = '\0';
	txn->external = wish->external;
	/* Somebody keeps it frozen: what is seen now is what CRIU will see. */
	txn->stable = !wish->dumped && freezer_is_frozen(&wish->target->cgroups[0]);
	txn->imported = false;
	txn->ghosts = txn->ghost_bytes = 0;
	txn_drop_links(txn);
	txn_drop_roots(txn);
	find_store(making, wish);
	return txn_save(txn, why);
}

static int make(struct making *making, const struct action_wish *wish,
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
		/* A copy would be old by the time of the dump. */
		.preserve.method = making->txn->stable ? METHOD_AUTO : METHOD_LINK,
		.freeze = !wish->dumped,
		.select = select_orphans,
		.inside = collect_keys,
		.data = making,
	};

	return path ? checkpoint_run(&checkpoint, wish->target, out) : -ENOMEM;
}

/* Copies what there is to where the images are. */
static void hand_on(const struct txn *txn, const struct action_wish *wish,
		    struct report *report)
{
	AUTO_FREE char *why = NULL;

	if (!wish->images || !transfer_out(txn, wish->images, &why))
		return;
	log_error("%s: the images go without it", why_text(why));
	report_worsen(report, OUTCOME_PART);
}

/* Whether there is a store where one is asked for. 0; -EAGAIN, which is told. */
static int check_store(const struct making *making, const struct action_wish *wish,
		       struct report *report)
{
	if (making->store || (!wish->store && !wish->store_mounts.n))
		return 0;
	log_warning("nothing goes into %s%s: %s", wish->store ? "store " : "a store",
		    wish->store ?: "", why_text(making->storeless));
	report_worsen(report, OUTCOME_PART);
	return -EAGAIN;
}

/* How many of @manifest would be in a store if there were one. */
static size_t count_storable(struct manifest *manifest)
{
	AUTO(depot_mounts_fini) struct depot_mounts mounts = {.sparing = true};
	struct depot depot = DEPOT_INIT;
	size_t n = 0;

	depot.mounts = &mounts;
	for (size_t i = 0; i < manifest->n_entries; i++) {
		struct manifest_entry *entry = &manifest->entries[i];
		struct orphan_set one = {.orphans = &entry->orphan, .n = 1};

		if (entry->relink_path && !entry->store && !carried_find(&one, &mounts))
			n += depot_takes(&depot, &entry->orphan);
	}
	return n;
}

/* What came of the store that is made by itself. */
static void settle_store(struct making *making, const struct action_wish *wish,
			 struct manifest *manifest)
{
	struct txn *txn = making->txn;
	bool wanted = stores_by_itself(wish) && !wish->store_mounts.n;
	size_t n = wanted && !making->store ? count_storable(manifest) : 0;

	if (n)
		log_warning("%zu names are on mounts that do not travel with the "
			    "checkpoint, and not in a store: %s",
			    n, why_text(making->storeless));
	if (!txn->store || manifest_stored(manifest))
		return;
	rootstore_remove(txn->store);
	free(txn->store);
	txn->store = NULL;
}

/* A new checkpoint of @files (NULL: see is_wanted()) in place of earlier ones, up to
 * phase @phase. */
static void make_new(struct txn *txn, const struct action_wish *wish,
		     const struct links_files *files, enum txn_phase phase,
		     struct report *report)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *why = NULL, *dir = NULL;
	AUTO(making_fini)
	struct making making = {.txn = txn,
				.files = files,
				.prepare = {.config = wish->config, .tree = wish->tree}};
	int ret = begin(&making, wish, &why);

	if (ret) {
		give_up_because(txn, report, why);
		return;
	}
	dir = txn_directory(txn, txn->generation);
	making.dir = dir;
	if (dir)
		make_store(&making, wish);
	if (check_store(&making, wish, report) && wish->strict) {
		give_up(txn, report);
		return;
	}
	ret = dir ? make(&making, wish, &manifest) : -ENOMEM;
	if (ret || (wish->strict && !manifest.complete)) {
		if (interrupt_timed_out())
			log_error("the deadline has passed");
		report_manifest(report, &manifest);
		give_up(txn, report);
		return;
	}
	settle_store(&making, wish, &manifest);
	memcpy(txn->checkpoint, manifest.id, sizeof(txn->checkpoint));
	txn->phase = phase;
	ret = files ? links_by_file(txn, files, &manifest) : 0;
	ret = ret ?: txn_save(txn, &why);
	if (ret) {
		give_up_because(txn, report, why);
		return;
	}
	undo_checkpoints(txn, txn->generation, &report->cleaned);
	if (!manifest.complete || report->cleaned.left)
		report_worsen(report, OUTCOME_PART);
	report_manifest(report, &manifest);
	report_dump(report, txn, &making.prepare.keys);
	hand_on(txn, wish, report);
}

/* Tells of what is there already. */
static int tell(const struct txn *txn, const struct action_wish *wish,
		struct report *report)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *why = NULL, *dir = txn_directory(txn, txn->generation);
	int ret = undo_read(txn, &manifest, &why);

	if (!ret && wish->target && manifest.cgroup_id != wish->target->cgroups[0].id)
		ret = why_set(&why, -EEXIST,
			      "%s is of cgroup %s: abort it first, or take another id",
			      txn->id, manifest.cgroup);
	if (!ret && txn->external)
		ret = dir ? criu_keys_read(dir, &keys, &why) : -ENOMEM;
	if (ret) {
		log_error("%s", why_text(why));
		report_worsen(report, OUTCOME_FAILED);
		return ret;
	}
	if (!manifest.complete)
		report_worsen(report, OUTCOME_PART);
	report_manifest(report, &manifest);
	report_dump(report, txn, &keys);
	return 0;
}

/* Whether its names are there, as far as is known: `clean` may have removed them. */
static bool is_there(const struct txn *txn)
{
	AUTO_FREE char *path = NULL;

	return txn->phase >= TXN_PREPARED &&
	       (txn->imported || !index_find(txn->checkpoint, &path));
}

void action_prepare(struct txn *txn, const struct action_wish *wish,
		    struct report *report)
{
	struct clean_result earlier = {0};

	if (is_there(txn)) {
		report->repeated = true;
		if (!tell(txn, wish, report))
			hand_on(txn, wish, report);
		return;
	}
	/* Before: the folders go with the one that made them, and not while another's names
	 * are in them. */
	undo_checkpoints(txn, UINT_MAX, &earlier);
	make_new(txn, wish, NULL, TXN_PREPARED, report);
}

/* Inside of CRIU's own post-dump: what it has linked is what it has linked, and is kept
 * before it removes it. */
static void post_dump_inside(struct txn *txn, const struct action_wish *wish,
			     struct report *report)
{
	AUTO(links_files_fini) struct links_files files = {0};
	AUTO_FREE char *why = NULL;
	int ret = links_files_find(&files, wish->images, wish->dumped, &why);

	if (ret) {
		log_error("%s: what CRIU linked is not known", why_text(why));
		report_worsen(report, OUTCOME_FAILED);
		return;
	}
	if (files.n) {
		make_new(txn, wish, &files, TXN_DUMPED, report);
	} else if (is_there(txn)) {
		txn->phase = TXN_DUMPED;
		if (txn_save(txn, &why))
			give_up_because(txn, report, why);
		else
			hand_on(txn, wish, report);
	} else {
		report->repeated = true;
		txn_remove(txn);
	}
	for (size_t i = 0; i < txn->n_links; i++)
		report_link(report, &txn->links[i], "known");
}

void action_post_dump(struct txn *txn, const struct action_wish *wish,
		      struct report *report)
{
	AUTO_FREE char *why = NULL;

	if (wish->dumped) {
		post_dump_inside(txn, wish, report);
		return;
	}
	if (!is_there(txn)) {
		log_warning("nothing of %s was prepared to its end: there is nothing but "
			    "what CRIU dumped",
			    txn->id);
		if (txn->dir_fd >= 0)
			give_up(txn, report);
		report->outcome = OUTCOME_PART;
		return;
	}
	report->repeated = txn->phase != TXN_PREPARED;
	if (report_phase(report, txn, report->repeated ? txn->phase : TXN_DUMPED))
		return;
	if (undo_config(txn, &why)) {
		log_error("%s", why_text(why));
		report_worsen(report, OUTCOME_PART);
	}
	if (!tell(txn, wish, report))
		hand_on(txn, wish, report);
}

void action_abort(struct txn *txn, const struct action_wish *wish, struct report *report)
{
	(void)wish;
	if (txn->dir_fd < 0) {
		report->repeated = true;
		return;
	}
	if (txn->phase < TXN_DUMPED) {
		undo_checkpoints(txn, UINT_MAX, &report->cleaned);
		if (report->cleaned.left)
			report_worsen(report, OUTCOME_PART);
		else
			txn_remove(txn);
		return;
	}
	report->repeated = txn->phase == TXN_DUMPED;
	if (report->repeated) {
		log_warning("the dump of %s came to its end: its names stay until it is "
			    "restored, or hook clean",
			    txn->id);
		return;
	}
	if (undo_links(txn))
		report_worsen(report, OUTCOME_PART);
	report_phase(report, txn, TXN_DUMPED);
}

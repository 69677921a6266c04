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
#include "criu/handover.h"
#include "criu/rootstore.h"
#include "journal/index.h"
#include "keeper.h"
#include "making.h"
#include "proc/freezer.h"
#include "transfer.h"
#include "undo.h"

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
	making_find_store(making, wish);
	return txn_save(txn, why);
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
		making_open_store(&making, wish);
	if (making_check_store(&making, wish, report) && wish->strict) {
		give_up(txn, report);
		return;
	}
	ret = dir ? making_run(&making, wish, &manifest) : -ENOMEM;
	if (ret || (wish->strict && !manifest.complete)) {
		if (interrupt_timed_out())
			log_error("the deadline has passed");
		report_manifest(report, &manifest);
		give_up(txn, report);
		return;
	}
	making_settle_store(&making, wish, &manifest);
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

/* Has a keeper wait for the pause of a runtime that pauses by itself. */
static void await_pause(const struct txn *txn, const struct action_wish *wish,
			struct report *report)
{
	AUTO_FREE char *why = NULL;
	pid_t pid;

	if (!wish->config || wish->no_store || wish->wait <= 0 ||
	    txn->phase != TXN_PREPARED)
		return;
	if (keeper_is_there(txn, &pid))
		report_keeper(report, pid);
	else if (txn->stable)
		return;
	else if (!keeper_start(txn, wish, &pid, &why))
		report_keeper(report, pid);
	else
		log_warning(
			"what is on mounts that do not travel with the checkpoint goes "
			"into no store: %s",
			why_text(why));
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
		if (!tell(txn, wish, report)) {
			hand_on(txn, wish, report);
			await_pause(txn, wish, report);
		}
		return;
	}
	/* Before: the folders go with the one that made them, and not while another's names
	 * are in them. */
	undo_checkpoints(txn, UINT_MAX, &earlier);
	make_new(txn, wish, NULL, TXN_PREPARED, report);
	await_pause(txn, wish, report);
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

/* The keeper has not seen a pause, or could not do its work within. */
static void tell_unstored(const struct txn *txn)
{
	AUTO(manifest_fini) struct manifest manifest = {0};

	if (!undo_read(txn, &manifest, NULL))
		rootstore_tell_missed(&manifest,
				      "nobody paused the container while it was waited "
				      "for, or that failed");
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
	if (keeper_tell(txn) && !txn->stable)
		tell_unstored(txn);
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

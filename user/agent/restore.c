/* SPDX-License-Identifier: GPL-2.0-only */
/* The actions around a restore, and after it. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "criu/handover.h"
#include "criu/signposts.h"
#include "proc/ownfd.h"
#include "restore/restore.h"
#include "transfer.h"
#include "undo.h"

/* A restore that is being prepared. */
struct restoring {
	struct manifest manifest; /* owned */
	struct criu_keys keys;	  /* owned */
	struct roots roots;	  /* owned; manifest.roots while there are any */
	int store_fd;		  /* owned; -1: see signposts_take_store() */
	char store_path[32];
};

#define RESTORING_INIT                                                                   \
	{                                                                                \
		.store_fd = -1                                                           \
	}

static void restoring_fini(struct restoring *restoring)
{
	manifest_fini(&restoring->manifest);
	criu_keys_fini(&restoring->keys);
	roots_fini(&restoring->roots);
	auto_close(&restoring->store_fd);
}

/* Where the store is by now. */
static void find_store(struct restoring *restoring, const struct action_wish *wish)
{
	struct manifest *manifest = &restoring->manifest;

	if (wish->store)
		manifest->store_at = wish->store;
	else if (manifest->store.path && manifest->roots && restoring->keys.root.path)
		restoring->store_fd =
			signposts_take_store(manifest, restoring->store_path);
}

static int read_all(const struct txn *txn, const struct action_wish *wish,
		    struct restoring *out, char **why)
{
	AUTO_FREE char *dir = txn_directory(txn, txn->generation);
	int ret = undo_read(txn, &out->manifest, why);

	ret = ret ?: undo_roots(txn, &out->roots, why);
	if (!ret && txn->external)
		ret = dir ? criu_keys_read(dir, &out->keys, why) : -ENOMEM;
	if (out->roots.n)
		out->manifest.roots = &out->roots;
	if (!ret)
		find_store(out, wish);
	return ret;
}

static bool same_roots(const struct txn *txn, const struct action_wish *wish)
{
	if (txn->n_roots != wish->n_roots)
		return false;
	for (size_t i = 0; i < txn->n_roots; i++)
		if (strcmp(txn->roots[i], wish->roots[i]))
			return false;
	return true;
}

/* Takes over the roots of the caller; what was linked below others goes. */
static int take_roots(struct txn *txn, const struct action_wish *wish)
{
	int ret = 0;

	if (same_roots(txn, wish))
		return 0;
	undo_links(txn);
	txn_drop_roots(txn);
	for (size_t i = 0; i < wish->n_roots && !ret; i++)
		ret = txn_add_root(txn, wish->roots[i]);
	for (size_t i = 0; i < txn->n_links; i++)
		txn->links[i].ino = 0;
	return ret;
}

/* Finds out which inode each link will be of, so that it can be taken back whatever comes
 * next. */
static void find_inodes(struct txn *txn, const struct restoring *restoring)
{
	for (size_t i = 0; i < txn->n_links; i++) {
		struct txn_link *link = &txn->links[i];
		const struct manifest_entry *entry =
			manifest_entry_of(&restoring->manifest, link->n);
		AUTO_FD fd = -1;
		struct stat st;

		if (!entry || !entry->relink_path)
			continue;
		fd = links_open(&restoring->manifest, entry, NULL);
		if (fd < 0 || fstat(fd, &st))
			continue;
		link->ino = st.st_ino;
		link->made = true;
	}
}

static void make_links(struct txn *txn, const struct restoring *restoring,
		       struct report *report)
{
	static const char *const states[] = {
		[LINKS_MADE] = "made",
		[LINKS_THERE] = "there",
		[LINKS_FAILED] = "missing",
	};

	for (size_t i = 0; i < txn->n_links; i++) {
		const struct txn_link *link = &txn->links[i];
		const struct manifest_entry *entry =
			manifest_entry_of(&restoring->manifest, link->n);
		AUTO_FREE char *why = NULL;
		enum links_state state = LINKS_FAILED;

		if (entry && entry->relink_path)
			state = links_make(&restoring->roots, &restoring->manifest, entry,
					   link, &why);
		report_link(report, link, states[state]);
		if (state != LINKS_FAILED)
			continue;
		log_warning("orphan%u: %s", link->n,
			    why ? why : "it has no name to be linked from");
		report_worsen(report, OUTCOME_PART);
	}
}

/* Verifies what CRIU is to inherit, and says where it is. */
static void check_inherited(const struct restoring *restoring, struct report *report)
{
	for (size_t i = 0; i < restoring->keys.n_keys; i++) {
		const struct criu_key *key = &restoring->keys.keys[i];
		const struct manifest_entry *entry =
			manifest_entry_of(&restoring->manifest, key->n);
		AUTO_FREE char *why = NULL, *path = NULL;
		AUTO_FD fd = -1;

		if (!entry || restore_check_entry(&restoring->manifest, entry, &why)) {
			log_warning("orphan%u: %s", key->n,
				    entry ? why_text(why) : "it is in no manifest");
			report_worsen(report, OUTCOME_PART);
			continue;
		}
		if (entry->relink_path)
			fd = restore_open_name(&restoring->manifest, entry, NULL);
		if (fd >= 0)
			ownfd_path(fd, &path);
		/* With a signpost CRIU finds it by itself. */
		if (!restoring->keys.root.path)
			report_inherit(report, key, path);
	}
}

/* Everything for @txn, whose phase is TXN_DUMPED or later. 0 or -errno and the reason in
 * @why. */
static int begin(struct txn *txn, const struct action_wish *wish, struct report *report,
		 char **why)
{
	AUTO(restoring_fini) struct restoring restoring = RESTORING_INIT;
	int ret = take_roots(txn, wish);

	ret = ret ?: read_all(txn, wish, &restoring, why);
	if (!ret && !txn->n_links && wish->images &&
	    links_by_path(txn, wish->images, &restoring.manifest, why))
		log_warning("%s: what CRIU linked is not known", why_text(*why));
	if (ret)
		return ret;
	find_inodes(txn, &restoring);
	txn->phase = TXN_RESTORING;
	ret = txn_save(txn, why);
	if (ret)
		return ret;
	report_manifest(report, &restoring.manifest);
	make_links(txn, &restoring, report);
	check_inherited(&restoring, report);
	return 0;
}

/* What is known of the transaction here, or what the images tell. */
static int find(struct txn *txn, const struct action_wish *wish, char **why)
{
	if (txn->phase >= TXN_PREPARED)
		return 0;
	if (txn->phase == TXN_PREPARING && !txn->imported)
		return why_set(
			why, -ENOENT,
			"%s was never prepared to its end; what there was of it is "
			"removed",
			txn->id);
	if (!wish->images)
		return why_set(why, -ENOENT,
			       "nothing is known of %s here: --images-dir DIR, with what "
			       "post-dump --images-dir wrote",
			       txn->id);
	return transfer_in(txn, wish->images, why);
}

void action_pre_restore(struct txn *txn, const struct action_wish *wish,
			struct report *report)
{
	AUTO_FREE char *why = NULL;
	bool again = txn->phase == TXN_RESTORING && same_roots(txn, wish);
	int ret = find(txn, wish, &why);

	if (ret && txn->phase < TXN_PREPARED && txn->dir_fd >= 0) {
		struct clean_result nothing = {0};

		undo_checkpoints(txn, UINT_MAX, &nothing);
		if (!nothing.left)
			txn_remove(txn);
	}
	ret = ret ?: begin(txn, wish, report, &why);
	report->repeated = again;
	if (!ret && wish->strict && report->outcome != OUTCOME_DONE) {
		undo_links(txn);
		txn->phase = TXN_DUMPED;
		ret = txn_save(txn, &why) ?: -ECANCELED;
	}
	if (!ret)
		return;
	if (why)
		log_error("%s", why);
	report_worsen(report, OUTCOME_FAILED);
}

/* For clean_by(), of the transaction @data. */
static void remove_name(const struct manifest *manifest,
			const struct manifest_entry *entry, void *data,
			struct clean_result *result)
{
	const struct txn_link *link = txn_link_of(data, entry->n);

	if (link && link->ino)
		links_remove_entry(manifest, entry, link, result);
	else
		clean_entry(manifest, entry, result);
}

/* Removes the names of a restore that came to its end where it found them. 0 or -errno:
 * logged. */
static int remove_restored(struct txn *txn, const struct action_wish *wish,
			   struct clean_result *result)
{
	AUTO(restoring_fini) struct restoring restoring = RESTORING_INIT;
	AUTO_FREE char *why = NULL;
	int ret = read_all(txn, wish, &restoring, &why);

	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	restoring.roots.in_use = true;
	clean_by(&restoring.manifest, remove_name, txn, result);
	if (restoring.store_fd >= 0)
		signposts_drop_store(&restoring.manifest);
	if (restoring.keys.root.path)
		signposts_remove(&restoring.manifest, &restoring.keys, result);
	return 0;
}

/* Everything that @txn made, wherever it is, and then @txn. */
static void remove_all(struct txn *txn, const struct action_wish *wish,
		       struct report *report)
{
	struct clean_result *result = &report->cleaned;
	int ret = 0, links = undo_links(txn);

	/* Below roots, or another machine's: only a restore knows where. */
	if ((txn->imported || txn->n_roots) && txn->phase == TXN_RESTORING)
		ret = remove_restored(txn, wish, result);
	undo_checkpoints(txn, UINT_MAX, result);
	if (ret || links || result->left)
		report_worsen(report, OUTCOME_PART);
	else
		txn_remove(txn);
}

void action_post_restore(struct txn *txn, const struct action_wish *wish,
			 struct report *report)
{
	if (txn->phase < TXN_PREPARED) {
		report->repeated = true;
		if (txn->dir_fd >= 0)
			remove_all(txn, wish, report);
		return;
	}
	if (wish->keep || (txn->n_roots && !txn->imported)) {
		report->repeated = txn->phase != TXN_RESTORING;
		undo_links(txn);
		/* The names below the roots are the restored copy's own. */
		if (!wish->keep && txn->phase == TXN_RESTORING &&
		    (remove_restored(txn, wish, &report->cleaned) ||
		     report->cleaned.left)) {
			report_worsen(report, OUTCOME_PART);
			return;
		}
		txn_drop_roots(txn);
		report_phase(report, txn, TXN_DUMPED);
		return;
	}
	remove_all(txn, wish, report);
}

void action_clean(struct txn *txn, const struct action_wish *wish, struct report *report)
{
	if (txn->dir_fd < 0) {
		report->repeated = true;
		return;
	}
	remove_all(txn, wish, report);
}

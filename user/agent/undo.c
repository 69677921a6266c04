/* SPDX-License-Identifier: GPL-2.0-only */
#include "undo.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "criu/handover.h"
#include "criu/prepare.h"
#include "journal/journal_file.h"
#include "links.h"
#include "manifest/manifest_file.h"
#include "restore/clean.h"
#include "restore/cleanup.h"

/* What lets a runtime's CRIU do without the files: there is none where there is no manifest,
 * as that comes first. */
static void undo_prepared(const char *dir, const char *path, bool shared,
			  struct clean_result *result)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};

	if (criu_keys_read(dir, &keys, NULL) || !keys.root.path ||
	    manifest_file_read(path, &manifest, NULL))
		return;
	keys.shared = shared;
	criu_prepare_undo(dir, &manifest, &keys, result);
}

/* Whether there is one before @number, whose signposts may be where its own would be: it was
 * killed before it had made all of them. */
static bool has_earlier(const struct txn *txn, unsigned int number)
{
	for (unsigned int i = 1; i < number; i++) {
		AUTO_FREE char *dir = txn_directory(txn, i);
		AUTO_FREE char *path = dir ? criu_path(dir, CRIU_KEYS) : NULL;

		if (path && !access(path, F_OK))
			return true;
	}
	return false;
}

static void undo_checkpoint(const struct txn *txn, unsigned int number,
			    struct clean_result *result)
{
	AUTO_FREE char *dir = txn_directory(txn, number);
	AUTO_FREE char *manifest = dir ? criu_path(dir, CRIU_MANIFEST) : NULL;
	AUTO_FREE char *journal = manifest ? journal_path(manifest) : NULL;
	size_t left = result->left;

	if (!journal) {
		result->left++;
		return;
	}
	undo_prepared(dir, manifest, has_earlier(txn, number), result);
	if ((!access(manifest, F_OK) || !access(journal, F_OK)) &&
	    clean_checkpoint(manifest, NULL, NULL, result) && result->left == left)
		result->left++;
	if (result->left == left)
		txn_forget_generation(txn, number);
}

void undo_checkpoints(struct txn *txn, unsigned int before, struct clean_result *result)
{
	/* The names are another machine's. */
	if (txn->imported)
		return;
	/* Backwards: the folders are the first one's. */
	for (unsigned int i = txn_last(txn); i > 0; i--)
		if (i < before)
			undo_checkpoint(txn, i, result);
	if (before == UINT_MAX && txn->store)
		clean_store_folder(txn->store);
}

/* Whether attempt @number came so far that a dump may rely on it, which is then what @txn
 * tells of. */
static bool came_through(struct txn *txn, unsigned int number)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *dir = txn_directory(txn, number);
	AUTO_FREE char *path = dir ? criu_path(dir, CRIU_MANIFEST) : NULL;

	if (!path || criu_keys_read(dir, &keys, NULL) ||
	    manifest_file_read(path, &manifest, NULL))
		return false;
	txn->generation = number;
	memcpy(txn->checkpoint, manifest.id, sizeof(txn->checkpoint));
	txn->stable = true;
	txn->ghosts = txn->ghost_bytes = 0;
	return true;
}

int undo_attempt(struct txn *txn, char **why)
{
	struct clean_result result = {0};

	if (!txn->attempt)
		return 0;
	if (!came_through(txn, txn->attempt)) {
		undo_checkpoint(txn, txn->attempt, &result);
		/* It is tried again with all else. */
		if (result.left)
			return 0;
	}
	txn->attempt = 0;
	return txn_save(txn, why);
}

int undo_roots(const struct txn *txn, struct roots *out, char **why)
{
	int ret = 0;

	for (size_t i = 0; i < txn->n_roots && !ret; i++)
		ret = roots_add(out, txn->roots[i], why);
	return ret;
}

int undo_links(struct txn *txn)
{
	AUTO(roots_fini) struct roots roots = {0};
	AUTO_FREE char *why = NULL;
	int ret = undo_roots(txn, &roots, &why), failed;

	if (ret) {
		/* What was below it is gone with it. */
		log_warning("%s: what was linked there is left", why_text(why));
		return ret == -ENOENT ? 0 : ret;
	}
	for (size_t i = 0; i < txn->n_links; i++) {
		if (!txn->links[i].made)
			continue;
		failed = links_take_away(&roots, &txn->links[i]);
		txn->links[i].made = failed;
		ret = ret ?: failed;
	}
	return ret;
}

int undo_read(const struct txn *txn, struct manifest *out, char **why)
{
	AUTO_FREE char *dir = txn_directory(txn, txn->generation);
	AUTO_FREE char *path = dir ? criu_path(dir, CRIU_MANIFEST) : NULL;

	return path ? manifest_file_read(path, out, why) : -ENOMEM;
}

int undo_config(const struct txn *txn, char **why)
{
	int ret = 0;

	if (!txn->external || txn->imported)
		return 0;
	/* Where a keeper was killed at work those of an earlier one may be there. */
	for (unsigned int i = 1; i <= txn->generation && !ret; i++) {
		AUTO(criu_keys_fini) struct criu_keys keys = {0};
		AUTO_FREE char *dir = txn_directory(txn, i);

		ret = dir ? criu_keys_read(dir, &keys, i < txn->generation ? NULL : why)
			  : -ENOMEM;
		if (ret == -ENOENT && i < txn->generation)
			ret = 0;
		else
			ret = ret ?: criu_prepare_end(&keys, why);
	}
	return ret;
}

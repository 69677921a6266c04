/* SPDX-License-Identifier: GPL-2.0-only */
#include "retake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/durable.h"
#include "base/log.h"
#include "base/why.h"
#include "criu/handover.h"
#include "making.h"
#include "restore/clean.h"
#include "transfer.h"
#include "undo.h"

/* What there is, and is to go. */
struct earlier {
	struct manifest manifest; /* owned */
	struct criu_keys keys;	  /* owned */
};

static void earlier_fini(struct earlier *earlier)
{
	manifest_fini(&earlier->manifest);
	criu_keys_fini(&earlier->keys);
}

static int earlier_read(const struct txn *txn, struct earlier *out, char **why)
{
	AUTO_FREE char *dir = txn_directory(txn, txn->generation);
	int ret = undo_read(txn, &out->manifest, why);

	return ret ?: dir ? criu_keys_read(dir, &out->keys, why) : -ENOMEM;
}

/* Begins: on the disk, before anything is made, is that there may be something. */
static int begin(struct making *making, const struct action_wish *wish, char **dir,
		 char **why)
{
	struct txn *txn = making->txn;
	AUTO_FREE char *store = TAKE_PTR(txn->store);
	unsigned int number = txn_last(txn) + 1;
	bool stable = txn->stable;
	int ret;

	*dir = txn_directory(txn, number);
	ret = *dir ? durable_mkdir(*dir, why) : -ENOMEM;
	if (ret)
		return ret;
	making->dir = *dir;
	txn->attempt = number;
	txn->stable = true;
	making_find_store(making, wish);
	txn->stable = stable;
	if (!txn->store)
		txn->store = TAKE_PTR(store);
	return txn_save(txn, why);
}

/* As long as it is made; what there was before counts until it is through. */
static int make(struct making *making, const struct action_wish *wish,
		struct manifest *manifest)
{
	struct txn *txn = making->txn;
	bool stable = txn->stable;
	uint64_t ghosts = txn->ghosts, bytes = txn->ghost_bytes;
	int ret;

	txn->stable = true;
	txn->ghosts = txn->ghost_bytes = 0;
	making_open_store(making, wish);
	ret = making_run(making, wish, manifest);
	txn->stable = stable;
	txn->ghosts = ghosts;
	txn->ghost_bytes = bytes;
	return ret > 0 ? -ECANCELED : ret;
}

/* Removes the names of what does not count any more. Its manifest stays: the folders are its
 * own, and others have names in them. */
static void retire(const struct earlier *earlier)
{
	struct clean_result result = {0};

	clean_all(&earlier->manifest, &result);
	if (result.left)
		log_warning("%zu names that are not needed any more are left: hook clean "
			    "tries again",
			    result.left);
}

int retake(struct txn *txn, const struct action_wish *wish)
{
	AUTO(earlier_fini) struct earlier earlier = {0};
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *why = NULL, *dir = NULL;
	AUTO(making_fini)
	struct making making = {
		.txn = txn,
		.earlier = &earlier.manifest,
		.prepare = {.config = wish->config,
			    .tree = wish->tree,
			    .earlier = {&earlier.manifest, &earlier.keys}}};
	int ret = earlier_read(txn, &earlier, &why), settled;

	ret = ret ?: begin(&making, wish, &dir, &why);
	if (!ret)
		ret = make(&making, wish, &manifest);
	settled = undo_attempt(txn, &why);
	if (!ret && !settled) {
		retire(&earlier);
		making_settle_store(&making, wish, &manifest);
	} else if (txn->store) {
		clean_store_folder(txn->store);
	}
	if (!ret && !settled && wish->images)
		settled = transfer_out(txn, wish->images, &why);
	if (why)
		log_error("%s", why);
	return ret ?: settled;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as what comes with CRIU's images: the images themselves, files.img with as many
 * bytes as the first two say and then remap-fpath.img; or, behind a '{', the state of a
 * transaction. No crash, nothing filled in after a refusal, no path that leads out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/transaction.h"
#include "base/auto.h"
#include "criu/images.h"
#include "manifest/template.h"

#define PROMISE(condition)                                                               \
	do {                                                                             \
		if (!(condition))                                                        \
			abort();                                                         \
	} while (0)

static void try_state(const char *text, size_t size)
{
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	AUTO(txn_fini) struct txn again = TXN_INIT;
	AUTO_FREE char *why = NULL, *written = NULL;
	json_t *root;

	if (txn_parse(text, size, &txn, &why)) {
		PROMISE(why && !txn.n_links && !txn.n_roots && !txn.checkpoint[0]);
		return;
	}
	for (size_t i = 0; i < txn.n_links; i++)
		PROMISE(relink_path_valid(txn.links[i].name));
	root = txn_to_json(&txn);
	written = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	PROMISE(written && !txn_parse(written, strlen(written), &again, NULL));
	PROMISE(again.n_links == txn.n_links && again.generation == txn.generation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(criu_remaps_fini) struct criu_remaps remaps = {0};
	AUTO_FREE char *why = NULL;
	size_t files;

	if (size && data[0] == '{') {
		try_state((const char *)data, size);
		return 0;
	}
	if (size < 2)
		return 0;
	files = data[0] | data[1] << 8;
	if (files > size - 2)
		files = size - 2;
	if (criu_images_parse(data + 2, files, data + 2 + files, size - 2 - files,
			      &remaps, &why)) {
		PROMISE(!remaps.n && !remaps.remaps && why);
		return 0;
	}
	for (size_t i = 0; i < remaps.n; i++) {
		const struct criu_remap *remap = &remaps.remaps[i];

		PROMISE(remap->name[0] && remap->name[0] != '/');
		PROMISE(remap->path[0] && remap->path[0] != '/');
	}
	return 0;
}

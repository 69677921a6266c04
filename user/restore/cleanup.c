/* SPDX-License-Identifier: GPL-2.0-only */
#include "cleanup.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/index.h"
#include "manifest/manifest_file.h"
#include "unfinished.h"

/* Removes what manifest @path tells of. With @id, it has to be that checkpoint's. Where no
 * more is left than @left, it is not to be found any more. */
static int clean_finished(const char *path, const char *id, const char *store,
			  size_t left, struct clean_result *result, char **why)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	int ret = manifest_file_read(path, &manifest, why);

	if (ret)
		return ret;
	if (id && strcmp(id, manifest.id))
		return why_set(why, -ENOENT, "%s is of another checkpoint by now", path);
	manifest.store_at = store;
	clean_all(&manifest, result);
	if (result->left == left)
		index_remove(manifest.id);
	return 0;
}

int clean_checkpoint(const char *path, const char *id, const char *store,
		     struct clean_result *result)
{
	AUTO_FREE char *why = NULL;
	size_t left = result->left;
	/* First, since it tells whether the checkpoint is still at work. */
	int state = unfinished_clean(path, id, result, &why);
	int ret = state < 0 ? state : 0;

	if (ret != -EWOULDBLOCK) {
		AUTO_FREE char *reason = NULL;
		int finished = clean_finished(path, id, store, left, result, &reason);

		/* A checkpoint that was killed has no manifest. */
		if (finished && (finished != -ENOENT || state == UNFINISHED_NONE ||
				 state == UNFINISHED_FINISHED)) {
			log_error("%s", why_text(reason));
			if (state == UNFINISHED_FINISHED)
				log_error("%s.journal said that this checkpoint did "
					  "finish: give clean its manifest, wherever it "
					  "is now",
					  path);
			return finished;
		}
	}
	if (ret)
		log_error("%s", why_text(why));
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "prepare.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "config.h"
#include "handover.h"

void criu_prepare_fini(struct criu_prepare *prepare)
{
	criu_keys_fini(&prepare->keys);
}

/* It has to be found again from any directory. Owned by the caller; NULL. */
static char *absolute(const char *path)
{
	AUTO_FREE char *here = path[0] == '/' ? strdup("") : realpath(".", NULL);
	char *whole;

	if (!here || asprintf(&whole, "%s%s%s", here, here[0] ? "/" : "", path) < 0)
		return NULL;
	return whole;
}

int criu_prepare(struct criu_prepare *prepare, const struct manifest *manifest,
		 char **why)
{
	struct criu_keys *keys = &prepare->keys;
	const struct signposts_earlier *earlier =
		prepare->earlier.manifest ? &prepare->earlier : NULL;
	struct clean_result result = {0};
	int ret = criu_keys_collect(manifest, keys, why);

	keys->others = prepare->others;
	if (!ret && prepare->ghost_bytes > keys->ghost_bytes)
		keys->ghost_bytes = prepare->ghost_bytes;
	ret = ret ?: signposts_plan(prepare->tree, manifest, keys, why);
	if (ret)
		return ret;
	keys->config = absolute(prepare->config);
	if (!keys->config)
		return -ENOMEM;
	/* First, so that clean finds whatever is made after it. */
	ret = criu_keys_write(prepare->images, keys, why);
	if (ret)
		return ret;
	ret = signposts_make(manifest, keys, earlier, why);
	ret = ret
		      ?: criu_config_add(keys->config, keys,
					 earlier ? earlier->keys->id : NULL, why);
	if (!ret && earlier)
		signposts_drop(earlier, keys, &result);
	else if (ret && !earlier)
		criu_prepare_undo(prepare->images, manifest, keys, &result);
	return ret;
}

int criu_prepare_end(const struct criu_keys *keys, char **why)
{
	return keys->config ? criu_config_remove(keys->config, keys->id, why) : 0;
}

void criu_prepare_undo(const char *images, const struct manifest *manifest,
		       const struct criu_keys *keys, struct clean_result *result)
{
	AUTO_FREE char *why = NULL;
	size_t left = result->left;

	if (criu_prepare_end(keys, &why)) {
		log_error("%s", why_text(why));
		result->left++;
	}
	signposts_remove(manifest, keys, result);
	if (result->left == left)
		criu_keys_remove(images);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apart.h"
#include "base/auto.h"
#include "base/interrupt.h"
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
	if (result->left != left)
		return 0;
	index_remove(manifest.id);
	if (!store && manifest_stored(&manifest))
		clean_own_store(&manifest.store);
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

/* The manifest that @path stands for: the journal's name may be given as well. */
static char *manifest_of(const char *path)
{
	static const char suffix[] = ".journal";
	size_t len = strlen(path), end = sizeof(suffix) - 1;

	if (len > end && !strcmp(path + len - end, suffix))
		return strndup(path, len - end);
	return strdup(path);
}

/* A checkpoint that is to be cleaned, see clean_checkpoint(). */
struct wanted {
	const char *path, *id, *store;
};

static int do_wanted(void *data, struct clean_result *result)
{
	const struct wanted *wanted = data;

	return clean_checkpoint(wanted->path, wanted->id, wanted->store, result);
}

static int clean_wanted(const char *path, const char *id, const char *store,
			struct clean_result *result)
{
	struct wanted wanted = {path, id, store};

	return apart_do(path, do_wanted, &wanted, result);
}

int cleanup_path(const char *path, const char *store, struct clean_result *result)
{
	AUTO_FREE char *manifest = manifest_of(path);

	return manifest ? clean_wanted(manifest, NULL, store, result) : -ENOMEM;
}

/* For apart_do(): only whether it answers. What is wrong with it is told by whoever reads it
 * next. */
static int try_index(void *data, struct clean_result *result)
{
	AUTO(index_list_fini) struct index_list list = {0};
	AUTO_FREE char *why = NULL;

	(void)data;
	(void)result;
	index_read(&list, &why);
	return 0;
}

/* Whether the index answers, where there is a deadline: it is read by us then. 0; -ETIMEDOUT. */
static int await_index(struct clean_result *result)
{
	return interrupt_is_timed() ? apart_do(index_directory(), try_index, NULL, result)
				    : 0;
}

int cleanup_id(const char *id, struct clean_result *result)
{
	AUTO_FREE char *path = NULL;
	int ret = await_index(result);

	if (ret)
		return ret;
	ret = index_find(id, &path);
	if (!ret)
		return clean_wanted(path, id, NULL, result);
	if (ret == -ENOENT) {
		log_warning(
			"no checkpoint %s is known in %s: it was cleaned or restored, "
			"or made on another machine",
			id, index_directory());
		return 0;
	}
	log_error("cannot read %s: %s", index_directory(), strerror(-ret));
	return ret;
}

int cleanup_expired(long age, struct clean_result *result)
{
	AUTO(index_list_fini) struct index_list list = {0};
	AUTO_FREE char *why = NULL;
	time_t before = time(NULL) - age;
	int ret = await_index(result), first = 0;
	size_t n = 0;

	if (ret)
		return ret;
	ret = index_read(&list, &why);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	while (n < list.n && list.entries[n].created <= before)
		n++;
	/* The latest first: where a folder for the names has no mark (preserve/mark.h), it goes
	 * with the one that made it, which is the first that had a name in it. */
	while (n--) {
		ret = clean_wanted(list.entries[n].manifest, list.entries[n].id, NULL,
				   result);
		first = first ?: ret;
	}
	return first;
}

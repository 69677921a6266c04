/* SPDX-License-Identifier: GPL-2.0-only */
#include "order.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "checkpoint/checkpoint.h"
#include "handover.h"
#include "manifest/manifest_file.h"
#include "manifest/template.h"
#include "prepare.h"
#include "preserve/depot.h"
#include "restore/clean.h"
#include "restore/cleanup.h"
#include "restore/restore.h"
#include "rootstore.h"
#include "signposts.h"

void criu_outcome_fini(struct criu_outcome *outcome)
{
	criu_keys_fini(&outcome->keys);
}

/* Preserves what @target holds, as @wish says, and does what that is for, of which @keys
 * are. */
static int run_frozen(const struct criu_order *order, struct checkpoint_wish *wish,
		      const struct target *target, struct criu_keys *keys,
		      struct criu_outcome *out)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	int ret;

	if (!wish->manifest)
		return -ENOMEM;
	wish->template = TEMPLATE_DEFAULT;
	wish->freeze = true;
	wish->precopy = order->precopy;
	if (order->store)
		wish->store = order->store;
	wish->store_mounts = order->store_mounts;
	wish->store_rest = true;
	ret = checkpoint_run(wish, target, &manifest);
	if (ret > 0)
		checkpoint_undo(wish->manifest, &manifest);
	if (ret)
		return ret > 0 ? -ECANCELED : ret;
	out->preserved = manifest.n_entries + manifest.n_failed - keys->n_left;
	out->keys = *keys;
	*keys = (struct criu_keys){0};
	return 0;
}

/* What is done inside of the freeze. */
static int dump_inside(const struct manifest *manifest, void *data)
{
	AUTO_FREE char *why = NULL, *dir = NULL;

	if (asprintf(&dir, "%s%s", cgroup_mount(), manifest->cgroup) < 0)
		dir = NULL;
	if (dir && !criu_dump(data, manifest, dir, &why))
		return 0;
	log_error("%s; what was preserved is removed again", why_text(why));
	return 1;
}

/* What needs no freeze of ours. */
static int dump_alone(const struct manifest *manifest, void *data, char **why)
{
	return criu_dump_alone(data, manifest, why);
}

/* And when it goes on, which is where it may. */
static int dump_after(const struct manifest *manifest, void *data)
{
	AUTO_FREE char *why = NULL;

	if (!criu_dump_settle(data, manifest, &why))
		return 0;
	log_error("%s; what was preserved is removed again", why_text(why));
	return 1;
}

int criu_order_dump(const struct criu_order *order, const struct target *target,
		    struct criu_outcome *out)
{
	AUTO_FREE char *path = criu_path(order->images, CRIU_MANIFEST);
	AUTO(criu_dump_fini)
	struct criu_dump dump = {
		CRIU_DUMP_INIT, .images = order->images, .tree = order->tree,
		.leave_running = order->leave_running, .extra = order->extra};
	struct checkpoint_wish wish = {
		.manifest = path,
		.preserve.stop = !order->leave_running,
		.inside = dump_inside,
		/* What ends with the dump must not be its only copy. */
		.late = order->leave_running,
		.alone = order->leave_running ? dump_alone : NULL,
		.tree = order->tree,
		.after = dump_after,
		.data = &dump,
	};

	criu_dump_begin(&dump);
	return run_frozen(order, &wish, target, &dump.keys, out);
}

int criu_order_restore(const struct criu_order *order)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *path = criu_path(order->images, CRIU_MANIFEST), *why = NULL;
	int ret = path ? manifest_file_read(path, &manifest, &why) : -ENOMEM;

	manifest.store_at = order->store;
	ret = ret ?: criu_keys_read(order->images, &keys, &why);
	ret = ret
		      ?: criu_restore(order->images, &manifest, &keys, order->keep,
				      order->extra, &why);
	if (ret) {
		log_error("%s; no name was removed", why_text(why));
		return ret;
	}
	if (!order->keep)
		restore_unlink(&manifest, 0);
	return 0;
}

/* What a runtime's dump is prepared with. */
struct preparing {
	struct criu_prepare prepare;
	const struct criu_order *order;
	const char *path; /* of the manifest */
	char *store;	  /* in the container's own root; owned; NULL none */
	char *storeless;  /* why there is none; owned */
};

static void preparing_fini(struct preparing *preparing)
{
	criu_prepare_fini(&preparing->prepare);
	free(preparing->store);
	free(preparing->storeless);
}

/* Where what does not travel with the checkpoint goes by itself. */
static void find_store(struct preparing *preparing)
{
	const struct criu_order *order = preparing->order;
	AUTO(depot_fini) struct depot depot = DEPOT_INIT;
	AUTO_FREE char *path = NULL;

	if (order->store || order->no_store || !preparing->path ||
	    rootstore_find(order->tree, &path, &preparing->storeless) ||
	    depot_try(&depot, path, &order->store_mounts, preparing->path,
		      &preparing->storeless))
		return;
	preparing->store = TAKE_PTR(path);
}

static int prepare_inside(const struct manifest *manifest, void *data)
{
	struct preparing *inside = data;
	struct clean_result result = {0};
	AUTO_FREE char *why = NULL;
	int ret = criu_prepare(&inside->prepare, manifest, &why);

	if (inside->storeless)
		rootstore_tell_missed(manifest, inside->storeless);
	if (!ret && inside->order->frozen) {
		ret = inside->order->frozen(inside->path, inside->order->data, &why);
		if (ret)
			criu_prepare_undo(inside->prepare.images, manifest,
					  &inside->prepare.keys, &result);
		else
			ret = criu_prepare_end(&inside->prepare.keys, &why);
	}
	if (!ret)
		return 0;
	log_error("%s; what was preserved is removed again", why_text(why));
	return 1;
}

int criu_order_prepare(const struct criu_order *order, const struct target *target,
		       struct criu_outcome *out)
{
	AUTO_FREE char *path = criu_path(order->images, CRIU_MANIFEST);
	AUTO(preparing_fini)
	struct preparing data = {
		.prepare = {.images = order->images,
			    .config = order->config ?: CRIU_RUNC_CONFIG,
			    .tree = order->tree},
		.order = order,
		.path = path,
	};
	struct checkpoint_wish wish = {
		.manifest = path,
		.store_sparing = !order->store,
		.inside = prepare_inside,
		.data = &data,
	};

	find_store(&data);
	wish.store = data.store;
	wish.store_own = data.store != NULL;
	wish.storeless = data.store ? &data.storeless : NULL;
	return run_frozen(order, &wish, target, &data.prepare.keys, out);
}

/* Where no dump was prepared to its end there may be no keys. */
static int clean_prepared(const struct criu_order *order, const char *path,
			  struct clean_result *result)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *why = NULL;
	int ret = manifest_file_read(path, &manifest, &why);

	if (ret == -ENOENT && !order->roots.n)
		return clean_checkpoint(path, NULL, NULL, result);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	manifest.roots = order->roots.n ? &order->roots : NULL;
	if (!criu_keys_read(order->images, &keys, &why)) {
		signposts_remove(&manifest, &keys, result);
		ret = order->roots.n ? 0 : criu_prepare_end(&keys, &why);
	} else {
		log_warning("%s", why_text(why));
	}
	if (ret)
		log_error("%s", why_text(why));
	if (!order->roots.n)
		return clean_checkpoint(path, NULL, NULL, result) ?: ret;
	signposts_clean(&manifest, result);
	return ret;
}

int criu_order_clean(struct criu_order *order, struct clean_result *result)
{
	AUTO_FREE char *path = criu_path(order->images, CRIU_MANIFEST);

	order->roots.in_use = true;
	return path ? clean_prepared(order, path, result) : -ENOMEM;
}

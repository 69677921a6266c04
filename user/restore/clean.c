/* SPDX-License-Identifier: GPL-2.0-only */
#include "clean.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apart.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "den.h"
#include "locate.h"
#include "restore.h"
#include "roots.h"
#include "base/log.h"
#include "base/why.h"
#include "preserve/beneath.h"

struct relink_identity clean_identity(const struct manifest *manifest,
				      const struct manifest_entry *entry)
{
	struct relink_identity identity = relink_identity_of(entry);

	/* A store that was put into a restored root is what its programs write to. */
	identity.moved =
		manifest->roots &&
		(!entry->store || (manifest->store_at && manifest->roots->in_use));
	identity.in_use = identity.moved && manifest->roots->in_use;
	identity.movable = entry->store;
	identity.mode = entry->orphan.mode & 07777;
	identity.uid = entry->orphan.uid;
	identity.gid = entry->orphan.gid;
	identity.size = entry->relinked.size;
	identity.has_mtime = entry->relinked.has_mtime;
	identity.mtime = entry->relinked.mtime;
	return identity;
}

void clean_entry_of(const struct manifest *manifest, const struct manifest_entry *entry,
		    const struct relink_identity *identity, struct clean_result *result)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FREE char *why = NULL;
	int ret;

	if (!entry->relink_path)
		return;
	ret = locate_entry(manifest, entry, entry->relink_path, &located, &why);
	if (ret) {
		log_error("orphan%u is left: %s", entry->n, why_text(why));
		result->left++;
		return;
	}
	ret = relink_remove(located.root_fd, located.path, identity, &why);
	if (!ret) {
		result->removed++;
	} else if (ret == -ENOENT) {
		result->absent++;
	} else {
		log_error("orphan%u is left: %s", entry->n, why_text(why));
		result->left++;
	}
}

void clean_entry(const struct manifest *manifest, const struct manifest_entry *entry,
		 struct clean_result *result)
{
	struct relink_identity identity = clean_identity(manifest, entry);

	clean_entry_of(manifest, entry, &identity, result);
}

static void clean_folder(const struct manifest *manifest,
			 const struct manifest_folder *folder)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	int ret;

	if (locate_folder(manifest, folder, &located, NULL))
		return;
	/* In a store that was moved it has another number; but its name is the
	 * checkpoint's id, which nobody else takes. */
	ret = relink_remove_folder(located.root_fd, located.path,
				   manifest->roots || folder->store ? 0 : folder->ino);
	/* Somebody else's files in it, or another folder: not ours to remove. */
	if (ret && ret != -ENOENT && ret != -ENOTEMPTY && ret != -ESTALE)
		log_warning("folder %s on the filesystem of %s is left: %s", folder->path,
			    folder->mount_point ? folder->mount_point : "a lost mount",
			    strerror(-ret));
}

/* For qsort(). */
static int compare_folders(const void *left, const void *right)
{
	const struct manifest_folder *const *a = left, *const *b = right;

	return beneath_inner_first((*a)->path, (*b)->path);
}

/* Whatever their order: one that another checkpoint made may be written down after what was
 * made in it. */
static void clean_folders(const struct manifest *manifest)
{
	AUTO_FREE const struct manifest_folder **sorted =
		calloc(manifest->n_folders ?: 1, sizeof(*sorted));

	if (!sorted) {
		log_warning("no memory: folders are left");
		return;
	}
	for (size_t i = 0; i < manifest->n_folders; i++)
		sorted[i] = &manifest->folders[i];
	qsort(sorted, manifest->n_folders, sizeof(*sorted), compare_folders);
	for (size_t i = 0; i < manifest->n_folders; i++)
		clean_folder(manifest, sorted[i]);
}

/* Whether the names of both were in one folder. */
static bool is_beside(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->store == b->store && a->orphan.mnt_id == b->orphan.mnt_id &&
	       a->orphan.dev_major == b->orphan.dev_major &&
	       a->orphan.dev_minor == b->orphan.dev_minor &&
	       beneath_same_parent(a->relink_path, b->relink_path);
}

/* A name that is gone is back after a power failure until its folder is on the disk. What
 * tells of it may be gone for good by then, being on another one. */
static void sync_entry(const struct manifest *manifest,
		       const struct manifest_entry *entry, struct clean_result *result)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	int ret;

	if (locate_entry(manifest, entry, entry->relink_path, &located, NULL))
		return;
	ret = beneath_sync_parent(located.root_fd, located.path);
	if (!ret)
		return;
	log_error("orphan%u: that %s is gone did not come to the disk: %s", entry->n,
		  located.path, strerror(-ret));
	result->left++;
}

static void clean_entries(const struct manifest *manifest, clean_fn remove, void *data,
			  struct clean_result *result)
{
	const struct manifest_entry *last = NULL; /* removed, and not yet on the disk */

	for (size_t i = 0; i < manifest->n_entries; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		size_t removed = result->removed;

		if (!entry->relink_path)
			continue;
		if (last && !is_beside(last, entry))
			sync_entry(manifest, TAKE_PTR(last), result);
		remove(manifest, entry, data, result);
		if (result->removed > removed)
			last = entry;
	}
	if (last)
		sync_entry(manifest, last, result);
}

static void sync_folders(const struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->n_folders; i++) {
		const struct manifest_folder *folder = &manifest->folders[i];
		AUTO(located_fini) struct located located = LOCATED_INIT;

		/* An empty one that comes back takes no room. */
		if (!locate_folder(manifest, folder, &located, NULL))
			beneath_sync_parent(located.root_fd, located.path);
	}
}

/* @half_made: what a restore has left so, too. */
static void clean_here(const struct manifest *manifest, clean_fn remove, void *data,
		       bool half_made, struct clean_result *result)
{
	size_t removed = result->removed;

	clean_entries(manifest, remove, data, result);
	if (half_made)
		result->left += den_clean(manifest);
	/* As long as another holder's files are in them, they stay. */
	clean_folders(manifest);
	if (result->removed > removed)
		sync_folders(manifest);
}

/* For clean_here(): of all holders. */
static void clean_any(const struct manifest *manifest, const struct manifest_entry *entry,
		      void *data, struct clean_result *result)
{
	(void)data;
	clean_entry(manifest, entry, result);
}

/* For clean_here(): of one holder, whose pid @data points to. */
static void clean_if_held(const struct manifest *manifest,
			  const struct manifest_entry *entry, void *data,
			  struct clean_result *result)
{
	const pid_t *holder = data;

	if (restore_is_of(entry, *holder))
		clean_entry(manifest, entry, result);
}

void clean_held(const struct manifest *manifest, pid_t holder,
		struct clean_result *result)
{
	clean_here(manifest, clean_if_held, &holder, false, result);
}

void clean_by(const struct manifest *manifest, clean_fn remove, void *data,
	      struct clean_result *result)
{
	clean_here(manifest, remove, data, false, result);
}

static struct share share_of_store(const struct manifest *manifest)
{
	return (struct share){
		.store = true,
		.dev_major = manifest->store.dev_major,
		.dev_minor = manifest->store.dev_minor,
		.point = manifest->store_at ? manifest->store_at : manifest->store.path,
	};
}

/* What has no name and is in the store was made again on its mount first. */
static struct share share_of_entry(const struct manifest *manifest,
				   const struct manifest_entry *entry)
{
	struct share share = {
		.dev_major = entry->orphan.dev_major,
		.dev_minor = entry->orphan.dev_minor,
		.point = entry->orphan.mnt_point,
	};

	if (entry->store && entry->relink_path)
		share = share_of_store(manifest);
	share.names = entry->relink_path != NULL;
	return share;
}

static struct share share_of_folder(const struct manifest *manifest,
				    const struct manifest_folder *folder)
{
	if (folder->store)
		return share_of_store(manifest);
	return (struct share){
		.dev_major = folder->dev_major,
		.dev_minor = folder->dev_minor,
		.point = folder->mount_point,
	};
}

/* For apart_run(): the entries and folders of @share alone, whose contents are still those
 * of the manifest. */
static void clean_share(const struct share *share, struct clean_result *result,
			void *data)
{
	const struct manifest *manifest = data;
	struct manifest part = *manifest;

	part.entries = calloc(manifest->n_entries + 1, sizeof(*part.entries));
	part.folders = calloc(manifest->n_folders + 1, sizeof(*part.folders));
	part.n_entries = part.n_folders = 0;
	if (!part.entries || !part.folders)
		_exit(EXIT_FAILURE);
	for (size_t i = 0; i < manifest->n_entries; i++) {
		struct share its = share_of_entry(manifest, &manifest->entries[i]);

		if (share_same(&its, share))
			part.entries[part.n_entries++] = manifest->entries[i];
	}
	for (size_t i = 0; i < manifest->n_folders; i++) {
		struct share its = share_of_folder(manifest, &manifest->folders[i]);

		if (share_same(&its, share))
			part.folders[part.n_folders++] = manifest->folders[i];
	}
	clean_here(&part, clean_any, NULL, true, result);
	free(part.entries);
	free(part.folders);
}

void clean_all(const struct manifest *manifest, struct clean_result *result)
{
	AUTO(shares_fini) struct shares shares = {0};

	if (!interrupt_is_timed()) {
		clean_here(manifest, clean_any, NULL, true, result);
		return;
	}
	for (size_t i = 0; i < manifest->n_entries; i++) {
		struct share share = share_of_entry(manifest, &manifest->entries[i]);

		shares_add(&shares, &share);
	}
	for (size_t i = 0; i < manifest->n_folders; i++) {
		struct share share = share_of_folder(manifest, &manifest->folders[i]);

		shares_add(&shares, &share);
	}
	apart_run(&shares, clean_share, (void *)manifest, result);
}

void clean_store_folder(const char *path)
{
	/* Another checkpoint may have copies there. */
	if (rmdir(path) && errno != ENOENT && errno != ENOTEMPTY && errno != ENOTDIR)
		log_warning("%s is left: %s", path, strerror(errno));
}

void clean_own_store(const struct store *store)
{
	if (store->path && store->own)
		clean_store_folder(store->path);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "undo.h"

#include <errno.h>
#include <string.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "relink.h"

/* 0, also where it is gone; -errno with the reason. */
static int remove_name(const struct folder *folder, const struct manifest_entry *entry,
		       char **why)
{
	struct relink_identity identity = relink_identity_of(entry);
	int ret = relink_remove(folder->root_fd, entry->relink_path, &identity, why);

	return ret == -ENOENT ? 0 : ret;
}

void undo_entry(struct preserve *preserve, const struct manifest_entry *entry)
{
	struct folder *folder =
		folder_set_find(&preserve->folders, entry->store, entry->orphan.mnt_id);
	AUTO_FREE char *why = NULL;

	if (!entry->relink_path || !folder || !remove_name(folder, entry, &why))
		return;
	log_error("name %s on the mount at %s is left: %s", entry->relink_path,
		  folder->mount.point, why_text(why));
	preserve->left++;
}

int undo_add_failed(struct manifest *manifest, struct manifest_entry *entry, int error,
		    const char *text)
{
	AUTO(manifest_failed_fini)
	struct manifest_failed failed = {
		.n = entry->n, .orphan = entry->orphan, .error = -error};

	entry->orphan = (struct orphan){0};
	why_set(&failed.text, 0, "%s%s", text, advice(error));
	return failed.text ? manifest_add_failed(manifest, &failed) : -ENOMEM;
}

int undo_unnamed(struct manifest *manifest, struct manifest_entry *entry, int error,
		 const char *text)
{
	int ret = undo_add_failed(manifest, entry, error, text);

	/* Without a number it is not counted any more. */
	if (!ret)
		manifest_entry_fini(entry);
	return ret;
}

/* @what of @entry in @folder may not be on the disk (@error). */
static int fail_entry(struct preserve *preserve, const struct folder *folder,
		      struct manifest_entry *entry, const char *what, int error)
{
	AUTO_FREE char *text = NULL;

	why_set(&text, 0, "%s may not be on the disk: %s", what, strerror(-error));
	if (!text)
		return -ENOMEM;
	if (entry->relink_path && remove_name(folder, entry, NULL)) {
		preserve->n_volatile++;
		free(entry->not_carried);
		entry->not_carried = TAKE_PTR(text);
		return 0;
	}
	return undo_unnamed(preserve->manifest, entry, error, text);
}

void undo_drop_failed(struct manifest *manifest)
{
	size_t n = 0;

	for (size_t i = 0; i < manifest->n_entries; i++)
		if (manifest->entries[i].n)
			manifest->entries[n++] = manifest->entries[i];
	manifest->n_entries = n;
}

static int fail_folder(struct preserve *preserve, const struct folder *folder, int error)
{
	struct manifest *manifest = preserve->manifest;
	int ret = 0;

	log_error("cannot bring the names on the mount at %s to the disk: %s%s",
		  folder->mount.point, strerror(-error), advice(error));
	for (size_t i = 0; i < manifest->n_entries && !ret; i++) {
		struct manifest_entry *entry = &manifest->entries[i];

		if (entry->relink_path &&
		    folder == folder_set_find(&preserve->folders, entry->store,
					      entry->orphan.mnt_id))
			ret = fail_entry(preserve, folder, entry, "its name", error);
	}
	undo_drop_failed(manifest);
	return ret;
}

/* For unsynced_sync(). */
static int fail_file(unsigned int n, int error, void *data)
{
	struct preserve *preserve = data;
	struct manifest *manifest = preserve->manifest;

	for (size_t i = 0; i < manifest->n_entries; i++) {
		struct manifest_entry *entry = &manifest->entries[i];

		if (entry->n == n)
			return fail_entry(preserve,
					  folder_set_find(&preserve->folders,
							  entry->store,
							  entry->orphan.mnt_id),
					  entry, "its copy", error);
	}
	return 0;
}

int undo_unsynced(struct preserve *preserve)
{
	int ret = unsynced_sync(&preserve->unsynced, fail_file, preserve);

	undo_drop_failed(preserve->manifest);
	return ret;
}

static int sync_or_fail(struct preserve *preserve, const struct folder *folder)
{
	int error = folder_sync(folder);

	return error ? fail_folder(preserve, folder, error) : 0;
}

int undo_volatile(struct preserve *preserve)
{
	const struct folder_set *set = &preserve->folders;
	int ret = set->store ? sync_or_fail(preserve, set->store) : 0;

	for (size_t i = 0; i < set->n && !ret; i++)
		ret = sync_or_fail(preserve, set->folders[i]);
	return ret;
}

/* Removes all names and then, inner ones first, the folders. */
size_t preserve_undo(struct preserve *preserve)
{
	const struct manifest *manifest = preserve->manifest;

	if (preserve->kept || !manifest)
		return 0;
	preserve->kept = true;
	for (size_t i = 0; i < manifest->n_entries; i++)
		undo_entry(preserve, &manifest->entries[i]);
	for (size_t i = manifest->n_folders; i-- > 0;) {
		const struct manifest_folder *made = &manifest->folders[i];
		const struct folder *folder =
			folder_set_find(&preserve->folders, made->store, made->mnt_id);
		int ret = folder ? relink_remove_folder(folder->root_fd, made->path,
							made->ino)
				 : -ENOENT;

		/* Another checkpoint may have put its names there meanwhile. */
		if (ret && ret != -ENOENT && ret != -ENOTEMPTY && ret != -ESTALE)
			folder_litter(&preserve->folders, folder, made->path, ret);
	}
	return preserve->left + preserve->folders.n_litter;
}

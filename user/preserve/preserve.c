/* SPDX-License-Identifier: GPL-2.0-only */
#include "preserve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "ladder.h"
#include "base/log.h"
#include "relink.h"
#include "source.h"
#include "manifest/template.h"
#include "base/why.h"

void preserve_begin(struct preserve *preserve, const struct preserve_options *options,
		    struct manifest *manifest)
{
	*preserve =
		(struct preserve){.options = *options, .manifest = manifest, .next_n = 1};
}

/* Opens @orphan through @holder, and the folder on its mount when @out_folder wants it.
 */
static int reach_through(struct preserve *preserve, const struct orphan *orphan,
			 const struct holder *holder, struct source *out_source,
			 struct folder **out_folder, char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	char path[RELINK_PATH_MAX];
	int ret = source_open(orphan, holder, &source);

	if (ret)
		return why_set(why, ret, "process %d (%s): %s", holder->pid,
			       holder_kind_name(holder->kind),
			       ret == -ESTALE ? "holds another file by now"
					      : strerror(-ret));
	if (out_folder) {
		ret = template_expand(preserve->manifest->template,
				      preserve->manifest->ktime, preserve->next_n, path);
		ret = ret
			      ?: folder_set_get(&preserve->folders, preserve->manifest,
						orphan->mnt_id, holder, path, out_folder,
						why);
		if (ret)
			return ret;
	}
	*out_source = source;
	source.fd = -1;
	return 0;
}

/* The same through any holder: fds first, since what they lead to is best known. */
static int reach(struct preserve *preserve, const struct orphan *orphan,
		 struct source *source, struct folder **folder, char **why)
{
	static const enum rt_holder_kind kinds[] = {RT_HOLDER_FD, RT_HOLDER_MAP,
						    RT_HOLDER_CWD, RT_HOLDER_ROOT,
						    RT_HOLDER_EXE};
	int ret = why_set(
		why, -ESTALE, "%s, so nothing leads to it",
		orphan->n_holders
			? "it is only in flight over a socket, or registered with an "
			  "io_uring"
			: "nobody is found to hold it");

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		for (size_t i = 0; i < orphan->n_holders; i++) {
			const struct holder *holder = &orphan->holders[i];

			if (holder->kind != kinds[kind])
				continue;
			ret = reach_through(preserve, orphan, holder, source, folder,
					    why);
			if (!ret || ret == -ENOMEM || interrupt_pending())
				return ret;
		}
	}
	return ret;
}

/* What the filesystem says now is truer than what the scan was told. */
static void refresh(struct orphan *orphan, const struct stat *st)
{
	orphan->mode = st->st_mode;
	orphan->uid = st->st_uid;
	orphan->gid = st->st_gid;
	orphan->rdev_major = major(st->st_rdev);
	orphan->rdev_minor = minor(st->st_rdev);
	orphan->size = st->st_size;
	orphan->allocated = st->st_blocks * 512ULL;
}

/* The root of the orphan's mount, for restore to find it again; a mount that is out of
 * sight stays NULL. */
static int record_mount(struct manifest_entry *entry, const struct source *source)
{
	AUTO(mount_fini) struct mount mount = {0};
	int ret = mount_find(source->holder->pid, entry->orphan.mnt_id, &mount);

	if (ret)
		return ret == -ENOMEM ? ret : 0;
	entry->mount_root = TAKE_PTR(mount.root);
	if (!entry->orphan.mnt_point)
		entry->orphan.mnt_point = TAKE_PTR(mount.point);
	return 0;
}

/* Fills @entry, whose n and orphan are set. */
static int preserve_entry(struct preserve *preserve, struct manifest_entry *entry,
			  char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	enum method methods[LADDER_STEPS];
	size_t n = ladder_methods(&entry->orphan, preserve->options.method, methods);
	struct folder *folder = NULL;
	struct ladder ladder = {
		.manifest = preserve->manifest,
		.next_n = &preserve->next_n,
		.stop = preserve->options.stop,
		.source = &source,
		.entry = entry,
	};
	const enum method *first = methods;
	int ret = reach(preserve, &entry->orphan, &source,
			methods[0] == METHOD_RECREATE ? NULL : &folder, why);

	if (ret && n > 1 && methods[1] == METHOD_RECREATE) {
		/* No folder for a link, but none is needed to be made again. */
		if (manifest_add_step(entry, METHOD_LINK, -ret, why_text(*why)))
			return -ENOMEM;
		first = &methods[1];
		n = 1;
		ret = reach(preserve, &entry->orphan, &source, NULL, why);
	}
	if (ret)
		return ret;
	refresh(&entry->orphan, &source.stat);
	ladder.folder = folder;
	ret = record_mount(entry, &source);
	if (!ret && folder && !entry->mount_root)
		entry->mount_root = strdup(folder->mount.root);
	return ret ?: ladder_climb(&ladder, first, n, why);
}

/* Removes the name of @entry, which did not come into the manifest. */
static void entry_undo(struct preserve *preserve, const struct manifest_entry *entry)
{
	struct folder *folder = folder_set_find(&preserve->folders, entry->orphan.mnt_id);
	struct relink_identity identity = {
		.type = entry->orphan.mode & S_IFMT,
		.ino = entry->relinked.ino,
		.has_generation = entry->relinked.has_generation,
		.generation = entry->relinked.generation,
	};
	AUTO_FREE char *why = NULL;
	int ret;

	if (!entry->relink_path || !folder)
		return;
	ret = relink_remove(folder->root_fd, entry->relink_path, &identity, &why);
	if (ret && ret != -ENOENT)
		log_error("name %s on the mount at %s is left: %s", entry->relink_path,
			  folder->mount.point, why_text(why));
}

static int add_failed(struct preserve *preserve, struct manifest_entry *entry, int error,
		      char **why)
{
	AUTO(manifest_failed_fini)
	struct manifest_failed failed = {
		.n = entry->n, .orphan = entry->orphan, .error = -error};

	entry->orphan = (struct orphan){0};
	failed.text = *why ? TAKE_PTR(*why) : strdup(strerror(-error));
	if (!failed.text)
		return -ENOMEM;
	return manifest_add_failed(preserve->manifest, &failed);
}

static int preserve_one(struct preserve *preserve, struct orphan *orphan)
{
	AUTO(manifest_entry_fini)
	struct manifest_entry entry = {.n = preserve->next_n++, .orphan = *orphan};
	AUTO_FREE char *why = NULL;
	int ret;

	*orphan = (struct orphan){.mnt_id = -1};
	ret = preserve_entry(preserve, &entry, &why);
	if (ret == -EINTR || ret == -ENOMEM || interrupt_pending()) {
		entry_undo(preserve, &entry);
		return ret == -ENOMEM ? ret : -EINTR;
	}
	if (ret)
		return add_failed(preserve, &entry, ret, &why);
	ret = manifest_add_entry(preserve->manifest, &entry);
	if (ret)
		entry_undo(preserve, &entry);
	return ret;
}

int preserve_all(struct preserve *preserve, struct orphan_set *set)
{
	int ret = 0;

	for (size_t i = 0; i < set->n && !ret; i++)
		ret = interrupt_pending() ? -EINTR
					  : preserve_one(preserve, &set->orphans[i]);
	if (ret == -EINTR)
		log_error("interrupted: the names that were made are removed again");
	else if (ret)
		log_error("cannot preserve: %s", strerror(-ret));
	if (ret)
		return ret;
	ret = folder_set_sync(&preserve->folders);
	if (ret)
		log_error("cannot bring the names to the disk: %s", strerror(-ret));
	preserve->manifest->complete = set->complete && !preserve->manifest->n_failed;
	return ret;
}

void preserve_keep(struct preserve *preserve)
{
	preserve->kept = true;
}

/* Removes all names and then, inner ones first, the folders. */
static void preserve_undo(struct preserve *preserve)
{
	const struct manifest *manifest = preserve->manifest;

	for (size_t i = 0; i < manifest->n_entries; i++)
		entry_undo(preserve, &manifest->entries[i]);
	for (size_t i = manifest->n_folders; i-- > 0;) {
		const struct manifest_folder *made = &manifest->folders[i];
		struct folder *folder = folder_set_find(&preserve->folders, made->mnt_id);
		int ret = folder ? relink_remove_folder(folder->root_fd, made->path,
							made->ino)
				 : -ENOENT;

		/* Another checkpoint may have put its names there meanwhile. */
		if (ret && ret != -ENOENT && ret != -ENOTEMPTY)
			log_error("cannot remove folder %s on the mount at %s: %s",
				  made->path, folder->mount.point, strerror(-ret));
	}
}

void preserve_fini(struct preserve *preserve)
{
	if (!preserve->kept && preserve->manifest)
		preserve_undo(preserve);
	folder_set_fini(&preserve->folders);
	*preserve = (struct preserve){0};
}

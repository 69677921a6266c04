/* SPDX-License-Identifier: GPL-2.0-only */
#include "unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/index.h"
#include "journal/journal_file.h"
#include "locate.h"
#include "manifest/manifest_file.h"
#include "preserve/beneath.h"

/* Finds the store of @name, of a manifest at @path. */
static int find_store(const struct journal_place *place, const struct journal_name *name,
		      const char *path, struct located *located, char **why)
{
	AUTO_FREE char *copy = strdup(path);
	int fd = copy ? locate_store(&place->store, dirname(copy), why) : -ENOMEM;

	if (fd < 0)
		return fd;
	located->root_fd = fd;
	snprintf(located->path, sizeof(located->path), "%s", name->path);
	return 0;
}

/* Finds the mount, or the store, of @name; the manifest is to be at @path. */
static int find(const struct journal *journal, const struct journal_name *name,
		const char *path, struct located *located, char **why)
{
	const struct journal_place *place = &journal->places[name->place];
	struct manifest manifest = {0};
	struct manifest_folder folder = {
		.dev_major = place->dev_major,
		.dev_minor = place->dev_minor,
		.mount_point = place->mount_point,
		.mount_root = place->mount_root,
		.path = name->path,
		.pid = place->pid,
		.start_time = place->start_time,
		.mnt_id = place->mnt_id,
	};

	memcpy(folder.fsid, place->fsid, sizeof(folder.fsid));
	if (place->store.path)
		return find_store(place, name, path, located, why);
	memcpy(manifest.boot_id, journal->boot_id, sizeof(manifest.boot_id));
	return locate_folder(&manifest, &folder, located, why);
}

/* What has the checkpoint's id in its name: its number was not known yet. */
static int remove_own(const struct located *located, const struct journal_name *name,
		      char **why)
{
	AUTO_FD parent = -1;
	const char *last;
	struct stat st;

	parent = beneath_open_parent(located->root_fd, located->path, &last);
	if (parent < 0)
		return parent;
	if (fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if ((st.st_mode & S_IFMT) != name->identity.type || st.st_uid != geteuid())
		return why_set(why, -ESTALE, "%s is another file than the one recorded",
			       located->path);
	if (unlinkat(parent, last, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0))
		return why_set(why, -errno, "cannot remove %s: %m", located->path);
	return 0;
}

static int remove_name(const struct located *located, const struct journal_name *name,
		       char **why)
{
	int ret;

	if (!name->has_ino)
		return remove_own(located, name, why);
	if (!S_ISDIR(name->identity.type))
		return relink_remove(located->root_fd, located->path, &name->identity,
				     why);
	ret = relink_remove_folder(located->root_fd, located->path, name->identity.ino);
	/* Somebody else's names in it, or another folder: not ours to remove. */
	if (ret == -ENOTEMPTY || ret == -ESTALE)
		return -ENOENT;
	return ret ? why_set(why, ret, "cannot remove folder %s: %s", located->path,
			     strerror(-ret))
		   : 0;
}

/* Whether it was there, and is removed. */
static bool clean_name(const struct journal *journal, const struct journal_name *name,
		       const char *path, struct clean_result *result)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FREE char *why = NULL;
	int ret = find(journal, name, path, &located, &why);

	if (!ret)
		ret = remove_name(&located, name, &why);
	else if (ret == -ENOENT)
		ret = -ENODEV; /* the mount, not the name */
	if (!ret && !S_ISDIR(name->identity.type))
		result->removed++;
	/* Another file has the name: ours never came there, or is gone. */
	if (!ret || ret == -ENOENT || (ret == -ESTALE && name->has_ino))
		return !ret;
	log_error("name %s is left: %s", name->path, why_text(why));
	result->left++;
	return false;
}

/* The journal may be gone for good before the names are: see clean_all(). */
static void sync_name(const struct journal *journal, const struct journal_name *name,
		      const char *path, struct clean_result *result)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	int ret;

	if (find(journal, name, path, &located, NULL))
		return;
	ret = beneath_sync_parent(located.root_fd, located.path);
	if (!ret)
		return;
	log_error("that %s is gone did not come to the disk: %s", located.path,
		  strerror(-ret));
	result->left++;
}

static bool manifest_has(const struct manifest *manifest, const char *path)
{
	for (size_t i = 0; i < manifest->n_entries; i++)
		if (manifest->entries[i].relink_path &&
		    !strcmp(manifest->entries[i].relink_path, path))
			return true;
	return false;
}

static struct share share_of(const struct journal_place *place)
{
	return (struct share){
		.store = place->store.path,
		.dev_major =
			place->store.path ? place->store.dev_major : place->dev_major,
		.dev_minor =
			place->store.path ? place->store.dev_minor : place->dev_minor,
		.point = place->store.path ? place->store.path : place->mount_point,
	};
}

/* What clean_names() is called for. */
struct names {
	const struct journal *journal;
	const char *path;
	const struct manifest *manifest;
};

/* For qsort(): files first, those of one batch together, the later ones first; then folders,
 * those that are in another before it. One that another checkpoint made may be written down
 * after what was made in it. */
static int compare_names(const void *left, const void *right)
{
	const struct journal_name *const *a = left, *const *b = right;
	bool folder = S_ISDIR((*a)->identity.type);
	int order = 0;

	if (folder != S_ISDIR((*b)->identity.type))
		return folder ? 1 : -1;
	if (folder)
		order = beneath_inner_first((*a)->path, (*b)->path);
	return order ?: (*a < *b) - (*a > *b);
}

/* Removes those names that are of @share (NULL: all). */
static void clean_some(const struct share *share, struct clean_result *result, void *data)
{
	const struct names *names = data;
	const struct journal *journal = names->journal;
	const struct journal_name *last = NULL; /* removed, and not yet on the disk */
	AUTO_FREE const struct journal_name **sorted =
		calloc(journal->n_names ?: 1, sizeof(*sorted));

	if (!sorted) {
		log_error("no memory: all names are left");
		result->left += journal->n_names;
		return;
	}
	for (size_t i = 0; i < journal->n_names; i++)
		sorted[i] = &journal->names[i];
	qsort(sorted, journal->n_names, sizeof(*sorted), compare_names);
	for (size_t i = 0; i < journal->n_names; i++) {
		const struct journal_name *name = sorted[i];
		struct share its = share_of(&journal->places[name->place]);

		if (share && !share_same(share, &its))
			continue;
		if (names->manifest && manifest_has(names->manifest, name->path))
			continue;
		if (last && (last->place != name->place ||
			     !beneath_same_parent(last->path, name->path)))
			sync_name(journal, TAKE_PTR(last), names->path, result);
		if (clean_name(journal, name, names->path, result))
			last = name;
	}
	if (last)
		sync_name(journal, last, names->path, result);
}

/* Removes all names, but those that @manifest (NULL: none) has; with a deadline as
 * clean_all(). Whether none is left. */
static bool clean_names(const struct journal *journal, const char *path,
			const struct manifest *manifest, struct clean_result *result)
{
	AUTO(shares_fini) struct shares shares = {0};
	struct names names = {journal, path, manifest};
	size_t left = result->left;

	if (!interrupt_is_timed()) {
		clean_some(NULL, result, &names);
		return result->left == left;
	}
	for (unsigned int i = 0; i < journal->n_places; i++) {
		struct share share = share_of(&journal->places[i]);

		shares_add(&shares, &share);
	}
	apart_run(&shares, clean_some, &names, result);
	return result->left == left;
}

/* What a checkpoint left half made whose deadline passed. */
static int clean_abandoned(const struct journal *journal, const char *path,
			   struct clean_result *result, char **why)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	int ret = manifest_file_read(path, &manifest, why);

	if (!ret && strcmp(manifest.id, journal->id))
		ret = why_set(why, -ENOENT, "%s is of another checkpoint by now", path);
	if (ret)
		return ret;
	return clean_names(journal, path, &manifest, result) ? UNFINISHED_ABANDONED
							     : UNFINISHED_LEFT;
}

/* The temporary manifest: whether it is there, and complete under its name too. */
struct temporary {
	int dir_fd; /* owned; -1 */
	char name[64];
	bool exists;
	bool named;
};

static void temporary_fini(struct temporary *temporary)
{
	auto_close(&temporary->dir_fd);
}

static int temporary_look(const char *path, const char *id, struct temporary *out)
{
	AUTO_FREE char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return -ENOMEM;
	manifest_file_temp(id, out->name);
	out->dir_fd = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->dir_fd < 0)
		return -errno;
	out->exists = !fstatat(out->dir_fd, out->name, &st, AT_SYMLINK_NOFOLLOW);
	if (!out->exists && errno != ENOENT)
		return -errno;
	out->named = out->exists && st.st_nlink > 1;
	return 0;
}

int unfinished_clean(const char *path, const char *id, struct clean_result *result,
		     char **why)
{
	AUTO(journal_fini) struct journal journal = {0};
	AUTO(temporary_fini) struct temporary temporary = {.dir_fd = -1};
	AUTO_FREE char *journal_name = journal_path(path);
	AUTO_FD lock = -1;
	bool finished;
	int ret = journal_name ? journal_file_read(journal_name, &journal, &lock, why)
			       : -ENOMEM;

	if (ret)
		return ret == -ENOENT ? UNFINISHED_NONE : ret;
	if (id && strcmp(id, journal.id))
		return UNFINISHED_NONE;
	ret = temporary_look(path, journal.id, &temporary);
	if (ret)
		return why_set(why, ret, "cannot look beside %s: %s", path,
			       strerror(-ret));
	/* The manifest gets its name after the last line of the journal, by losing the
	 * temporary one. */
	finished = journal.committing && (!temporary.exists || temporary.named);
	if (finished && journal.abandoned) {
		ret = clean_abandoned(&journal, path, result, why);
		if (ret != UNFINISHED_ABANDONED)
			return ret;
	} else if (!finished) {
		if (!clean_names(&journal, path, NULL, result))
			return UNFINISHED_LEFT;
		if (journal.id[0])
			index_remove(journal.id);
		for (unsigned int i = 0; i < journal.n_places; i++)
			clean_own_store(&journal.places[i].store);
	}
	if (temporary.exists && journal.id[0])
		unlinkat(temporary.dir_fd, temporary.name, 0);
	if (unlink(journal_name) && errno != ENOENT)
		return why_set(why, -errno, "cannot remove journal %s: %m", journal_name);
	if (!finished)
		return UNFINISHED_CLEAN;
	return journal.abandoned ? UNFINISHED_ABANDONED : UNFINISHED_FINISHED;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "links.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/name.h"
#include "base/why.h"
#include "manifest/template.h"
#include "preserve/beneath.h"
#include "preserve/relink.h"
#include "proc/mount.h"
#include "restore/locate.h"

void links_files_fini(struct links_files *files)
{
	criu_remaps_fini(&files->remaps);
	free(files->files);
	*files = (struct links_files){0};
}

/* Images come from elsewhere: a name that leads out of the root is none of CRIU's. */
static bool is_below(const struct criu_remap *remap)
{
	return relink_path_valid(remap->name);
}

/* What has @name in the root of @pid. 0 or -errno. */
static int look(int root, pid_t pid, const char *name, struct links_file *out)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FD fd = beneath_open_mounts(root, name, O_PATH | O_NOFOLLOW);
	struct stat st;
	int id, ret;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	ret = mount_id_of_fd(fd, &id);
	ret = ret ?: mount_find(pid, id, &mount);
	if (ret)
		return ret;
	*out = (struct links_file){name, mount.dev_major, mount.dev_minor, st.st_ino};
	return 0;
}

/* Whether @error says nothing of the file, but that we could not look. */
static bool is_grave(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EIO;
}

int links_files_find(struct links_files *out, const char *images, pid_t pid, char **why)
{
	AUTO(links_files_fini) struct links_files found = {0};
	int ret = criu_images_remaps(images, &found.remaps, why);
	AUTO_FD root = -1;
	char path[32];

	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return why_set(why, -errno, "cannot open %s: %m", path);
	found.files = calloc(found.remaps.n + 1, sizeof(*found.files));
	if (!found.files)
		return -ENOMEM;
	for (size_t i = 0; i < found.remaps.n; i++) {
		const char *name = found.remaps.remaps[i].name;

		if (!is_below(&found.remaps.remaps[i]))
			continue;
		ret = look(root, pid, name, &found.files[found.n]);
		if (is_grave(ret))
			return why_set(why, ret, "cannot look at /%s: %s%s", name,
				       strerror(-ret), advice(ret));
		found.n += !ret;
	}
	*out = found;
	found = (struct links_files){0};
	return 0;
}

static bool is_same(const struct links_file *file, const struct orphan *orphan)
{
	return file->ino == orphan->ino && file->dev_major == orphan->dev_major &&
	       file->dev_minor == orphan->dev_minor;
}

bool links_files_have(const struct links_files *files, const struct orphan *orphan)
{
	for (size_t i = 0; i < files->n; i++)
		if (is_same(&files->files[i], orphan))
			return true;
	return false;
}

int links_by_file(struct txn *txn, const struct links_files *files,
		  const struct manifest *manifest)
{
	int ret = 0;

	for (size_t i = 0; i < files->n; i++)
		for (size_t j = 0; j < manifest->n_entries && !ret; j++)
			if (is_same(&files->files[i], &manifest->entries[j].orphan))
				ret = txn_add_link(txn, manifest->entries[j].n,
						   files->files[i].name);
	return ret;
}

/* Whether @remap may be @entry. */
static bool may_be(const struct criu_remap *remap, const struct manifest_entry *entry)
{
	const char *path = entry->orphan.path;

	return entry->same_inode && path && path[0] == '/' &&
	       !strcmp(path + 1, remap->path);
}

int links_by_path(struct txn *txn, const char *images, const struct manifest *manifest,
		  char **why)
{
	AUTO(criu_remaps_fini) struct criu_remaps remaps = {0};
	int ret = criu_images_remaps(images, &remaps, why);

	for (size_t i = 0; i < remaps.n && !ret; i++) {
		const struct criu_remap *remap = &remaps.remaps[i];
		const struct manifest_entry *found = NULL;
		size_t n = 0, n_sized = 0;

		if (!is_below(remap))
			continue;
		for (size_t j = 0; j < manifest->n_entries; j++) {
			const struct manifest_entry *entry = &manifest->entries[j];
			bool sized = entry->orphan.size == remap->size;

			if (!may_be(remap, entry))
				continue;
			n++;
			n_sized += sized;
			if (!found || sized)
				found = entry;
		}
		if (n == 1 || n_sized == 1)
			ret = txn_add_link(txn, found->n, remap->name);
		else if (n)
			log_warning("%s could be any of %zu orphans that were opened by "
				    "/%s: it will be missing at the restore",
				    remap->name, n, remap->path);
	}
	return ret;
}

int links_open(const struct manifest *manifest, const struct manifest_entry *entry,
	       char **why)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	struct relink_identity identity = clean_identity(manifest, entry);
	int ret = locate_entry(manifest, entry, entry->relink_path, &located, why);

	if (ret)
		return ret;
	/* The program may have written to it since. */
	identity.in_use = manifest->roots;
	return relink_open(located.root_fd, located.path, &identity, why);
}

/* Opens the folder of @link, and sets *@last to its name in it. */
static int open_folder(const struct roots *roots, const struct txn_link *link,
		       const char **last, char **why)
{
	const char *slash = strrchr(link->name, '/');
	AUTO_FREE char *point = NULL;
	int fd;

	if (asprintf(&point, "/%.*s", slash ? (int)(slash - link->name) : 0, link->name) <
	    0)
		return -ENOMEM;
	*last = slash ? slash + 1 : link->name;
	if (roots->n)
		return roots_open(roots, point, why);
	fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, -errno, "cannot open /: %m");
	if (point[1]) {
		AUTO_FD root = fd;

		fd = beneath_open_mounts(root, point + 1, O_PATH | O_DIRECTORY);
	}
	return fd < 0 ? why_set(why, fd, "cannot open %s: %s", point, strerror(-fd)) : fd;
}

enum links_state links_make(const struct roots *roots, const struct manifest *manifest,
			    const struct manifest_entry *entry,
			    const struct txn_link *link, char **why)
{
	const char *last;
	AUTO_FD file = links_open(manifest, entry, why);
	AUTO_FD folder = file < 0 ? -1 : open_folder(roots, link, &last, why);
	struct stat st;
	bool doubt;
	int ret;

	if (file < 0 || folder < 0)
		return LINKS_FAILED;
	if (fstat(file, &st)) {
		why_set(why, -errno, "cannot look at its file: %m");
		return LINKS_FAILED;
	}
	/* Where that cannot be found out, post-restore does: the transaction has the link. */
	ret = relink_link(file, &st, folder, last, &doubt);
	if (!ret)
		return LINKS_MADE;
	if (ret == -EEXIST && !name_leads_to(folder, last, &st))
		return LINKS_THERE;
	why_set(why, ret, "cannot link it to /%s: %s", link->name,
		ret == -EEXIST ? "another file has that name" : strerror(-ret));
	return LINKS_FAILED;
}

/* 0, also where there is nothing of ours; -errno. */
static int take_away(const struct roots *roots, const struct txn_link *link)
{
	const char *last;
	AUTO_FD folder = open_folder(roots, link, &last, NULL);
	struct stat st;

	if (folder < 0)
		return TAKE_FD(folder);
	if (fstatat(folder, last, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return st.st_ino == link->ino && unlinkat(folder, last, 0) ? -errno : 0;
}

int links_take_away(const struct roots *roots, const struct txn_link *link)
{
	int ret = take_away(roots, link);

	/* The folder may be gone, or never have been one below the roots. */
	if (ret == -ENOENT || ret == -ENOTDIR || ret == -ELOOP || ret == -EXDEV)
		return 0;
	if (ret)
		log_warning("/%s is left: %s%s", link->name, strerror(-ret), advice(ret));
	return ret;
}

void links_remove_entry(const struct manifest *manifest,
			const struct manifest_entry *entry, const struct txn_link *link,
			struct clean_result *result)
{
	struct relink_identity identity = {.type = entry->orphan.mode & S_IFMT,
					   .ino = link->ino};

	clean_entry_of(manifest, entry, &identity, result);
}

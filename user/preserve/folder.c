/* SPDX-License-Identifier: GPL-2.0-only */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/durable.h"
#include "base/list.h"
#include "base/log.h"
#include "base/name.h"
#include "making.h"
#include "mountroot.h"
#include "relink.h"
#include "manifest/template.h"
#include "base/why.h"

static void drop_spares(struct folder *folder)
{
	while (folder->n_spare)
		auto_close(&folder->spare[--folder->n_spare]);
	free(TAKE_PTR(folder->spare));
}

static void folder_free(struct folder **folder)
{
	if (!*folder)
		return;
	drop_spares(*folder);
	mount_fini(&(*folder)->mount);
	auto_close(&(*folder)->root_fd);
	auto_close(&(*folder)->fd);
	free(*folder);
}

void folder_set_fini(struct folder_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		folder_free(&set->folders[i]);
	folder_free(&set->store);
	free(set->folders);
	*set = (struct folder_set){0};
}

struct folder *folder_set_find(const struct folder_set *set, bool store, int mnt_id)
{
	if (store)
		return set->store;
	for (size_t i = 0; i < set->n; i++)
		if (set->folders[i]->mount.id == mnt_id)
			return set->folders[i];
	return NULL;
}

void folder_litter(struct folder_set *set, const struct folder *folder, const char *name,
		   int error)
{
	log_warning("cannot remove %s on the mount at %s: %s", name, folder->mount.point,
		    strerror(-error));
	set->n_litter++;
}

void folder_doubt(struct folder_set *set, const struct folder *folder, const char *name,
		  int error)
{
	log_warning("%s may be there on the mount at %s: what was to make it says: %s",
		    name, folder->mount.point, strerror(-error));
	set->n_litter++;
}

void folder_take_back(struct folder_set *set, const struct folder *folder, int dir_fd,
		      const char *name, mode_t type, int error)
{
	struct stat st;
	int ret = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;

	if (ret) {
		if (ret != -ENOENT || name_may_be_made(error))
			folder_doubt(set, folder, name, error);
		return;
	}
	/* As clean judges it: no other could be ours. */
	if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid())
		return;
	if (unlinkat(dir_fd, name, S_ISDIR(type) ? AT_REMOVEDIR : 0) && errno != ENOENT)
		folder_litter(set, folder, name, -errno);
}

unsigned int folder_own_number(struct folder_set *set)
{
	return set->journal ? set->journal->n_own++ : set->n_own++;
}

static int append(struct folder_set *set, struct folder **folder)
{
	struct folder **grown =
		reallocarray(set->folders, set->n + 1, sizeof(*set->folders));

	if (!grown)
		return -ENOMEM;
	set->folders = grown;
	grown[set->n++] = TAKE_PTR(*folder);
	return 0;
}

/* Finds the mount and its root; the folder itself is not open yet. */
static int find_root(const struct holder *holder, int mnt_id, struct folder **out,
		     char **why)
{
	AUTO(folder_free) struct folder *folder = calloc(1, sizeof(*folder));
	AUTO(mountroot_fini) struct mountroot root = MOUNTROOT_INIT;
	int ret;

	if (!folder)
		return -ENOMEM;
	folder->fd = folder->root_fd = -1;
	ret = mountroot_open(holder->pid, mnt_id, &root, why);
	if (ret)
		return ret;
	folder->mount = root.mount;
	root.mount = (struct mount){0};
	folder->root_fd = TAKE_FD(root.fd);
	folder->detour = root.detour;
	fsid_read(folder->mount.fstype, folder->root_fd, folder->fsid);
	*out = TAKE_PTR(folder);
	return 0;
}

/* Tells the journal of @folder's mount. */
static int add_place(struct folder_set *set, struct folder *folder,
		     const struct holder *holder)
{
	struct journal_place place = {
		.dev_major = folder->mount.dev_major,
		.dev_minor = folder->mount.dev_minor,
		.mount_point = folder->mount.point,
		.mount_root = folder->mount.root,
		.mnt_id = folder->mount.id,
		.pid = holder->pid,
		.start_time = holder->start_time,
	};

	memcpy(place.fsid, folder->fsid, sizeof(place.fsid));
	return set->journal ? journal_file_place(set->journal, &place, &folder->place)
			    : 0;
}

static int make_tmpfile(const struct folder *folder)
{
	int fd = openat(folder->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

int folder_tmpfile(struct folder *folder)
{
	return folder->n_spare ? folder->spare[--folder->n_spare] : make_tmpfile(folder);
}

int folder_make_spare(struct folder *folder)
{
	AUTO_FD fd = make_tmpfile(folder);
	int *grown;

	if (fd < 0)
		return TAKE_FD(fd);
	grown = list_grow(folder->spare, folder->n_spare, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	folder->spare = grown;
	grown[folder->n_spare++] = TAKE_FD(fd);
	return 0;
}

size_t folder_spares(const struct folder_set *set)
{
	size_t n = set->store ? set->store->n_spare : 0;

	for (size_t i = 0; i < set->n; i++)
		n += set->folders[i]->n_spare;
	return n;
}

bool folder_is_gone(const struct folder *folder)
{
	struct stat st;

	return !fstat(folder->fd, &st) && !st.st_nlink;
}

bool folder_was_seen(const struct folder_set *set, const struct folder *folder)
{
	return set->round && folder->looked == set->round;
}

/* Times that a folder may be removed under our hands. */
#define FOLDER_TRIES 64

/* Opens the folder of @relink_path, whose mount is known. */
static int open_folder(struct folder_set *set, struct manifest *manifest,
		       struct folder *folder, const struct holder *holder,
		       const char *relink_path, char **why)
{
	const char *name;
	int ret = -ENOENT;

	for (int i = 0; i < FOLDER_TRIES && ret == -ENOENT; i++) {
		ret = making_all(set, manifest, folder, holder, relink_path, why);
		if (ret)
			continue;
		ret = folder->fd =
			relink_open_folder(folder->root_fd, relink_path, &name, why);
		if (ret < 0)
			continue;
		ret = making_adopt(set, manifest, folder, holder, relink_path, why);
		if (ret) {
			auto_close(&folder->fd);
			folder->fd = -1;
		}
	}
	return ret;
}

/* Opens @folder, which is in @set, where it is not open, or gone. */
static int keep_open(struct folder_set *set, struct manifest *manifest,
		     struct folder *folder, const struct holder *holder,
		     const char *relink_path, char **why)
{
	int ret;

	if (folder->fd >= 0 && folder_was_seen(set, folder))
		return 0;
	if (folder->fd >= 0 && folder_is_gone(folder)) {
		drop_spares(folder);
		auto_close(&folder->fd);
		folder->fd = -1;
	}
	ret = folder->fd >= 0
		      ? 0
		      : open_folder(set, manifest, folder, holder, relink_path, why);
	if (!ret)
		folder->looked = set->round;
	return ret;
}

int folder_set_get(struct folder_set *set, struct manifest *manifest, int mnt_id,
		   const struct holder *holder, const char *relink_path,
		   struct folder **out, char **why)
{
	struct folder *folder = folder_set_find(set, false, mnt_id);
	int ret;

	if (!folder) {
		AUTO(folder_free) struct folder *found = NULL;

		ret = find_root(holder, mnt_id, &found, why);
		ret = ret ?: add_place(set, found, holder);
		/* In the set before a folder is made, so that it can be removed. */
		ret = ret ?: append(set, &found);
		if (ret)
			return ret;
		folder = set->folders[set->n - 1];
	}
	ret = keep_open(set, manifest, folder, holder, relink_path, why);
	if (!ret)
		*out = folder;
	return ret;
}

/* The folder in the store, not open yet. */
static int begin_store(struct folder_set *set)
{
	const struct store *store = &set->depot->store;
	AUTO(folder_free) struct folder *folder = calloc(1, sizeof(*folder));
	int ret;

	if (!folder)
		return -ENOMEM;
	folder->store = true;
	folder->fd = -1;
	folder->mount.id = -1;
	folder->mount.dev_major = store->dev_major;
	folder->mount.dev_minor = store->dev_minor;
	folder->mount.point = strdup(store->path);
	folder->root_fd = fcntl(set->depot->fd, F_DUPFD_CLOEXEC, 0);
	if (folder->root_fd < 0 || !folder->mount.point)
		return folder->mount.point ? -errno : -ENOMEM;
	ret = set->journal ? journal_file_store(set->journal, store, &folder->place) : 0;
	if (!ret)
		set->store = TAKE_PTR(folder);
	return ret;
}

int folder_set_get_store(struct folder_set *set, struct manifest *manifest,
			 struct folder **out, char **why)
{
	char path[RELINK_PATH_MAX];
	int ret = set->store ? 0 : begin_store(set);

	store_name(manifest->id, 1, path);
	ret = ret ?: keep_open(set, manifest, set->store, NULL, path, why);
	if (!ret)
		*out = set->store;
	return ret;
}

/* Names that are written down at a time: one sync for so many files. */
#define OWN_NAMES 64

int folder_own_name(struct folder_set *set, struct folder *folder, const char *id,
		    const char *relink_path, char out[JOURNAL_OWN_NAME])
{
	const char *slash = strrchr(relink_path, '/');
	struct relink_identity identity = {.type = S_IFREG};
	char path[RELINK_PATH_MAX + JOURNAL_OWN_NAME];
	int ret = 0;

	if (set->journal && !folder->own_left) {
		folder->own_next = set->journal->n_own;
		for (int i = 0; i < OWN_NAMES && !ret; i++) {
			journal_own_name(id, folder_own_number(set), out);
			snprintf(path, sizeof(path), "%.*s%s",
				 slash ? (int)(slash + 1 - relink_path) : 0, relink_path,
				 out);
			ret = relink_path_valid(path)
				      ? journal_file_name(set->journal, folder->place,
							  path, false, &identity)
				      : -ENAMETOOLONG;
		}
		ret = ret ?: journal_file_sync(set->journal);
		if (ret)
			return ret;
		folder->own_left = OWN_NAMES;
	}
	if (set->journal)
		folder->own_left--;
	journal_own_name(id, set->journal ? folder->own_next++ : set->n_own++, out);
	return 0;
}

int folder_sync(const struct folder *folder)
{
	/* Of a store the directory of copies itself is new, too. */
	int ret = folder->store ? durable_folder(folder->root_fd) : 0;

	return ret || folder->fd < 0 ? ret : durable_folder(folder->fd);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "base/durable.h"
#include "base/log.h"
#include "beneath.h"
#include "mountroot.h"
#include "project.h"
#include "relink.h"
#include "manifest/template.h"
#include "base/why.h"

static void folder_free(struct folder **folder)
{
	if (!*folder)
		return;
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

/* How the mount of @folder, which @holder sees, is found again. 0 or -ENOMEM. */
static int record_mount(struct manifest_folder *made, const struct folder *folder,
			const struct holder *holder)
{
	if (folder->store)
		return 0;
	made->mount_point = strdup(folder->mount.point);
	made->mount_root = strdup(folder->mount.root);
	made->pid = holder->pid;
	made->start_time = holder->start_time;
	made->mnt_id = folder->mount.id;
	return made->mount_point && made->mount_root ? 0 : -ENOMEM;
}

void folder_litter(struct folder_set *set, const struct folder *folder, const char *name,
		   int error)
{
	log_warning("cannot remove %s on the mount at %s: %s", name, folder->mount.point,
		    strerror(-error));
	set->n_litter++;
}

/* Records folder @path, which was made; removes it again where that fails. */
static int record(struct folder_set *set, struct manifest *manifest,
		  const struct folder *folder, const struct holder *holder,
		  const char *path, uint64_t ino)
{
	int ret;
	AUTO(manifest_folder_fini)
	struct manifest_folder made = {
		.store = folder->store,
		.dev_major = folder->mount.dev_major,
		.dev_minor = folder->mount.dev_minor,
		.ino = ino,
		.path = strdup(path),
	};

	if (made.path && !record_mount(&made, folder, holder) &&
	    !manifest_add_folder(manifest, &made))
		return 0;
	ret = relink_remove_folder(folder->root_fd, path, ino);
	if (ret)
		folder_litter(set, folder, path, ret);
	return -ENOMEM;
}

/* The next number of a name of the checkpoint's own. */
static unsigned int own_number(struct folder_set *set)
{
	return set->journal ? set->journal->n_own++ : set->n_own++;
}

/* Writes down that @path may be a folder, of inode number *@ino where that is known. */
static int intend(struct folder_set *set, const struct folder *folder, const char *path,
		  const uint64_t *ino)
{
	struct relink_identity identity = {.type = S_IFDIR, .ino = ino ? *ino : 0};
	int ret;

	if (!set->journal)
		return 0;
	ret = journal_file_name(set->journal, folder->place, path, ino, &identity);
	return ret ?: journal_file_sync(set->journal);
}

/* rename(2) that takes no other's place. Where the filesystem cannot say so, the name has
 * been looked for before; an empty directory is all that this could replace. */
static int rename_exclusively(int dir_fd, const char *from, const char *to)
{
	if (!renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return renameat(dir_fd, from, dir_fd, to) ? -errno : 0;
}

/* Makes the folder with name @name in @parent, and @path below the mount's root. It is
 * made under a name of our own, so that its inode number is in the journal before it has
 * the one that it is to have. 0; -EEXIST; -errno. */
static int make_folder(struct folder_set *set, const struct folder *folder,
		       const char *id, int parent, const char *name, const char *path,
		       uint64_t *ino)
{
	char own[JOURNAL_OWN_NAME], own_path[RELINK_PATH_MAX + JOURNAL_OWN_NAME];
	struct stat st;
	int ret;

	journal_own_name(id, own_number(set), own);
	snprintf(own_path, sizeof(own_path), "%.*s%s", (int)(strlen(path) - strlen(name)),
		 path, own);
	if (!relink_path_valid(own_path))
		return -ENAMETOOLONG;
	ret = intend(set, folder, own_path, NULL);
	if (ret)
		return ret;
	if (mkdirat(parent, own, 0700))
		return -errno;
	ret = fstatat(parent, own, &st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	ret = ret ?: project_end_inheritance(parent, own);
	ret = ret ?: intend(set, folder, path, (const uint64_t *)&st.st_ino);
	ret = ret ?: rename_exclusively(parent, own, name);
	if (ret) {
		if (unlinkat(parent, own, AT_REMOVEDIR) && errno != ENOENT)
			folder_litter(set, folder, own_path, -errno);
		return ret;
	}
	*ino = st.st_ino;
	return durable_folder(parent);
}

/* Makes folder @path where it is missing. */
static int make_one(struct folder_set *set, struct manifest *manifest,
		    const struct folder *folder, const struct holder *holder,
		    const char *path, char **why)
{
	AUTO_FD parent = -1;
	const char *name, *seal;
	uint64_t ino = 0;
	int ret = relink_check_folder(folder->root_fd, path, why);

	if (ret != -ENOENT)
		return ret;
	parent = beneath_open_parent(folder->root_fd, path, &name);
	if (parent < 0)
		return why_set(why, parent, "cannot open the folder of %s: %s", path,
			       strerror(-parent));
	/* In an append-only folder it could not get its name by rename, nor go again. */
	seal = advice_seal(parent);
	if (seal)
		return why_set(why, -EPERM,
			       "cannot make folder %s: what it is to be in is %s", path,
			       seal);
	ret = make_folder(set, folder, manifest->id, parent, name, path, &ino);
	if (ino) {
		int recorded = record(set, manifest, folder, holder, path, ino);

		if (recorded)
			ret = recorded;
	}
	/* Somebody made it at the same time: then it is judged as theirs. */
	if (ret == -EEXIST)
		ret = relink_check_folder(folder->root_fd, path, why);
	else if (ret)
		why_set(why, ret, "cannot make folder %s: %s%s", path, strerror(-ret),
			caps_refused(ret, CAPS_REACH));
	return ret;
}

/* Makes what is missing of the folders of @relink_path. */
static int make_all(struct folder_set *set, struct manifest *manifest,
		    const struct folder *folder, const struct holder *holder,
		    const char *relink_path, char **why)
{
	char path[RELINK_PATH_MAX];
	size_t len = 0;

	while ((len = relink_next_folder(relink_path, len))) {
		int ret;

		memcpy(path, relink_path, len);
		path[len] = '\0';
		ret = make_one(set, manifest, folder, holder, path, why);
		if (ret)
			return ret;
	}
	return 0;
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

	return set->journal ? journal_file_place(set->journal, &place, &folder->place)
			    : 0;
}

bool folder_is_gone(const struct folder *folder)
{
	struct stat st;

	return !fstat(folder->fd, &st) && !st.st_nlink;
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
		ret = make_all(set, manifest, folder, holder, relink_path, why);
		if (ret)
			continue;
		ret = folder->fd =
			relink_open_folder(folder->root_fd, relink_path, &name, why);
	}
	return ret < 0 ? ret : 0;
}

/* Opens @folder, which is in @set, where it is not open, or gone. */
static int keep_open(struct folder_set *set, struct manifest *manifest,
		     struct folder *folder, const struct holder *holder,
		     const char *relink_path, char **why)
{
	if (folder->fd >= 0 && folder_is_gone(folder)) {
		auto_close(&folder->fd);
		folder->fd = -1;
	}
	return folder->fd >= 0
		       ? 0
		       : open_folder(set, manifest, folder, holder, relink_path, why);
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
			journal_own_name(id, own_number(set), out);
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

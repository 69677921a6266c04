/* SPDX-License-Identifier: GPL-2.0-only */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
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
	free(set->folders);
	*set = (struct folder_set){0};
}

struct folder *folder_set_find(const struct folder_set *set, int mnt_id)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->folders[i]->mount.id == mnt_id)
			return set->folders[i];
	return NULL;
}

/* Records folder @path, which was made; removes it again where that fails. */
static int record(struct manifest *manifest, const struct folder *folder,
		  const struct holder *holder, const char *path, uint64_t ino)
{
	AUTO(manifest_folder_fini)
	struct manifest_folder made = {
		.dev_major = folder->mount.dev_major,
		.dev_minor = folder->mount.dev_minor,
		.ino = ino,
		.mount_point = strdup(folder->mount.point),
		.mount_root = strdup(folder->mount.root),
		.path = strdup(path),
		.pid = holder->pid,
		.start_time = holder->start_time,
		.mnt_id = folder->mount.id,
	};

	if (made.mount_point && made.mount_root && made.path &&
	    !manifest_add_folder(manifest, &made))
		return 0;
	relink_remove_folder(folder->root_fd, path, ino);
	return -ENOMEM;
}

/* Makes what is missing of the folders of @relink_path. */
static int make_all(struct manifest *manifest, const struct folder *folder,
		    const struct holder *holder, const char *relink_path, char **why)
{
	char path[RELINK_PATH_MAX];
	size_t len = 0;

	while ((len = relink_next_folder(relink_path, len))) {
		uint64_t ino;
		bool made;
		int ret;

		memcpy(path, relink_path, len);
		path[len] = '\0';
		ret = relink_make_folder(folder->root_fd, path, &made, &ino, why);
		if (!ret && made)
			ret = record(manifest, folder, holder, path, ino);
		if (ret)
			return ret;
	}
	return 0;
}

static int open_root(const struct holder *holder, int mnt_id, char **why)
{
	int fd = mount_open_root(holder->pid, mnt_id);

	if (fd == -EXDEV)
		return why_set(why, fd,
			       "another mount covers mount %d of process %d: names "
			       "cannot be made there",
			       mnt_id, holder->pid);
	if (fd == -ENOTDIR)
		return why_set(why, fd,
			       "mount %d of process %d is a single file: there is "
			       "no folder to make names in",
			       mnt_id, holder->pid);
	if (fd < 0)
		return why_set(why, fd, "cannot reach mount %d of process %d: %s", mnt_id,
			       holder->pid, strerror(-fd));
	return fd;
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
	int ret;

	if (!folder)
		return -ENOMEM;
	folder->fd = -1;
	folder->root_fd = open_root(holder, mnt_id, why);
	if (folder->root_fd < 0)
		return folder->root_fd;
	/* Until root_fd held the mount its id could become another one's: what was read
	 * before may be of that. */
	mount_cache_drop();
	ret = mount_find(holder->pid, mnt_id, &folder->mount);
	if (ret == -ENOENT)
		ret = mount_find(getpid(), mnt_id, &folder->mount);
	if (ret)
		return why_set(why, ret, "mount %d of process %d is not in its mountinfo",
			       mnt_id, holder->pid);
	*out = TAKE_PTR(folder);
	return 0;
}

int folder_set_get(struct folder_set *set, struct manifest *manifest, int mnt_id,
		   const struct holder *holder, const char *relink_path,
		   struct folder **out, char **why)
{
	struct folder *folder = folder_set_find(set, mnt_id);
	const char *name;
	int ret;

	if (!folder) {
		AUTO(folder_free) struct folder *found = NULL;

		ret = find_root(holder, mnt_id, &found, why);
		/* In the set before a folder is made, so that it can be removed. */
		ret = ret ?: append(set, &found);
		if (ret)
			return ret;
		folder = set->folders[set->n - 1];
	}
	if (folder->fd < 0) {
		ret = make_all(manifest, folder, holder, relink_path, why);
		if (ret)
			return ret;
		folder->fd = relink_open_folder(folder->root_fd, relink_path, &name, why);
		if (folder->fd < 0)
			return folder->fd;
	}
	*out = folder;
	return 0;
}

int folder_set_sync(const struct folder_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		AUTO_FD fd = -1;

		if (set->folders[i]->fd < 0)
			continue;
		/* O_PATH fds take no fsync. */
		fd = openat(set->folders[i]->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* EINVAL: the filesystem knows no fsync of directories. */
		if (fd < 0 || (fsync(fd) && errno != EINVAL))
			return -errno;
	}
	return 0;
}

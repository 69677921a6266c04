/* SPDX-License-Identifier: GPL-2.0-only */
#include "making.h"

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
#include "base/name.h"
#include "base/why.h"
#include "beneath.h"
#include "mark.h"
#include "project.h"
#include "relink.h"

/* How the mount of @folder, which @holder sees, is found again. 0 or -ENOMEM. */
static int record_mount(struct manifest_folder *made, const struct folder *folder,
			const struct holder *holder)
{
	if (folder->store)
		return 0;
	made->mount_point = strdup(folder->mount.point);
	made->mount_root = strdup(folder->mount.root);
	memcpy(made->fsid, folder->fsid, sizeof(made->fsid));
	made->pid = holder->pid;
	made->start_time = holder->start_time;
	made->mnt_id = folder->mount.id;
	return made->mount_point && made->mount_root ? 0 : -ENOMEM;
}

/* Records that folder @path goes with the last name in it. 0 or -ENOMEM. */
static int record(struct manifest *manifest, const struct folder *folder,
		  const struct holder *holder, const char *path, uint64_t ino)
{
	AUTO(manifest_folder_fini)
	struct manifest_folder made = {
		.store = folder->store,
		.dev_major = folder->mount.dev_major,
		.dev_minor = folder->mount.dev_minor,
		.ino = ino,
		.path = strdup(path),
	};

	return made.path && !record_mount(&made, folder, holder)
		       ? manifest_add_folder(manifest, &made)
		       : -ENOMEM;
}

/* The same of one that was just made; it is removed again where that fails. */
static int record_made(struct folder_set *set, struct manifest *manifest,
		       const struct folder *folder, const struct holder *holder,
		       const char *path, uint64_t ino)
{
	int ret = record(manifest, folder, holder, path, ino);
	int undone = ret ? relink_remove_folder(folder->root_fd, path, ino) : 0;

	if (undone)
		folder_litter(set, folder, path, undone);
	return ret;
}

/* Writes down that @path may be a folder, of inode number *@ino where that is known. It is
 * on the disk with the next that is synced. */
static int write_down(struct folder_set *set, const struct folder *folder,
		      const char *path, const uint64_t *ino)
{
	struct relink_identity identity = {.type = S_IFDIR, .ino = ino ? *ino : 0};

	return set->journal ? journal_file_name(set->journal, folder->place, path, ino,
						&identity)
			    : 0;
}

/* The same, and it is on the disk. */
static int intend(struct folder_set *set, const struct folder *folder, const char *path,
		  const uint64_t *ino)
{
	int ret = write_down(set, folder, path, ino);

	return ret || !set->journal ? ret : journal_file_sync(set->journal);
}

/* Makes directory @own, which nobody else would, in @parent, and looks at it. What was made
 * though the kernel says otherwise is as good. 0; -errno: it is not there, or is told of. */
static int make_own(struct folder_set *set, const struct folder *folder, int parent,
		    const char *own, struct stat *st)
{
	int ret = mkdirat(parent, own, 0700) ? -errno : 0;
	int looked = fstatat(parent, own, st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;

	if (!ret && !looked)
		return 0;
	if (!looked && S_ISDIR(st->st_mode) && st->st_uid == geteuid())
		return 0;
	folder_take_back(set, folder, parent, own, S_IFDIR, ret ?: looked);
	return ret ?: looked;
}

/* Gives directory @own of @st in @parent its name, which is the last of @path. 0; -EEXIST;
 * -errno: both are gone, or told of. */
static int move_own(struct folder_set *set, const struct folder *folder, int parent,
		    const char *own, const struct stat *st, const char *path,
		    const char *name)
{
	struct name_moved moved;
	int ret = name_move(parent, own, name, st, &moved);

	if (moved.doubt)
		folder_doubt(set, folder, path, ret);
	return ret;
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

	journal_own_name(id, folder_own_number(set), own);
	snprintf(own_path, sizeof(own_path), "%.*s%s", (int)(strlen(path) - strlen(name)),
		 path, own);
	if (!relink_path_valid(own_path))
		return -ENAMETOOLONG;
	ret = intend(set, folder, own_path, NULL);
	if (ret)
		return ret;
	ret = make_own(set, folder, parent, own, &st);
	if (ret)
		return ret;
	ret = project_end_inheritance(parent, own);
	if (!ret)
		mark_put(parent, own, st.st_ino, id);
	ret = ret ?: intend(set, folder, path, (const uint64_t *)&st.st_ino);
	ret = ret ?: move_own(set, folder, parent, own, &st, path, name);
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
		int recorded = record_made(set, manifest, folder, holder, path, ino);

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

int making_all(struct folder_set *set, struct manifest *manifest,
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

static bool is_recorded(const struct manifest *manifest, const struct folder *folder,
			const char *path, uint64_t ino)
{
	for (size_t i = 0; i < manifest->n_folders; i++) {
		const struct manifest_folder *made = &manifest->folders[i];

		if (made->mnt_id == folder->mount.id && made->ino == ino &&
		    !made->store && !strcmp(made->path, path))
			return true;
	}
	return false;
}

/* Records folder @path where another checkpoint made it: whichever of both is cleaned last
 * has to remove it. Its inode number is in *@ino. */
static int adopt_one(struct folder_set *set, struct manifest *manifest,
		     const struct folder *folder, const struct holder *holder,
		     const char *path, uint64_t *ino, char **why)
{
	AUTO_FD fd =
		beneath_open(folder->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	struct stat st;
	int ret;

	/* What stands there instead is judged by whoever looks again. */
	if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR || fd == -EXDEV)
		return why_set(why, -ENOENT, "folder %s was taken away", path);
	if (fd < 0 || fstat(fd, &st))
		return why_set(why, fd < 0 ? fd : -errno, "cannot look at folder %s: %s",
			       path, strerror(fd < 0 ? -fd : errno));
	*ino = st.st_ino;
	if (!mark_is_on(fd) || is_recorded(manifest, folder, path, *ino))
		return 0;
	ret = write_down(set, folder, path, ino);
	ret = ret ?: record(manifest, folder, holder, path, *ino);
	return ret ? why_set(why, ret, "cannot write down folder %s: %s", path,
			     strerror(-ret))
		   : 0;
}

int making_adopt(struct folder_set *set, struct manifest *manifest,
		 const struct folder *folder, const struct holder *holder,
		 const char *relink_path, char **why)
{
	char path[RELINK_PATH_MAX];
	uint64_t ino = 0;
	size_t len = 0;
	struct stat st;

	if (folder->store) /* named by the checkpoint's id: nobody else's */
		return 0;
	while ((len = relink_next_folder(relink_path, len))) {
		int ret;

		memcpy(path, relink_path, len);
		path[len] = '\0';
		ret = adopt_one(set, manifest, folder, holder, path, &ino, why);
		if (ret)
			return ret;
	}
	if (fstat(folder->fd, &st) || st.st_ino != ino)
		return why_set(why, -ENOENT, "folder %s was taken away", path);
	return 0;
}

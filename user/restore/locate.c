/* SPDX-License-Identifier: GPL-2.0-only */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "preserve/beneath.h"
#include "proc/mount.h"
#include "proc/proctext.h"
#include "roots.h"
#include "base/why.h"

/* What a manifest tells of a place. Nothing is owned. */
struct place {
	const struct manifest *manifest;
	uint32_t dev_major, dev_minor;
	const char *mount_point; /* NULL unknown */
	const char *mount_root;
	const char *fsid;
	int mnt_id;
	const struct holder *holders;
	size_t n_holders;
	const char *path; /* below the mount's root */
	bool writable; /* only a mount that is neither read-only nor idmapped will do */
};

void located_fini(struct located *located)
{
	auto_close(&located->root_fd);
	located->root_fd = -1;
}

const char *locate_below(const char *root, const char *path_in_fs)
{
	size_t len = strcmp(root, "/") ? strlen(root) : 0;

	if (strncmp(root, path_in_fs, len) || path_in_fs[len] != '/')
		return NULL;
	return path_in_fs + len + 1;
}

static bool same_dev(const struct place *place, const struct mount *mount)
{
	return mount->dev_major == place->dev_major &&
	       mount->dev_minor == place->dev_minor;
}

/* Whether @mount, whose root is open as @root, is of the filesystem of @place. */
static bool is_same(const struct place *place, const struct mount *mount, int root)
{
	char fsid[FSID_SIZE];

	if (!place->fsid[0])
		return same_dev(place, mount);
	if (!fsid_has(mount->fstype))
		return false;
	/* Each subvolume of btrfs has its own. */
	if (!strcmp(mount->fstype, "btrfs") && strcmp(mount->root, place->mount_root))
		return same_dev(place, mount);
	fsid_read(mount->fstype, root, fsid);
	return fsid[0] ? !strcmp(fsid, place->fsid) : same_dev(place, mount);
}

static bool is_read_only(int fd)
{
	struct statvfs fs;

	return !fstatvfs(fd, &fs) && (fs.f_flag & ST_RDONLY);
}

/* @path below the subtree @root of a filesystem, as the filesystem has it. */
static void join(const char *root, const char *path, char out[static 2 * PATH_MAX])
{
	snprintf(out, 2 * PATH_MAX, "%s/%s", strcmp(root, "/") ? root : "", path);
}

/* Takes mount @mount, seen by @pid, when it is the one that is looked for. */
typedef int (*take_fn)(const struct place *place, pid_t pid, const struct mount *mount,
		       struct located *out);

/* When it has the path of @place. Of what is mounted anew the number may be another, and its
 * number another's: what is written into it decides, where that is known of both. */
static int take(const struct place *place, pid_t pid, const struct mount *mount,
		struct located *out)
{
	char path_in_fs[2 * PATH_MAX];
	const char *below, *name;
	AUTO_FD fd = -1, folder = -1;

	/* Who may not answer is not asked for what is not wanted. */
	if (!same_dev(place, mount) && (!place->fsid[0] || !fsid_has(mount->fstype)))
		return -ENOENT;
	join(place->mount_root, place->path, path_in_fs);
	below = locate_below(mount->root, path_in_fs);
	if (!below)
		return -ENOENT;
	if (strlen(below) >= sizeof(out->path))
		return -ENAMETOOLONG;
	fd = mount_open_root(pid, mount->id);
	if (fd < 0)
		return TAKE_FD(fd);
	if (!is_same(place, mount, fd))
		return -ENOENT;
	if (place->writable && (is_read_only(fd) || mount->idmapped))
		return -EROFS;
	/* What covers it here need not cover it for others. */
	folder = beneath_open_parent(fd, below, &name);
	if (folder == -EXDEV)
		return TAKE_FD(folder);
	out->root_fd = TAKE_FD(fd);
	strcpy(out->path, below);
	return 0;
}

/* The mount that is at the mount point now, when it is one for @take. */
static int by_point(const struct place *place, take_fn take, struct located *out)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FD fd = -1;
	int id, ret;

	if (!place->mount_point)
		return -ENOENT;
	fd = open(place->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = mount_id_of_fd(fd, &id);
	ret = ret ?: mount_find(getpid(), id, &mount);
	return ret ?: take(place, getpid(), &mount, out);
}

/* What take_ours() is handed. */
struct search {
	const struct place *place;
	struct located *out;
};

static int take_ours(const struct mount *mount, void *data)
{
	const struct search *search = data;

	return take(search->place, getpid(), mount, search->out);
}

static int by_dev(const struct place *place, struct located *out)
{
	struct search search = {place, out};
	char path_in_fs[2 * PATH_MAX];

	join(place->mount_root, place->path, path_in_fs);
	return mount_try_by_dev(place->dev_major, place->dev_minor, path_in_fs, take_ours,
				&search);
}

/* Whether @holder is the very process that was recorded, not a later one of its id. */
static bool still_lives(const struct holder *holder)
{
	AUTO_FREE char *text = NULL;
	struct proctext_stat stat;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/stat", holder->pid);
	return !proctext_read(AT_FDCWD, name, &text) && !proctext_stat(text, &stat) &&
	       stat.start_time == holder->start_time;
}

static int by_holder(const struct place *place, struct located *out)
{
	/* The pids of another boot are other processes'. */
	if (!manifest_same_boot(place->manifest))
		return -ENOENT;
	for (size_t i = 0; i < place->n_holders; i++) {
		AUTO(mount_fini) struct mount mount = {0};
		const struct holder *holder = &place->holders[i];

		/* Holders come sorted, those of one process together. */
		if (i && holder->pid == place->holders[i - 1].pid)
			continue;
		if (still_lives(holder) &&
		    !mount_find(holder->pid, place->mnt_id, &mount) &&
		    !take(place, holder->pid, &mount, out))
			return 0;
	}
	return -ENOENT;
}

/* Where somebody says that the mount is: whatever device that has. */
static int by_root(const struct place *place, struct located *out, char **why)
{
	AUTO_FD fd = -1;

	if (!place->mount_point)
		return why_set(why, -ENOENT,
			       "its mount point is unknown, so it is below no root");
	if (strlen(place->path) >= sizeof(out->path))
		return -ENAMETOOLONG;
	fd = roots_open(place->manifest->roots, place->mount_point, why);
	if (fd < 0)
		return TAKE_FD(fd);
	out->root_fd = TAKE_FD(fd);
	strcpy(out->path, place->path);
	return 0;
}

/* Whether the mount is there, and what is below it (or we) cannot. */
static bool is_failure(int error)
{
	return error == -EIO || error == -ESTALE || error == -ENOTCONN ||
	       error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static int locate(const struct place *place, struct located *out, char **why)
{
	struct place wanted = *place;
	int ret = 0;

	if (place->manifest->roots)
		return by_root(place, out, why);
	/* Names of files on such a mount were made through another one. */
	for (int i = 0; i < 2; i++) {
		wanted.writable = i == 0;
		ret = by_point(&wanted, take, out);
		if (!ret || !by_dev(&wanted, out) || !by_holder(&wanted, out))
			return 0;
	}
	if (is_failure(ret))
		return why_set(why, ret, "cannot reach the mount at %s: %s%s",
			       place->mount_point, strerror(-ret), advice(ret));
	return why_set(
		why, -ENOENT,
		"filesystem %u:%u (it was mounted on %s) is not mounted here with %s "
		"in sight: mount it, or run this where it is mounted",
		place->dev_major, place->dev_minor,
		place->mount_point ? place->mount_point : "an unknown place",
		place->path);
}

/* Whether nobody but root and us may write to it. */
static int store_check(int fd, const char *path, char **why)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if ((st.st_uid && st.st_uid != geteuid()) || (st.st_mode & 022))
		return why_set(why, -EPERM,
			       "others may write to store %s: chown it to root and chmod "
			       "go-w it",
			       path);
	return 0;
}

/* The store below @base, at @path of it. */
static int store_open(const char *base, const char *path, char **why)
{
	AUTO_FD from = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	int ret;

	fd = from < 0
		     ? -errno
		     : beneath_open_mounts(from, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return why_set(
			why, fd,
			"cannot open store %s of %s: %s: --store DIR says where it "
			"is now",
			path, base, strerror(-fd));
	ret = store_check(fd, path, why);
	return ret ?: TAKE_FD(fd);
}

int locate_store(const struct store *store, const char *directory, char **why)
{
	const char *path = store->path, *base = mount_base(&path);
	int fd = -ENOENT;

	if (directory && store->beside)
		fd = store_open(directory, store->beside, why);
	return fd == -ENOENT ? store_open(base, path, why) : fd;
}

/* Whether @store went with its last copy: what it was in is there, and it is not. @path of it is
 * looked for from there then. */
static bool is_gone(const struct store *store, const char *path, struct located *out)
{
	const char *rest = store->path, *base = mount_base(&rest);
	const char *slash = strrchr(rest, '/'), *name = slash ? slash + 1 : rest;
	AUTO_FREE char *around = slash ? strndup(rest, slash - rest) : strdup(".");
	AUTO_FD root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (!store->own || !around || root < 0)
		return false;
	fd = beneath_open_mounts(root, around, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	/* What is in the place of a container's root that is not mounted tells nothing. */
	if (fd < 0 || fstat(fd, &st) || major(st.st_dev) != store->dev_major ||
	    minor(st.st_dev) != store->dev_minor)
		return false;
	if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT ||
	    snprintf(out->path, sizeof(out->path), "%s/%s", name, path) >=
		    (int)sizeof(out->path))
		return false;
	out->root_fd = TAKE_FD(fd);
	return true;
}

/* Where the store of @manifest is. */
static int in_store(const struct manifest *manifest, const char *path,
		    struct located *out, char **why)
{
	AUTO_FD fd = -1;
	int ret;

	if (strlen(path) >= sizeof(out->path))
		return -ENAMETOOLONG;
	if (!manifest->store_at) {
		AUTO_FREE char *reason = NULL;

		fd = locate_store(&manifest->store, manifest->directory, &reason);
		if (fd == -ENOENT && is_gone(&manifest->store, path, out))
			return 0;
		if (fd < 0)
			return why_set(why, fd, "%s", why_text(reason));
	} else {
		fd = open(manifest->store_at, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return why_set(why, -errno, "cannot open store %s: %m",
				       manifest->store_at);
		ret = store_check(fd, manifest->store_at, why);
		if (ret)
			return ret;
	}
	out->root_fd = TAKE_FD(fd);
	strcpy(out->path, path);
	return 0;
}

int locate_entry(const struct manifest *manifest, const struct manifest_entry *entry,
		 const char *path, struct located *out, char **why)
{
	if (!entry->store)
		return locate_home(manifest, entry, path, out, why);
	if (!entry->relink_path && locate_knows_home(manifest) &&
	    !locate_home(manifest, entry, path, out, NULL))
		return 0;
	return in_store(manifest, path, out, why);
}

bool locate_knows_home(const struct manifest *manifest)
{
	return manifest->roots || manifest_same_boot(manifest);
}

int locate_home(const struct manifest *manifest, const struct manifest_entry *entry,
		const char *path, struct located *out, char **why)
{
	const struct orphan *orphan = &entry->orphan;
	struct place place = {
		.manifest = manifest,
		.dev_major = orphan->dev_major,
		.dev_minor = orphan->dev_minor,
		.mount_point = orphan->mnt_point,
		.mount_root = entry->mount_root ? entry->mount_root : "/",
		.fsid = entry->fsid,
		.mnt_id = orphan->mnt_id,
		.holders = orphan->holders,
		.n_holders = orphan->n_holders,
		.path = path,
	};

	return locate(&place, out, why);
}

int locate_folder(const struct manifest *manifest, const struct manifest_folder *folder,
		  struct located *out, char **why)
{
	/* Where it is one in the store, all of this is unset. */
	struct holder holder = {.pid = folder->pid, .start_time = folder->start_time};
	struct place place = {
		.manifest = manifest,
		.dev_major = folder->dev_major,
		.dev_minor = folder->dev_minor,
		.mount_point = folder->mount_point,
		.mount_root = folder->mount_root,
		.fsid = folder->fsid,
		.mnt_id = folder->mnt_id,
		.holders = &holder,
		.n_holders = 1,
		.path = folder->path,
	};

	if (folder->store)
		return in_store(manifest, folder->path, out, why);
	return locate(&place, out, why);
}

/* When it is the one of @place. */
static int take_exact(const struct place *place, pid_t pid, const struct mount *mount,
		      struct located *out)
{
	if (!same_dev(place, mount) || strcmp(mount->root, place->mount_root))
		return -ENOENT;
	out->root_fd = mount_open_root(pid, mount->id);
	return out->root_fd < 0 ? out->root_fd : 0;
}

static int exact_by_id(const struct place *place, struct located *out)
{
	AUTO(mount_fini) struct mount ours = {0};
	int ret = -ENOENT;

	/* The numbers of another boot are other mounts'. */
	if (!manifest_same_boot(place->manifest))
		return ret;
	if (!mount_find(getpid(), place->mnt_id, &ours))
		ret = take_exact(place, getpid(), &ours, out);
	for (size_t i = 0; i < place->n_holders && ret; i++) {
		AUTO(mount_fini) struct mount mount = {0};
		const struct holder *holder = &place->holders[i];

		if (still_lives(holder) &&
		    !mount_find(holder->pid, place->mnt_id, &mount))
			ret = take_exact(place, holder->pid, &mount, out);
	}
	return ret;
}

/* Sets @out->path to the relink name of @entry below the subtree @root. */
static void see_name(const struct manifest_entry *entry, const char *root,
		     struct located *out)
{
	const char *entry_root = entry->mount_root ? entry->mount_root : "/", *below;
	char path_in_fs[2 * PATH_MAX];

	out->path[0] = '\0';
	if (!entry->relink_path)
		return;
	join(entry_root, entry->relink_path, path_in_fs);
	below = locate_below(root, path_in_fs);
	if (below && strlen(below) < sizeof(out->path))
		strcpy(out->path, below);
}

int locate_via(const struct manifest *manifest, const struct manifest_entry *entry,
	       const struct holder *holder, struct located *out, char **why)
{
	const struct orphan *orphan = &entry->orphan;
	struct place place = {
		.manifest = manifest,
		.dev_major = orphan->dev_major,
		.dev_minor = orphan->dev_minor,
		.mount_point = holder->via.point,
		.mount_root = holder->via.root,
		.fsid = entry->fsid,
		.mnt_id = holder->via.id,
		.holders = orphan->holders,
		.n_holders = orphan->n_holders,
		.path = "",
	};
	int ret = -ENOENT;

	if (!place.mount_point || !place.mount_root)
		return why_set(why, -ENOENT, "it was taken away before the checkpoint");
	if (manifest->roots)
		ret = by_root(&place, out, why);
	else if (exact_by_id(&place, out))
		ret = by_point(&place, take_exact, out);
	else
		ret = 0;
	if (!ret)
		see_name(entry, place.mount_root, out);
	return ret ? why_set(why, ret, "it is not in sight here") : 0;
}

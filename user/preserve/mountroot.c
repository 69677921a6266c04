/* SPDX-License-Identifier: GPL-2.0-only */
#include "mountroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/why.h"
#include "beneath.h"
#include "proc/process.h"

/* What can be done by hand where no name can be made. */
#define BY_HAND "copy /proc/%d/fd/N, or map_files, by hand before the process ends"

/* A path has no more folders than this. */
#define CLIMB_MAX (PATH_MAX / 2)

void mountroot_fini(struct mountroot *root)
{
	mount_fini(&root->mount);
	auto_close(&root->fd);
	*root = (struct mountroot)MOUNTROOT_INIT;
}

/* 1 when directory @fd is the root of mount @id, 0 when it is below, -ENOENT elsewhere. */
static int is_root(int fd, int id)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID,
		  &stx))
		return -errno;
	if (!(stx.stx_mask & STATX_MNT_ID) || stx.stx_mnt_id != (uint64_t)id)
		return -ENOENT;
	return !!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* From directory @from up to the root of mount @id. Where that is covered, the last step
 * would lead onto what covers it, and is refused. -errno. */
static int climb(int from, int id)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	AUTO_FD fd = from;

	for (int i = 0; i < CLIMB_MAX; i++) {
		int ret = is_root(fd, id), up;

		if (ret)
			return ret < 0 ? ret : TAKE_FD(fd);
		up = syscall(SYS_openat2, fd, "..", &how, sizeof(how));
		if (up < 0)
			return -errno;
		close(fd);
		fd = up;
	}
	return -ELOOP;
}

/* By directory @name in @proc, such as "cwd" or "7": a link of /proc leads to the very
 * mount, whatever covers it. O_PATH | O_DIRECTORY opens nothing else. */
static int by_link(int proc, const char *name, int id)
{
	int fd = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : climb(fd, id);
}

static int by_process(pid_t pid, int id)
{
	AUTO_FD proc = process_pin(pid, 0), fds = -1;
	AUTO_DIR *dir = NULL;
	struct dirent *entry;
	int fd;

	if (proc < 0)
		return TAKE_FD(proc);
	fd = by_link(proc, "cwd", id);
	if (fd < 0)
		fd = by_link(proc, "root", id);
	if (fd >= 0)
		return fd;
	fds = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fds < 0 ? NULL : fdopendir(fds);
	if (!dir)
		return -errno;
	TAKE_FD(fds);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		fd = by_link(dirfd(dir), entry->d_name, id);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

static bool is_read_only(int fd)
{
	struct statvfs fs;

	return !fstatvfs(fd, &fs) && (fs.f_flag & ST_RDONLY);
}

/* For take_other(). */
struct search {
	const struct mount *wanted;
	int fd; /* what was found; owned */
};

/* Whether the root of the wanted mount is below that of @other, a mount of ours. */
static int take_other(const struct mount *other, void *data)
{
	struct search *search = data;
	size_t len = strcmp(other->root, "/") ? strlen(other->root) : 0;
	const char *below = search->wanted->root + len;
	AUTO_FD root = -1, fd = -1;

	root = mount_open_root(getpid(), other->id);
	if (root < 0)
		return root;
	if (is_read_only(root))
		return -EROFS;
	if (other->idmapped)
		return -EOVERFLOW;
	while (*below == '/')
		below++;
	fd = beneath_open(root, *below ? below : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	search->fd = TAKE_FD(fd);
	return 0;
}

static int by_other_mount(const struct mount *wanted)
{
	struct search search = {.wanted = wanted, .fd = -1};
	int ret = mount_try_by_dev(wanted->dev_major, wanted->dev_minor, wanted->root,
				   take_other, &search);

	return ret ?: search.fd;
}

/* What mountinfo says of mount @id. */
static int find(pid_t pid, int id, struct mount *mount)
{
	int ret;

	/* What was read before may be of an earlier mount with this id. */
	mount_cache_drop();
	ret = mount_find(pid, id, mount);
	if (ret == -ENOENT || ret == -ESRCH)
		ret = mount_find(getpid(), id, mount);
	return ret;
}

/* The root was not reached (@ret), or read-only. */
static int detour(pid_t pid, struct mountroot *root, int ret, char **why)
{
	const struct mount *mount = &root->mount;
	int fd = by_other_mount(mount);

	if (fd >= 0) {
		auto_close(&root->fd);
		root->fd = fd;
		root->detour = ret == -EROFS	   ? "its mount is read-only"
			       : ret == -EOVERFLOW ? "its mount is idmapped"
						   : "another mount covers its mount";
		return 0;
	}
	/* Whose ids it does take may be ours; else what is made there fails. */
	if (ret == -EOVERFLOW)
		return 0;
	if (ret == -EROFS)
		return why_set(why, ret,
			       "mount %d at %s is read-only, and no other mount of its "
			       "filesystem is writable here: " BY_HAND,
			       mount->id, mount->point, pid);
	if (ret == -EXDEV)
		return why_set(why, ret,
			       "another mount covers mount %d at %s, and no directory "
			       "that process %d has open nor another mount of its "
			       "filesystem leads there: " BY_HAND,
			       mount->id, mount->point, pid, pid);
	return why_set(
		why, ret, "cannot reach mount %d at %s of process %d: %s%s", mount->id,
		mount->point, pid, strerror(-ret),
		caps_refused(ret, caps_have(CAPS_REACH) ? CAPS_PROC_READ : CAPS_REACH));
}

int mountroot_open(pid_t pid, int id, struct mountroot *out, char **why)
{
	AUTO(mountroot_fini) struct mountroot root = MOUNTROOT_INIT;
	int ret = find(pid, id, &root.mount);

	if (ret == -ENOENT)
		return why_set(
			why, ret,
			"mount %d of process %d is in no mount table: it was taken "
			"away (umount -l), so that a name there could not be found "
			"again: " BY_HAND,
			id, pid, pid);
	if (ret)
		return why_set(why, ret, "cannot look for mount %d of process %d: %s%s",
			       id, pid, strerror(-ret),
			       caps_refused(ret, CAPS_PROC_READ));
	root.fd = mount_open_root(pid, id);
	if (root.fd == -ENOTDIR)
		return why_set(why, -ENOTDIR,
			       "mount %d at %s of process %d is a single file: there is "
			       "no folder to make names in: " BY_HAND,
			       id, root.mount.point, pid, pid);
	ret = root.fd < 0 ? root.fd : 0;
	if (ret == -EXDEV || ret == -ENOENT) {
		root.fd = by_process(pid, id);
		ret = root.fd < 0 ? ret : 0;
	}
	if (!ret && is_read_only(root.fd))
		ret = -EROFS;
	/* It takes files of the ids that it maps only (fs/namei.c, may_create), and shows
	 * other owners than the files have. */
	if (!ret && root.mount.idmapped)
		ret = -EOVERFLOW;
	if (ret)
		ret = detour(pid, &root, ret, why);
	if (ret)
		return ret;
	*out = root;
	root = (struct mountroot)MOUNTROOT_INIT;
	return 0;
}

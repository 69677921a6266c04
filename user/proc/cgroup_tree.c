/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/openat2.h>

#include "base/auto.h"
#include "mount.h"
#include "ownfd.h"
#include "proctext.h"

/* The handle of a kernfs node is its 64-bit id: FILEID_KERNFS, linux/exportfs.h. */
#define KERNFS_HANDLE_TYPE 0xfe

union kernfs_handle {
	struct file_handle header;
	char bytes[sizeof(struct file_handle) + sizeof(uint64_t)];
};

/* The v2 tree as it is mounted here: the directory @point shows the cgroup @root. */
static struct mount tree;
static int tree_fd = -1;

bool cgroup_fd_is_v2(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

int cgroup_tree_open(void)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FD fd = -1;
	int err;

	if (tree_fd >= 0)
		return 0;
	err = mount_find_by_type("cgroup2", &mount);
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	/* Not O_PATH: open_by_handle_at(2) does not take one. */
	fd = open(mount.point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!cgroup_fd_is_v2(fd))
		return -ENODEV; /* something is mounted over it */
	tree = mount;
	mount = (struct mount){0};
	tree_fd = TAKE_FD(fd);
	return 0;
}

const char *cgroup_tree_point(void)
{
	return tree.point;
}

const char *cgroup_tree_root(void)
{
	return tree.root;
}

void cgroup_tree_drop(void)
{
	auto_close(&tree_fd);
	tree_fd = -1;
	mount_fini(&tree);
	tree = (struct mount){0};
}

const char *cgroup_path_below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (len && dir[len - 1] == '/')
		len--;
	if (strncmp(path, dir, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path + len + strspn(path + len, "/");
}

/* @dir and @below as one path. */
static char *path_join(const char *dir, const char *below)
{
	size_t len = strlen(dir);
	char *path;

	while (len && dir[len - 1] == '/')
		len--;
	if (asprintf(&path, "%.*s%s%s", (int)len, dir, *below || !len ? "/" : "", below) <
	    0)
		return NULL;
	return path;
}

int cgroup_tree_open_below(const char *below)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int err = cgroup_tree_open();
	int fd;

	if (err)
		return err;
	below += strspn(below, "/");
	fd = syscall(SYS_openat2, tree_fd, *below ? below : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int cgroup_fd_id(int fd, uint64_t *id)
{
	union kernfs_handle handle = {.header.handle_bytes = sizeof(uint64_t)};
	int mount_id;

	if (name_to_handle_at(fd, "", &handle.header, &mount_id, AT_EMPTY_PATH))
		return -errno;
	if (handle.header.handle_type != KERNFS_HANDLE_TYPE)
		return -EOPNOTSUPP;
	memcpy(id, handle.header.f_handle, sizeof(*id));
	return 0;
}

/* Whether the directory open as @fd is the one that @path leads to. */
static bool fd_is_at(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int cgroup_fd_path(int fd, char **path)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FREE char *text = NULL;
	const char *below;
	char *joined;
	int id, err = ownfd_path(fd, &text);

	if (!err)
		err = mount_id_of_fd(fd, &id);
	if (!err)
		err = mount_find(getpid(), id, &mount);
	if (err)
		return err;
	/* The name may end with " (deleted)" by itself. */
	if (proctext_is_deleted(text) && !fd_is_at(fd, text))
		return -ESTALE;
	below = cgroup_path_below(mount.point, text);
	if (!below)
		return -EXDEV;
	joined = path_join(mount.root, below);
	if (!joined)
		return -ENOMEM;
	*path = joined;
	return 0;
}

int cgroup_tree_open_id(uint64_t id)
{
	union kernfs_handle handle = {.header = {.handle_bytes = sizeof(id),
						 .handle_type = KERNFS_HANDLE_TYPE}};
	int err = cgroup_tree_open();
	int fd;

	if (err)
		return err;
	memcpy(handle.header.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(tree_fd, &handle.header, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

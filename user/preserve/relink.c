/* SPDX-License-Identifier: GPL-2.0-only */
#include "relink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "beneath.h"
#include "source.h"
#include "base/why.h"

size_t relink_next_folder(const char *path, size_t from)
{
	const char *slash = strchr(path + from + (from > 0), '/');

	return slash ? slash - path : 0;
}

/* Opens folder @path and looks whether it can be used. */
static int folder_open(int root_fd, const char *path, struct stat *st, char **why)
{
	AUTO_FD fd = beneath_open(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

	if (fd == -ENOENT)
		return fd;
	if (fd == -ELOOP || fd == -ENOTDIR)
		return why_set(why, fd,
			       "%s is not a folder: move it away, or choose "
			       "another --template",
			       path);
	if (fd == -EXDEV)
		return why_set(why, fd,
			       "%s is on another mount: choose another --template", path);
	if (fd < 0)
		return why_set(why, fd, "cannot open folder %s: %s", path, strerror(-fd));
	if (fstat(fd, st))
		return why_set(why, -errno, "cannot look at folder %s: %m", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return why_set(why, -EPERM,
			       "folder %s belongs to user %u, who could take "
			       "the names away: choose another --template",
			       path, st->st_uid);
	if ((st->st_mode & 022) && !(st->st_mode & S_ISVTX))
		return why_set(why, -EPERM,
			       "others may write to folder %s, and take the names away: "
			       "chmod go-w it, or choose another --template",
			       path);
	return 0;
}

int relink_make_folder(int root_fd, const char *path, bool *made, uint64_t *ino,
		       char **why)
{
	AUTO_FD parent = -1;
	bool by_us = false;
	const char *name;
	struct stat st;
	int ret = folder_open(root_fd, path, &st, why);

	if (ret == -ENOENT) {
		parent = beneath_open_parent(root_fd, path, &name);
		if (parent < 0)
			return why_set(why, parent, "cannot open the folder of %s: %s",
				       path, strerror(-parent));
		/* Somebody may make it at the same time: then it is judged as theirs. */
		by_us = !mkdirat(parent, name, 0700);
		if (!by_us && errno != EEXIST)
			return why_set(why, -errno, "cannot make folder %s: %m", path);
		ret = folder_open(root_fd, path, &st, why);
		if (ret == -ENOENT)
			why_set(why, ret, "folder %s was taken away", path);
	}
	if (ret)
		return ret;
	*made = by_us;
	*ino = st.st_ino;
	return 0;
}

int relink_link(int fd, const struct stat *st, int dir_fd, const char *name)
{
	struct stat now;
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, link, dir_fd, name, AT_SYMLINK_FOLLOW))
		return -errno;
	if (fstatat(dir_fd, name, &now, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (now.st_ino == st->st_ino && now.st_dev == st->st_dev)
		return 0;
	/* Somebody renamed another file onto it: theirs, so it stays. */
	return -ESTALE;
}

static int identity_check(int fd, const struct relink_identity *identity)
{
	uint32_t generation;
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if ((st.st_mode & S_IFMT) != identity->type || st.st_ino != identity->ino)
		return -ESTALE;
	if (!identity->has_generation)
		return 0;
	ret = source_generation(fd, &generation);
	if (ret == -EOPNOTSUPP)
		return 0;
	return ret ?: generation == identity->generation ? 0 : -ESTALE;
}

int relink_open(int root_fd, const char *path, const struct relink_identity *identity,
		char **why)
{
	AUTO_FD fd = beneath_open(root_fd, path, O_PATH | O_NOFOLLOW);
	int ret;

	if (fd == -ENOENT)
		return why_set(why, fd, "%s does not exist", path);
	if (fd < 0)
		return why_set(why, fd, "cannot open %s: %s", path, strerror(-fd));
	ret = identity_check(fd, identity);
	if (ret == -ESTALE)
		return why_set(why, ret, "%s is another file than the one recorded",
			       path);
	if (ret)
		return why_set(why, ret, "cannot look at %s: %s", path, strerror(-ret));
	return TAKE_FD(fd);
}

int relink_remove(int root_fd, const char *path, const struct relink_identity *identity,
		  char **why)
{
	AUTO_FD fd = relink_open(root_fd, path, identity, why), parent = -1;
	const char *name;

	if (fd < 0)
		return fd;
	parent = beneath_open_parent(root_fd, path, &name);
	if (parent < 0)
		return why_set(why, parent, "cannot open the folder of %s: %s", path,
			       strerror(-parent));
	if (unlinkat(parent, name, 0))
		return why_set(why, -errno, "cannot remove %s: %m", path);
	return 0;
}

int relink_remove_folder(int root_fd, const char *path, uint64_t ino)
{
	AUTO_FD parent = -1;
	const char *name;
	struct stat st;

	parent = beneath_open_parent(root_fd, path, &name);
	if (parent < 0)
		return parent;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_ino != ino)
		return -ESTALE;
	return unlinkat(parent, name, AT_REMOVEDIR) ? -errno : 0;
}

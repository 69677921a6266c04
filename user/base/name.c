/* SPDX-License-Identifier: GPL-2.0-only */
#include "name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

bool name_may_be_made(int error)
{
	switch (-error) {
	case 0:
	case EACCES:
	case EBADF:
	case EBUSY:
	case EDQUOT:
	case EEXIST:
	case EFAULT:
	case EFBIG:
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case EMFILE:
	case EMLINK:
	case ENAMETOOLONG:
	case ENFILE:
	case ENODEV:
	case ENOENT:
	case ENOSPC:
	case ENOSYS:
	case ENOTDIR:
	case ENOTEMPTY:
	case ENXIO:
	case EOPNOTSUPP:
	case EOVERFLOW:
	case EPERM:
	case EROFS:
	case EXDEV:
		return false;
	}
	return true;
}

int name_leads_to(int dir_fd, const char *name, const struct stat *st)
{
	struct stat now;

	if (fstatat(dir_fd, name, &now, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return now.st_ino == st->st_ino && now.st_dev == st->st_dev ? 0 : -ESTALE;
}

/* The first step of two, or for a directory the only one. 0 or -errno. */
static int move_plainly(int dir_fd, const char *from, const char *to,
			const struct stat *st)
{
	struct stat theirs;

	if (!S_ISDIR(st->st_mode))
		return linkat(dir_fd, from, dir_fd, to, 0) ? -errno : 0;
	if (!fstatat(dir_fd, to, &theirs, AT_SYMLINK_NOFOLLOW))
		return -EEXIST;
	return renameat(dir_fd, from, dir_fd, to) ? -errno : 0;
}

/* Removes what is left of the old name. 0 or -errno. */
static int remove_old(int dir_fd, const char *from, const struct stat *st)
{
	if (S_ISDIR(st->st_mode) || !unlinkat(dir_fd, from, 0) || errno == ENOENT)
		return 0;
	return -errno;
}

int name_move(int dir_fd, const char *from, const char *to, const struct stat *st,
	      struct name_moved *moved)
{
	int ret = renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) ? -errno : 0;
	bool plainly = ret == -EINVAL || ret == -ENOSYS;

	*moved = (struct name_moved){0};
	if (plainly)
		ret = move_plainly(dir_fd, from, to, st);
	if (ret == -EEXIST || name_may_be_made(ret)) {
		/* Nobody else can have given it that name: it had one. */
		if (name_leads_to(dir_fd, to, st)) {
			moved->doubt = ret != -EEXIST;
			return ret;
		}
		ret = 0;
		plainly = true;
	}
	if (!ret && plainly)
		moved->left = remove_old(dir_fd, from, st);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "relink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/advice.h"
#include "base/caps.h"
#include "base/name.h"
#include "beneath.h"
#include "source.h"
#include "manifest/manifest.h"
#include "manifest/template.h"
#include "base/why.h"

struct relink_identity relink_identity_of(const struct manifest_entry *entry)
{
	return (struct relink_identity){
		.type = entry->orphan.mode & S_IFMT,
		.ino = entry->relinked.ino,
		.has_generation = entry->relinked.has_generation,
		.generation = entry->relinked.generation,
	};
}

size_t relink_next_folder(const char *path, size_t from)
{
	const char *slash = strchr(path + from + (from > 0), '/');

	return slash ? slash - path : 0;
}

/* Why folder @path could not be opened below its own (@fd is the error). */
static int folder_refused(int fd, const char *path, char **why)
{
	if (fd == -ENOENT)
		return why_set(why, fd, "folder %s was taken away", path);
	if (fd == -ELOOP || fd == -ENOTDIR)
		return why_set(why, fd,
			       "%s is not a folder: move it away, or choose "
			       "another --template",
			       path);
	if (fd == -EXDEV)
		return why_set(why, fd,
			       "%s is on another mount: choose another --template", path);
	return why_set(why, fd, "cannot open folder %s: %s%s", path, strerror(-fd),
		       caps_refused(fd, CAPS_REACH));
}

/* Whether folder @path, which is open as @fd, can be used. */
static int folder_judge(int fd, const char *path, struct stat *st, char **why)
{
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

/* Whether names can be made in folder @path, which is open as @fd, and removed again. */
static int folder_takes_names(int fd, const char *path, char **why)
{
	const char *seal = advice_seal(fd);

	return seal ? why_set(why, -EPERM, "folder %s is %s", path, seal) : 0;
}

/* Opens folder @path and looks whether it can be used. */
static int folder_open(int root_fd, const char *path, struct stat *st, char **why)
{
	AUTO_FD fd = beneath_open(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

	if (fd == -ENOENT)
		return fd;
	return fd < 0 ? folder_refused(fd, path, why) : folder_judge(fd, path, st, why);
}

int relink_check_folder(int root_fd, const char *path, char **why)
{
	struct stat st;

	return folder_open(root_fd, path, &st, why);
}

int relink_leads_to(int root_fd, const char *path, const struct stat *st)
{
	AUTO_FD fd = beneath_open(root_fd, path, O_PATH | O_NOFOLLOW);
	struct stat now;

	if (fd < 0)
		return TAKE_FD(fd);
	if (fstat(fd, &now))
		return -errno;
	return now.st_ino == st->st_ino && now.st_dev == st->st_dev ? 0 : -ESTALE;
}

/* Whether what @path leads to by now is the folder that was opened, of @st. */
static int folder_is_there(int root_fd, const char *path, const struct stat *st,
			   char **why)
{
	return relink_leads_to(root_fd, path, st)
		       ? why_set(why, -ESTALE, "folder %s was moved while it was opened",
				 path)
		       : 0;
}

int relink_open_folder(int root_fd, const char *relink_path, const char **name,
		       char **why)
{
	AUTO_FD dir = beneath_open(root_fd, ".", O_PATH | O_DIRECTORY);
	char path[RELINK_PATH_MAX] = ".";
	size_t from = 0, len;
	bool closed = false;
	struct stat st;
	int ret;

	if (dir < 0 || fstat(dir, &st))
		return why_set(why, dir < 0 ? dir : -errno,
			       "cannot open the root of the mount: %s",
			       strerror(dir < 0 ? -dir : errno));
	for (; (len = relink_next_folder(relink_path, from)); from = len) {
		AUTO_FD next = -1;

		if (len >= sizeof(path))
			return why_set(why, -ENAMETOOLONG, "the path is too long");
		memcpy(path, relink_path, len);
		path[len] = '\0';
		next = beneath_open(dir, path + from + (from > 0),
				    O_PATH | O_DIRECTORY | O_NOFOLLOW);
		ret = next < 0 ? folder_refused(next, path, why)
			       : folder_judge(next, path, &st, why);
		if (ret)
			return ret;
		closed |= !(st.st_mode & 011);
		close(dir);
		dir = TAKE_FD(next);
	}
	if (st.st_mode & 022)
		return why_set(why, -EPERM,
			       "others may write to folder %s: give the names a folder "
			       "of their own in it by --template",
			       path);
	if (!closed)
		return why_set(
			why, -EPERM,
			"others can reach the names in folder %s: chmod go= it, or "
			"give the names a folder of their own by --template",
			path);
	ret = folder_takes_names(dir, path, why);
	ret = ret ?: folder_is_there(root_fd, path, &st, why);
	if (ret)
		return ret;
	*name = relink_path + from + (from > 0);
	return TAKE_FD(dir);
}

int relink_link(int fd, const struct stat *st, int dir_fd, const char *name, bool *doubt)
{
	int ret, leads;
	char link[64];

	*doubt = false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ret = linkat(AT_FDCWD, link, dir_fd, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
	if (ret && !name_may_be_made(ret))
		return ret;
	leads = name_leads_to(dir_fd, name, st);
	*doubt = ret && leads;
	if (*doubt)
		return ret;
	/* It is there; whether it can be reached is for the caller to see. Where somebody
	 * renamed another file onto it, that is theirs and stays. */
	return leads == -ENOENT || leads == -ESTALE ? leads : 0;
}

/* A difference in what a move to another filesystem keeps. */
static int moved_check(const struct stat *st, const struct relink_identity *identity,
		       char **why)
{
	if ((st->st_mode & S_IFMT) != identity->type)
		return why_set(why, -ESTALE, "it is of another type");
	if ((st->st_mode & 07777) != identity->mode)
		return why_set(why, -ESTALE, "its mode is %04o, %04o was recorded",
			       st->st_mode & 07777, identity->mode);
	if (st->st_uid != identity->uid || st->st_gid != identity->gid)
		return why_set(why, -ESTALE, "its owner is %u:%u, %u:%u was recorded",
			       st->st_uid, st->st_gid, identity->uid, identity->gid);
	if (identity->in_use)
		return 0;
	if (S_ISREG(st->st_mode) && (uint64_t)st->st_size != identity->size)
		return why_set(why, -ESTALE, "it has %lld bytes, %llu were recorded",
			       (long long)st->st_size,
			       (unsigned long long)identity->size);
	if (S_ISREG(st->st_mode) && identity->has_mtime &&
	    (st->st_mtim.tv_sec != identity->mtime.tv_sec ||
	     st->st_mtim.tv_nsec != identity->mtime.tv_nsec))
		return why_set(why, -ESTALE,
			       "it was modified at %lld.%09ld, %lld.%09ld was recorded",
			       (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
			       (long long)identity->mtime.tv_sec,
			       identity->mtime.tv_nsec);
	return 0;
}

/* Whether it is the very inode. */
static int inode_check(int fd, const struct stat *st,
		       const struct relink_identity *identity)
{
	uint32_t generation;
	int ret;

	if ((st->st_mode & S_IFMT) != identity->type || st->st_ino != identity->ino)
		return -ESTALE;
	if (!identity->has_generation)
		return 0;
	ret = source_generation(fd, &generation);
	if (ret == -EOPNOTSUPP)
		return 0;
	return ret ?: generation == identity->generation ? 0 : -ESTALE;
}

int relink_check(int fd, const struct relink_identity *identity, char **why)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (identity->moved)
		return moved_check(&st, identity, why);
	ret = inode_check(fd, &st, identity);
	return ret == -ESTALE && identity->movable ? moved_check(&st, identity, why)
						   : ret;
}

int relink_open(int root_fd, const char *path, const struct relink_identity *identity,
		char **why)
{
	AUTO_FD fd = beneath_open(root_fd, path, O_PATH | O_NOFOLLOW);
	AUTO_FREE char *different = NULL;
	int ret;

	if (fd == -ENOENT)
		return why_set(why, fd, "%s does not exist", path);
	if (fd < 0)
		return why_set(why, fd, "cannot open %s: %s%s", path, strerror(-fd),
			       caps_refused(fd, CAPS_REACH));
	ret = relink_check(fd, identity, &different);
	if (ret == -ESTALE)
		return why_set(why, ret, "%s is another file than the one recorded%s%s",
			       path, different ? ": " : "", different ? different : "");
	if (ret)
		return why_set(why, ret, "cannot look at %s: %s", path, strerror(-ret));
	return TAKE_FD(fd);
}

/* Why @path, which is open as @fd, cannot be removed from @parent (@error). */
static int removal_refused(int error, int fd, int parent, const char *path, char **why)
{
	const char *its = error == -EPERM ? advice_seal(fd) : NULL;
	const char *above = error == -EPERM && !its ? advice_seal(parent) : NULL;

	return why_set(why, error, "cannot remove %s: %s%s%s%s%s%s", path,
		       strerror(-error), its ? ": it is " : "", its ? its : "",
		       above ? ": its folder is " : "", above ? above : "",
		       its || above ? "" : caps_refused(error, CAPS_REACH));
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
	/* The folder may be another one by now. No call removes a name only if it is of
	 * a certain file; but whoever can put another name here could also remove it. */
	close(fd);
	fd = relink_open(parent, name, identity, why);
	if (fd < 0)
		return fd;
	if (unlinkat(parent, name, 0))
		return removal_refused(-errno, fd, parent, path, why);
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
	if (!S_ISDIR(st.st_mode) || (ino && st.st_ino != ino))
		return -ESTALE;
	return unlinkat(parent, name, AT_REMOVEDIR) ? -errno : 0;
}

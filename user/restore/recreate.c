/* SPDX-License-Identifier: GPL-2.0-only */
#include "recreate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "base/name.h"
#include "preserve/carry.h"
#include "preserve/source.h"
#include "preserve/beneath.h"
#include "den.h"
#include "base/why.h"

static int make_node(int dir_fd, const char *name, const struct manifest_entry *entry)
{
	const struct orphan *orphan = &entry->orphan;
	dev_t rdev = makedev(orphan->rdev_major, orphan->rdev_minor);
	int ret;

	if (S_ISDIR(orphan->mode))
		ret = mkdirat(dir_fd, name, 0700);
	else if (S_ISLNK(orphan->mode))
		ret = symlinkat(entry->link_target, dir_fd, name);
	else
		ret = mknodat(dir_fd, name, (orphan->mode & S_IFMT) | 0600,
			      S_ISCHR(orphan->mode) || S_ISBLK(orphan->mode) ? rdev : 0);
	return ret ? -errno : 0;
}

/* Everything but the type, which it was made with. What cannot be given to it is logged:
 * the program is better off with the file than without. */
static int set_attributes(int fd, const struct manifest_entry *entry)
{
	const struct orphan *orphan = &entry->orphan;
	struct stat st = {
		.st_mode = orphan->mode, .st_uid = orphan->uid, .st_gid = orphan->gid};
	AUTO(attributes_fini) struct attributes none = {0};
	const struct attributes *attributes = &entry->attributes;
	AUTO_FREE char *missing = NULL;
	int ret = 0;

	if (!entry->has_attributes) {
		none.atime.tv_nsec = none.mtime.tv_nsec = UTIME_OMIT;
		attributes = &none;
	}
	if (S_ISDIR(orphan->mode)) {
		AUTO_FD opened = source_reopen(fd);

		ret = opened < 0 ? opened : carry_prepare(opened, attributes, &missing);
	}
	ret = ret ?: carry_write(fd, NULL, &st, attributes, &missing);
	if (missing)
		log_warning("orphan%u is made again without %s", entry->n, missing);
	return ret;
}

/* Whether @st can be what make_node() made, with nothing done to it yet. Only root could
 * have put something else there, see relink_open_folder(). */
static bool is_new(const struct stat *st, const struct orphan *orphan)
{
	if ((st->st_mode & S_IFMT) != (orphan->mode & S_IFMT) || st->st_uid != geteuid())
		return false;
	/* A directory has 2 links, or 1 on btrfs. */
	if (S_ISDIR(st->st_mode))
		return st->st_nlink <= 2 && !(st->st_mode & 077);
	return st->st_nlink == 1 && (S_ISLNK(st->st_mode) || !(st->st_mode & 077));
}

static int remove_node(int dir_fd, const char *name, const struct orphan *orphan)
{
	return unlinkat(dir_fd, name, S_ISDIR(orphan->mode) ? AT_REMOVEDIR : 0) ? -errno
										: 0;
}

int recreate_bare(int dir_fd, const char *name, const struct manifest_entry *entry,
		  char **why)
{
	AUTO_FD fd = -1;
	struct stat st, now;
	int ret = make_node(dir_fd, name, entry);

	/* What was made though the kernel says otherwise is as good, if it is the one. */
	if (name_may_be_made(ret)) {
		fd = beneath_open(dir_fd, name, O_PATH | O_NOFOLLOW);
		ret = fd < 0 ? ret : 0;
	}
	if (ret)
		return why_set(
			why, ret, "cannot make %s again: %s%s", name, strerror(-ret),
			caps_refused(ret, S_ISCHR(entry->orphan.mode) ||
							  S_ISBLK(entry->orphan.mode)
						  ? CAPS_RECREATE
						  : CAPS_REACH));
	if (fd < 0)
		fd = beneath_open(dir_fd, name, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return why_set(why, fd, "%s was taken away: %s", name, strerror(-fd));
	if (fstat(fd, &st))
		return -errno;
	/* By the name, which is the only one then: what was opened may have had another one, and
	 * be there no more. */
	if (fstatat(dir_fd, name, &now, AT_SYMLINK_NOFOLLOW) || now.st_dev != st.st_dev ||
	    now.st_ino != st.st_ino || !is_new(&now, &entry->orphan))
		return why_set(why, -ESTALE, "%s was replaced while it was made", name);
	return TAKE_FD(fd);
}

int recreate_dress(int fd, const char *name, const struct manifest_entry *entry,
		   char **why)
{
	int ret = set_attributes(fd, entry);

	return ret ? why_set(why, ret, "cannot make %s again: %s%s", name, strerror(-ret),
			     carry_refused(ret))
		   : 0;
}

int recreate_at(int dir_fd, const char *name, const struct manifest_entry *entry,
		char **why)
{
	AUTO_FD fd = recreate_bare(dir_fd, name, entry, why);
	int ret = fd < 0 ? fd : recreate_dress(fd, name, entry, why);

	if (!ret)
		return TAKE_FD(fd);
	if (fd >= 0)
		remove_node(dir_fd, name, &entry->orphan);
	return ret;
}

int recreate(const struct manifest *manifest, const struct manifest_entry *entry,
	     char **why)
{
	AUTO(den_fini) struct den den = DEN_INIT;
	AUTO_FD fd = -1;
	int ret = den_make(manifest, entry, &den, why);

	if (ret)
		return ret;
	fd = recreate_at(den.fd, DEN_NAME, entry, why);
	if (fd < 0)
		return TAKE_FD(fd);
	ret = remove_node(den.fd, DEN_NAME, &entry->orphan);
	if (ret)
		return why_set(why, ret, "cannot remove it again: %s", strerror(-ret));
	return TAKE_FD(fd);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/auto.h"
#include "base/why.h"
#include "proc/mount.h"
#include "proc/ownfd.h"
#include "proc/proctext.h"

void source_fini(struct source *source)
{
	if (!source->is_lent)
		auto_close(&source->fd);
	auto_close(&source->readable);
	source->fd = source->readable = -1;
	free(TAKE_PTR(source->path));
}

int source_reopen(int fd)
{
	/* O_NONBLOCK: a mandatory lease must not make us wait. */
	int readable = ownfd_open(fd, O_RDONLY | O_NONBLOCK | O_NOATIME);

	return readable == -EPERM ? ownfd_open(fd, O_RDONLY | O_NONBLOCK) : readable;
}

int source_reading(struct source *source)
{
	int readable;

	if (source->is_readable)
		return source->fd;
	if (source->readable >= 0)
		return source->readable;
	readable = source_reopen(source->fd);
	if (readable >= 0)
		source->readable = readable;
	return readable;
}

int source_ioctl_fd(int fd, int *opened)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return flags & O_PATH ? *opened = source_reopen(fd) : fd;
}

static int read_generation(int fd, uint32_t *generation)
{
	/* Written as an int, whatever the ioctl's number says; but by FUSE, whose server it is that
	 * answers, as the long that it says (fuse_do_ioctl(), fs/fuse/ioctl.c). */
	union {
		int number;
		long room;
	} version = {.room = 0};

	if (ioctl(fd, FS_IOC_GETVERSION, &version))
		return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
	*generation = version.number;
	return 0;
}

static bool has_generation(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

int source_generation_of(int fd, const struct stat *st, uint32_t *generation)
{
	AUTO_FD opened = -1;
	int ret;

	if (!has_generation(st))
		return -EOPNOTSUPP;
	ret = source_ioctl_fd(fd, &opened);
	return ret < 0 ? ret : read_generation(ret, generation);
}

int source_generation(int fd, uint32_t *generation)
{
	struct stat st;

	return fstat(fd, &st) ? -errno : source_generation_of(fd, &st, generation);
}

/* Whether the dentry behind @fd is unhashed, and the path that it had into *@path. A name can
 * end so as well: this is needed, never enough. */
static bool is_deleted(int fd, char **path)
{
	char link[64];
	int ret;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ret = proctext_readlink_deleted(AT_FDCWD, link, path);
	return !ret || ret == -ENAMETOOLONG;
}

static bool has_inner_ino(int fd, uint64_t ino)
{
	uint64_t inner;

	return !ownfd_inner_ino(fd, &inner) && inner == ino;
}

/* 0 when @source, which is on mount @mnt_id, is @orphan, and on mount @id, else -ESTALE or
 * -errno. */
static int source_check(const struct orphan *orphan, int id, struct source *source,
			int mnt_id)
{
	uint32_t generation = 0;
	int ret, fd;

	if (mnt_id != id || (source->stat.st_mode & S_IFMT) != (orphan->mode & S_IFMT))
		return -ESTALE;
	if (source->stat.st_ino != orphan->ino && !has_inner_ino(source->fd, orphan->ino))
		return -ESTALE;
	if (!is_deleted(source->fd, &source->path))
		return -ESTALE;
	if (!orphan->has_generation || !has_generation(&source->stat))
		return 0;
	fd = source_reading(source);
	ret = fd < 0 ? fd : read_generation(fd, &generation);
	/* A file that cannot be read is no other one for that. */
	return !ret && generation != orphan->generation ? -ESTALE : 0;
}

/* A file that is open, and is not there: NFS says ESTALE, FUSE's library ENOENT. */
static int server_lost_it(int error, char **why)
{
	return why_set(why, error, "%s: its server knows the file no more",
		       strerror(-error));
}

/* Gives @source, whose fd is open, to @out where it is @orphan on mount @id, and else leaves
 * both; with the reason in @why where the errno does not say it. */
static int source_give(struct source *source, const struct orphan *orphan, int id,
		       const struct holder *holder, struct source *out, char **why)
{
	int mnt_id,
		ret = ownfd_stat(source->fd, &source->stat, &mnt_id, &source->attributes);

	if (ret == -ESTALE || ret == -ENOENT)
		return server_lost_it(ret, why);
	ret = ret ?: source_check(orphan, id, source, mnt_id);
	if (ret)
		return ret;
	source->holder = holder;
	*out = *source;
	*source = (struct source)SOURCE_INIT;
	return 0;
}

int source_from_fd(const struct orphan *orphan, const struct holder *holder, int fd,
		   struct source *out)
{
	AUTO(source_fini)
	struct source source = {.fd = ownfd_open(fd, O_PATH), .readable = -1};

	return source.fd < 0
		       ? source.fd
		       : source_give(&source, orphan, orphan->mnt_id, holder, out, NULL);
}

/* While an inode is open no other one has its number, and no other mount the id of its own. Its
 * dentry stays unhashed: d_splice_alias() takes such a one up again for a directory alone
 * (fs/dcache.c), and what links an O_TMPFILE hashes the dentry of the new name; vfat and NFS have
 * ways of their own (vfat_lookup(), d_exact_alias()). So the link is read where the path is not
 * known yet, and for nothing else. */
int source_again(const struct orphan *orphan, const struct holder *holder, int fd,
		 struct source *out)
{
	AUTO(source_fini)
	struct source source = {
		.fd = fd, .readable = -1, .is_readable = true, .is_lent = true};
	int mnt_id, ret = ownfd_stat(fd, &source.stat, &mnt_id, &source.attributes);

	if (ret)
		return ret;
	if (mnt_id != holder_mount(orphan, holder) || source.stat.st_ino != orphan->ino ||
	    (source.stat.st_mode & S_IFMT) != (orphan->mode & S_IFMT))
		return -ESTALE;
	if (!orphan->path && !is_deleted(fd, &source.path))
		return -ESTALE;
	source.holder = holder;
	*out = source;
	source = (struct source)SOURCE_INIT;
	return 0;
}

int source_open(const struct orphan *orphan, const struct holder *holder,
		struct process_pinned *last, struct source *out, char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	int process = process_pin_again(last, holder->pid, holder->start_time), ret;
	char link[96], prefix[32];

	if (process < 0)
		return process;
	holder_proc_link(holder, link, sizeof(link));
	ret = snprintf(prefix, sizeof(prefix), "/proc/%d/", holder->pid);
	source.fd = openat(process, link + ret, O_PATH | O_CLOEXEC);
	/* NFS asks its server even then (fs/nfs/dir.c, nfs_weak_revalidate). */
	if (source.fd < 0)
		return errno == ESTALE ? server_lost_it(-errno, why) : -errno;
	return source_give(&source, orphan, holder_mount(orphan, holder), holder, out,
			   why);
}

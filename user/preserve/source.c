/* SPDX-License-Identifier: GPL-2.0-only */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/auto.h"
#include "base/why.h"
#include "proc/mount.h"
#include "proc/ownfd.h"
#include "proc/process.h"
#include "proc/proctext.h"

void source_fini(struct source *source)
{
	auto_close(&source->fd);
	source->fd = -1;
}

int source_reopen(int fd)
{
	/* O_NONBLOCK: a mandatory lease must not make us wait. */
	int readable = ownfd_open(fd, O_RDONLY | O_NONBLOCK | O_NOATIME);

	return readable == -EPERM ? ownfd_open(fd, O_RDONLY | O_NONBLOCK) : readable;
}

int source_generation(int fd, uint32_t *generation)
{
	struct stat st;
	AUTO_FD readable = -1;
	/* Written as an int, whatever the ioctl's number says. */
	int number;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EOPNOTSUPP;
	readable = source_reopen(fd);
	if (readable < 0)
		return readable;
	if (ioctl(readable, FS_IOC_GETVERSION, &number))
		return errno == ENOTTY || errno == EINVAL ? -EOPNOTSUPP : -errno;
	*generation = number;
	return 0;
}

/* Whether the dentry behind @fd is unhashed. A name can end so as well: this is needed,
 * never enough. */
static bool is_deleted(int fd)
{
	AUTO_FREE char *path = NULL;
	int ret = ownfd_path(fd, &path);

	return ret == -ENAMETOOLONG || (!ret && proctext_is_deleted(path));
}

static bool has_inner_ino(int fd, uint64_t ino)
{
	uint64_t inner;

	return !ownfd_inner_ino(fd, &inner) && inner == ino;
}

/* 0 when @source is @orphan, and on mount @id, else -ESTALE or -errno. */
static int source_check(const struct orphan *orphan, int id, const struct source *source)
{
	uint32_t generation;
	int mnt_id, ret;

	ret = mount_id_of_fd(source->fd, &mnt_id);
	if (ret)
		return ret;
	if (mnt_id != id || (source->stat.st_mode & S_IFMT) != (orphan->mode & S_IFMT))
		return -ESTALE;
	if (source->stat.st_ino != orphan->ino && !has_inner_ino(source->fd, orphan->ino))
		return -ESTALE;
	if (!is_deleted(source->fd))
		return -ESTALE;
	if (!orphan->has_generation)
		return 0;
	ret = source_generation(source->fd, &generation);
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
	int ret;

	if (fstat(source->fd, &source->stat))
		return errno == ESTALE || errno == ENOENT ? server_lost_it(-errno, why)
							  : -errno;
	ret = source_check(orphan, id, source);
	if (ret)
		return ret;
	source->holder = holder;
	*out = *source;
	source->fd = -1;
	return 0;
}

int source_from_fd(const struct orphan *orphan, const struct holder *holder, int fd,
		   struct source *out)
{
	AUTO(source_fini) struct source source = {.fd = ownfd_open(fd, O_PATH)};

	return source.fd < 0
		       ? source.fd
		       : source_give(&source, orphan, orphan->mnt_id, holder, out, NULL);
}

int source_open(const struct orphan *orphan, const struct holder *holder,
		struct source *out, char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	AUTO_FD process = process_pin(holder->pid, holder->start_time);
	char link[96], prefix[32];
	int ret;

	if (process < 0)
		return TAKE_FD(process);
	holder_proc_link(holder, link, sizeof(link));
	ret = snprintf(prefix, sizeof(prefix), "/proc/%d/", holder->pid);
	source.fd = openat(process, link + ret, O_PATH | O_CLOEXEC);
	/* NFS asks its server even then (fs/nfs/dir.c, nfs_weak_revalidate). */
	if (source.fd < 0)
		return errno == ESTALE ? server_lost_it(-errno, why) : -errno;
	return source_give(&source, orphan, holder_mount(orphan, holder), holder, out,
			   why);
}

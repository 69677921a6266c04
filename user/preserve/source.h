/* SPDX-License-Identifier: GPL-2.0-only */
/* Getting at an orphan through one of its holders. */
#ifndef RELINKTRACE_SOURCE_H
#define RELINKTRACE_SOURCE_H

#include <sys/stat.h>

#include "orphan/orphan.h"
#include "proc/process.h"

struct source {
	int fd;		     /* O_PATH of the orphan, or is_readable; owned, or is_lent */
	bool is_readable;    /* fd is source_reading()'s */
	bool is_lent;	     /* somebody else closes fd */
	int readable;	     /* the same for source_reading(); owned; -1 not yet */
	struct stat stat;    /* of it */
	uint64_t attributes; /* of it: STATX_ATTR_* */
	char *path;	     /* that it had; owned; NULL not known */
	bool at_home;	     /* opened again where its names are made, see idmapped.h */
	const struct holder *holder; /* of the orphan, through which it was opened */
};

#define SOURCE_INIT                                                                      \
	{                                                                                \
		.fd = -1, .readable = -1                                                 \
	}

/* Closes what @source holds; for AUTO(). */
void source_fini(struct source *source);

/* Opens @orphan through @holder's link in /proc (proc_pid_fd(5): such a link leads to the
 * very file, whatever its names) and checks that it is the orphan: it is on the mount
 * that was recorded for @holder, has the inode number and type, is unlinked (d_path(9) says
 * "(deleted)"), and has the generation where the filesystem tells it. 0; -ENOENT, -ESRCH
 * the holder is gone; -ESTALE it holds something else by now; -EACCES, -EPERM; -errno, with
 * the reason in @why where that says more. @last is the process of the one before. */
int source_open(const struct orphan *orphan, const struct holder *holder,
		struct process_pinned *last, struct source *out, char **why);

/* The same for what @fd (the caller's), on the orphan's own mount, is open on, and came by
 * through @holder. -ESTALE it
 * is another file; -errno. */
int source_from_fd(const struct orphan *orphan, const struct holder *holder, int fd,
		   struct source *out);

/* The same for what was such a source of this very orphan before, its generation too, and has been
 * held open since by @fd, which can be read by and is lent for as long as @out is. Of a filesystem
 * that reads no name of a file into a dentry of an earlier one: ext2, ext3, ext4, xfs. */
int source_again(const struct orphan *orphan, const struct holder *holder, int fd,
		 struct source *out);

/* A readable fd of the regular file behind O_PATH fd @fd, that does not touch its atime
 * where the kernel allows that (O_NOATIME, open(2)). Owned by the caller; -errno. */
int source_reopen(int fd);

/* The same of @source, opened at the first call; belongs to @source. */
int source_reading(struct source *source);

/* An fd that ioctls are taken by (open(2): O_PATH takes none) of the regular file or
 * directory behind @fd: that itself, unless it is O_PATH; then *@opened, which is -1 before
 * and the caller's. The fd or -errno. */
int source_ioctl_fd(int fd, int *opened);

/* The inode's generation (FS_IOC_GETVERSION; ioctl_iflags(2) lists its neighbours) of a
 * regular file or directory behind @fd (O_PATH is enough). 0; -EOPNOTSUPP where the filesystem has
 * none or it is of another type, which opening might disturb; -errno. */
int source_generation(int fd, uint32_t *generation);

/* The same where its stat @st is known. */
int source_generation_of(int fd, const struct stat *st, uint32_t *generation);

#endif

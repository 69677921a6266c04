/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc/self tells of an fd of this process, which may be O_PATH, and leads to. */
#ifndef RELINKTRACE_OWNFD_H
#define RELINKTRACE_OWNFD_H

#include <stdint.h>
#include <sys/stat.h>

/* Opens what @fd is open on anew, with @flags, O_CLOEXEC and O_NOCTTY. fd or -errno. */
int ownfd_open(int fd, int flags);

/* The text of its link, owned by the caller. 0; -ENAMETOOLONG; -ENOMEM; -errno. */
int ownfd_path(int fd, char **path);

/* The inode number that the kernel itself uses, which on overlay need not be stat's
 * (fs/proc/fd.c, seq_show; since 5.14). 0 or -errno. */
int ownfd_inner_ino(int fd, uint64_t *ino);

/* What fstat(2) says of @fd, the id of its mount (STATX_MNT_ID) and its STATX_ATTR_*, by one call.
 * 0 or -errno. */
int ownfd_stat(int fd, struct stat *out, int *mnt_id, uint64_t *attributes);

#endif

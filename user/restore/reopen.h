/* SPDX-License-Identifier: GPL-2.0-only */
/* A new open file description of a file that is at hand, as like the recorded one as
 * open(2) and fcntl(2) can make it. */
#ifndef RELINKTRACE_REOPEN_H
#define RELINKTRACE_REOPEN_H

#include <stdint.h>

/* The flags to open a file of st_mode @mode with, given @flags of the old description:
 * access mode and those that stay with a description; never one that makes, cuts or locks
 * (O_CREAT, O_EXCL, O_TRUNC, O_TMPFILE), nor O_NOFOLLOW, which the way through
 * /proc/self/fd would trip over. Pure. */
int reopen_flags(uint32_t mode, uint32_t flags);

/* Opens what O_PATH fd @fd leads to, of st_mode @mode, with the old description's @flags,
 * at @pos where it is a regular file or a block device. Waits for nobody, whatever it is
 * (fifo(7)). The fd, close-on-exec, owned by the caller; -errno. */
int reopen(int fd, uint32_t mode, uint32_t flags, uint64_t pos);

/* The same where no description is recorded: for reading and writing if that is allowed,
 * else for reading; a symbolic link, socket or device as O_PATH. */
int reopen_plain(int fd, uint32_t mode);

#endif

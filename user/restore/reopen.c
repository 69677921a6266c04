/* SPDX-License-Identifier: GPL-2.0-only */
#include "reopen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "proc/ownfd.h"

int reopen_flags(uint32_t mode, uint32_t flags)
{
	uint32_t kept = O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT |
			O_LARGEFILE | O_NOATIME;

	if (S_ISDIR(mode))
		kept |= O_DIRECTORY;
	/* O_PATH ignores all others (open(2)). */
	return flags & O_PATH ? O_PATH | (flags & kept & O_DIRECTORY) : flags & kept;
}

/* Opens without waiting, and takes O_NONBLOCK away again where it is not wanted. O_DIRECT, a
 * FIFO's packets (pipe(2)), can be set and not be opened with (fs/fcntl.c, setfl). */
static int open_unblocked(int fd, int flags)
{
	AUTO_FD opened = ownfd_open(fd, (flags & ~O_DIRECT) | O_NONBLOCK);
	int now;

	if (opened < 0 || (flags & (O_NONBLOCK | O_DIRECT)) == O_NONBLOCK)
		return TAKE_FD(opened);
	now = fcntl(opened, F_GETFL);
	if (now < 0)
		return -errno;
	now = (now & ~O_NONBLOCK) | (flags & (O_NONBLOCK | O_DIRECT));
	/* Without O_DIRECT it is told (tell.h), and not lost. */
	if (fcntl(opened, F_SETFL, now) && fcntl(opened, F_SETFL, now & ~O_DIRECT))
		return -errno;
	return TAKE_FD(opened);
}

/* Without what this filesystem, or this user, may not: better than not at all. */
static int open_possible(int fd, int flags)
{
	int opened = ownfd_open(fd, flags);

	if (opened == -EPERM && flags & O_NOATIME)
		opened = ownfd_open(fd, flags &= ~O_NOATIME);
	if (opened == -EINVAL && flags & O_DIRECT)
		opened = ownfd_open(fd, flags & ~O_DIRECT);
	return opened;
}

int reopen(int fd, uint32_t mode, uint32_t flags, uint64_t pos)
{
	AUTO_FD opened = -1, other_end = -1;
	int wanted = reopen_flags(mode, flags);

	if (wanted & O_PATH)
		return ownfd_open(fd, wanted);
	if (S_ISFIFO(mode)) {
		/* Writing to a FIFO that nobody reads cannot be opened (ENXIO). */
		other_end = ownfd_open(fd, O_RDWR | O_NONBLOCK);
		if (other_end < 0)
			return other_end;
	}
	opened = S_ISREG(mode) || S_ISDIR(mode) ? open_possible(fd, wanted)
						: open_unblocked(fd, wanted);
	if (opened < 0)
		return TAKE_FD(opened);
	if ((S_ISREG(mode) || S_ISBLK(mode)) && lseek(opened, pos, SEEK_SET) < 0)
		return -errno;
	return TAKE_FD(opened);
}

int reopen_plain(int fd, uint32_t mode)
{
	int opened;

	if (S_ISDIR(mode))
		return ownfd_open(fd, O_RDONLY | O_DIRECTORY);
	if (!S_ISREG(mode) && !S_ISFIFO(mode))
		return ownfd_open(fd, O_PATH);
	opened = reopen(fd, mode, O_RDWR, 0);
	if (opened == -EACCES || opened == -EPERM || opened == -EROFS ||
	    opened == -ETXTBSY)
		opened = reopen(fd, mode, O_RDONLY, 0);
	return opened;
}

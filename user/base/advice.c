/* SPDX-License-Identifier: GPL-2.0-only */
#include "advice.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

const char *advice(int error)
{
	switch (-error) {
	case ENOSPC:
		return "; free some blocks or inodes there (df, df -i)";
	case EDQUOT:
		return "; raise the quota that its owner or project has there";
	case EIO:
		return "; what is below fails: see the kernel log";
	case EROFS:
		return "; if nobody wanted it so, it is for an error: see the kernel log";
	case EMFILE:
		return "; raise the limit of open files (ulimit -n)";
	case ENFILE:
		return "; raise fs.file-max (sysctl)";
	case ENAMETOOLONG:
		return "; choose a shorter --template";
	default:
		return "";
	}
}

const char *advice_folder(int error)
{
	return error == -ENOENT || error == -ENOTDIR ? ": make it, or name another" : "";
}

const char *advice_seal(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx))
		return NULL;
	if (stx.stx_attributes & STATX_ATTR_IMMUTABLE)
		return "immutable: chattr -i it";
	if (stx.stx_attributes & STATX_ATTR_APPEND)
		return "append-only: chattr -a it";
	return NULL;
}

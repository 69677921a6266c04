/* SPDX-License-Identifier: GPL-2.0-only */
#include "mark.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/auto.h"

static const char attribute[] = "trusted.relinktrace";

void mark_put(int dir_fd, const char *name, ino_t ino, const char *id)
{
	AUTO_FD fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && st.st_ino == ino)
		fsetxattr(fd, attribute, id, strlen(id), 0);
}

bool mark_is_on(int fd)
{
	char path[64];

	/* fgetxattr() refuses O_PATH (open(2)). */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, attribute, NULL, 0) >= 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "ownfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/auto.h"
#include "proctext.h"

int ownfd_open(int fd, int flags)
{
	char link[64];
	int opened;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	opened = open(link, flags | O_CLOEXEC | O_NOCTTY);
	return opened < 0 ? -errno : opened;
}

int ownfd_path(int fd, char **path)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return proctext_readlink(AT_FDCWD, link, path);
}

int ownfd_inner_ino(int fd, uint64_t *ino)
{
	AUTO_FREE char *text = NULL;
	char name[64];
	int ret;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	ret = proctext_read(AT_FDCWD, name, &text);
	return ret ?: proctext_value(text, "ino", 10, ino);
}

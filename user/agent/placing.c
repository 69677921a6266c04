/* SPDX-License-Identifier: GPL-2.0-only */
#include "placing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/durable.h"

int placing_bytes(int dir_fd, const char *name, const char *text, size_t len)
{
	AUTO_FD fd = -1;
	char temp[300];
	int ret;

	if (snprintf(temp, sizeof(temp), ".%s.new", name) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	/* What one left that was killed. */
	if (unlinkat(dir_fd, temp, 0) && errno != ENOENT)
		return -errno;
	fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	ret = durable_write(fd, text, len);
	if (!ret && fsync(fd))
		ret = -errno;
	if (!ret && renameat(dir_fd, temp, dir_fd, name))
		ret = -errno;
	if (ret) {
		unlinkat(dir_fd, temp, 0);
		return ret;
	}
	return durable_directory(dir_fd);
}

int placing_json(int dir_fd, const char *name, const json_t *root)
{
	AUTO_FREE char *text = json_dumps(root, JSON_INDENT(2));

	return text ? placing_bytes(dir_fd, name, text, strlen(text)) : -ENOMEM;
}

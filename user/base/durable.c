/* SPDX-License-Identifier: GPL-2.0-only */
#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "why.h"

int durable_write(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : n;
	}
	return 0;
}

int durable_directory(int fd)
{
	return fsync(fd) && errno != EINVAL ? -errno : 0;
}

int durable_folder(int fd)
{
	AUTO_FD readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return readable < 0 ? -errno : durable_directory(readable);
}

int durable_mkdir(const char *path, char **why)
{
	AUTO_FREE char *copy = strdup(path);
	AUTO_FD parent = -1;
	int ret;

	if (!copy)
		return -ENOMEM;
	if (mkdir(path, 0700))
		return errno == EEXIST ? 0
				       : why_set(why, -errno, "cannot make %s: %m", path);
	parent = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = parent < 0 ? -errno : durable_directory(parent);
	return ret ? why_set(why, ret, "cannot bring %s to the disk: %s", path,
			     strerror(-ret))
		   : 0;
}

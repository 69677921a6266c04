/* SPDX-License-Identifier: GPL-2.0-only */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/durable.h"

/* A rename anywhere in the system can make the kernel ask for another try (EAGAIN,
 * openat2(2)). */
#define TRIES 64

static int open_with(int root_fd, const char *path, int flags, unsigned int more)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   more,
	};

	for (int i = 0; i < TRIES; i++) {
		int fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno != EAGAIN)
			return -errno;
	}
	return -EAGAIN;
}

int beneath_open(int root_fd, const char *path, int flags)
{
	return open_with(root_fd, path, flags, RESOLVE_NO_XDEV);
}

int beneath_open_mounts(int root_fd, const char *path, int flags)
{
	return open_with(root_fd, path, flags, 0);
}

int beneath_open_parent(int root_fd, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	int fd;

	if (slash) {
		size_t len = slash - path;

		if (len >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	fd = beneath_open(root_fd, folder, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	if (fd >= 0)
		*name = slash ? slash + 1 : path;
	return fd;
}

int beneath_inner_first(const char *a, const char *b)
{
	size_t longer = strlen(a), other = strlen(b);

	return (longer < other) - (longer > other);
}

bool beneath_same_parent(const char *a, const char *b)
{
	const char *slash = strrchr(a, '/');
	size_t len = slash ? slash + 1 - a : 0;

	return !strncmp(a, b, len) && !strchr(b + len, '/');
}

int beneath_sync_parent(int root_fd, const char *path)
{
	const char *name;
	AUTO_FD folder = beneath_open_parent(root_fd, path, &name);

	if (folder == -ENOENT || folder == -ENOTDIR || folder == -ELOOP)
		return 0;
	return folder < 0 ? folder : durable_folder(folder);
}

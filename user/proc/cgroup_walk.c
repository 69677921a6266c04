/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

static bool is_directory(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return !fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(st.st_mode);
}

/* The files of a cgroup are not looked at: there are dozens. */
static int walk(int parent, const char *name, int (*each)(int dir, void *data),
		void *data)
{
	AUTO_FD fd =
		openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_DIR *dir = NULL;
	struct dirent *entry;
	int ret;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1;
	ret = each(dirfd(dir), data);
	while (!ret && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.' && is_directory(dirfd(dir), entry))
			ret = walk(dirfd(dir), entry->d_name, each, data);
	return ret || !errno || errno == ENOENT || errno == ENODEV ? ret : -errno;
}

int cgroup_walk(const struct cgroup *cg, int (*each)(int dir, void *data), void *data)
{
	return walk(cg->fd, ".", each, data);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "project.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/auto.h"

static int get(int fd, struct fsxattr *fsx)
{
	return ioctl(fd, FS_IOC_FSGETXATTR, fsx) ? -errno : 0;
}

static int set(int fd, struct fsxattr *fsx)
{
	return ioctl(fd, FS_IOC_FSSETXATTR, fsx) ? -errno : 0;
}

int project_end_inheritance(int dir_fd, const char *name)
{
	AUTO_FD fd =
		openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct fsxattr fsx;

	if (fd < 0)
		return -errno;
	if (get(fd, &fsx) || !(fsx.fsx_xflags & FS_XFLAG_PROJINHERIT))
		return 0;
	fsx.fsx_xflags &= ~FS_XFLAG_PROJINHERIT;
	return set(fd, &fsx);
}

int project_of_folder(int dir_fd, uint32_t *project)
{
	AUTO_FD fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fsxattr fsx;
	int ret = fd < 0 ? -errno : get(fd, &fsx);

	if (!ret)
		*project = fsx.fsx_projid;
	return ret;
}

int project_set(int fd, uint32_t project, uint32_t *was)
{
	struct fsxattr fsx;
	int ret = get(fd, &fsx);

	if (ret)
		return ret;
	*was = fsx.fsx_projid;
	fsx.fsx_projid = project;
	return set(fd, &fsx);
}

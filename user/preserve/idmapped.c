/* SPDX-License-Identifier: GPL-2.0-only */
#include "idmapped.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/why.h"
#include "mountroot.h"
#include "proc/handle.h"

int idmapped_settle(int mnt_id, const struct holder *holder, struct source *source,
		    char **why)
{
	AUTO(mountroot_fini) struct mountroot root = MOUNTROOT_INIT;
	AUTO(mount_fini) struct mount mount = {0};
	struct stat st;
	char *path;
	AUTO_FD fd = -1, dir = -1;
	int ret = mount_find(holder->pid, mnt_id, &mount);

	/* A mount that is out of sight fails later, and says so. */
	if (ret || !mount.idmapped)
		return ret == -ENOMEM ? ret : 0;
	ret = mountroot_open(holder->pid, mnt_id, &root, why);
	if (ret || !root.detour)
		return ret;
	/* open_by_handle_at(2) takes no O_PATH fd for the mount. */
	dir = openat(root.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -errno : handle_reopen(source->fd, dir);
	if (fd < 0 || fstat(fd, &st))
		return why_set(
			why, fd == -ENOMEM ? fd : -EOVERFLOW,
			"its mount at %s is idmapped, and the owner that it has on "
			"the filesystem is not to be found out: %s",
			mount.point, strerror(fd < 0 ? -fd : errno));
	path = TAKE_PTR(source->path);
	source_fini(source);
	source->path = path;
	source->fd = TAKE_FD(fd);
	source->stat = st;
	source->at_home = true;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "cgroup_tree.h"
#include "proctext.h"

void cgroup_fini(struct cgroup *cg)
{
	free(cg->path);
	auto_close(&cg->fd);
	*cg = (struct cgroup)CGROUP_INIT;
}

void cgroup_cache_drop(void)
{
	cgroup_tree_drop();
}

const char *cgroup_mount(void)
{
	int err = cgroup_tree_open();

	if (!err)
		return cgroup_tree_point();
	errno = -err;
	return NULL;
}

bool cgroup_contains(const char *ancestor, const char *path)
{
	return cgroup_path_below(ancestor, path);
}

int cgroup_id_of(const char *path, uint64_t *id)
{
	AUTO_FD fd = -1;
	const char *below;
	int err = cgroup_tree_open();

	if (err)
		return err;
	below = cgroup_path_below(cgroup_tree_root(), path);
	if (!below)
		return -ENOENT;
	fd = cgroup_tree_open_below(below);
	return fd < 0 ? fd : cgroup_fd_id(fd, id);
}

int cgroup_path_of(uint64_t id, char **path)
{
	AUTO_FD fd = cgroup_tree_open_id(id);

	return fd < 0 ? fd : cgroup_fd_path(fd, path);
}

int cgroup_of_pid(pid_t pid, char **path)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *raw = NULL;
	char name[64];
	uint64_t id;
	int err;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	err = proctext_read(AT_FDCWD, name, &text);
	if (!err)
		err = proctext_cgroup(text, &raw);
	if (err)
		return err;
	/* No cgroup is named "..", so this is how a namespace shows what is above it. */
	if (cgroup_contains("/..", raw))
		return -EXDEV;
	/* A cgroup may really be called so; then it is there. */
	if (proctext_is_deleted(raw) && cgroup_id_of(raw, &id))
		return -ESTALE;
	*path = TAKE_PTR(raw);
	return 0;
}

int cgroup_path_seen(uint64_t id, pid_t pid, char **path)
{
	int err = cgroup_path_of(id, path);

	return err == -EPERM ? cgroup_of_pid(pid, path) : err;
}

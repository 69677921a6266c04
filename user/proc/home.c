/* SPDX-License-Identifier: GPL-2.0-only */
#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"

struct search {
	int (*take)(const struct home *home, void *data);
	void *data;
	struct home *out;
	pid_t pid; /* whose mounts are looked at */
	int ret;   /* of the last @take */
};

void home_fini(struct home *home)
{
	mount_fini(&home->mount);
	auto_close(&home->fd);
	home->fd = -1;
}

static int try_mount(const struct mount *mount, void *data)
{
	struct search *search = data;
	AUTO(home_fini) struct home home = {.pid = search->pid, .fd = -1};
	AUTO_FD root = -1;
	int ret;

	/* No name can be made in a folder that is removed. */
	if (mount_is_deleted(mount))
		return -ENOENT;
	root = mount_open_root(search->pid, mount->id);
	if (root < 0)
		return root;
	/* An O_PATH fd is no place to open by handle from (open_by_handle_at(2)). */
	home.fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home.fd < 0)
		return -errno;
	ret = mount_copy(mount, &home.mount);
	search->ret = ret ?: search->take(&home, search->data);
	if (search->ret)
		return search->ret;
	*search->out = home;
	home = (struct home)HOME_INIT;
	return 0;
}

/* 0 when one of the mounts that @pid sees has been taken. */
static int try_view(struct search *search, pid_t pid, const struct orphan *orphan)
{
	search->pid = pid;
	return mount_try_seen_by(pid, orphan->dev_major, orphan->dev_minor, "/",
				 try_mount, search);
}

static int try_holder(struct search *search, pid_t pid, const struct orphan *orphan)
{
	AUTO(mount_fini) struct mount mount = {0};

	search->pid = pid;
	if (orphan->mnt_id >= 0 && !mount_find(pid, orphan->mnt_id, &mount) &&
	    mount.dev_major == orphan->dev_major &&
	    mount.dev_minor == orphan->dev_minor && !try_mount(&mount, search))
		return 0;
	return try_view(search, pid, orphan);
}

int home_find(const struct orphan *orphan, enum home_of of,
	      int (*take)(const struct home *home, void *data), void *data,
	      struct home *out)
{
	struct search search = {.take = take, .data = data, .out = out, .ret = -ENOENT};
	pid_t last = 0;

	/* Holders of one process come together. */
	for (size_t i = 0; i < orphan->n_holders; i++) {
		pid_t pid = orphan->holders[i].pid;

		if (pid && pid != last && !try_holder(&search, pid, orphan))
			return 0;
		last = pid;
	}
	if (of == HOME_OF_HOLDERS)
		return search.ret;
	return try_view(&search, getpid(), orphan) ? search.ret : 0;
}

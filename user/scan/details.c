// SPDX-License-Identifier: GPL-2.0-only
#include "details.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "proc/cgroup.h"
#include "proc/handle.h"
#include "proc/mount.h"
#include "proc/proctext.h"

/* xfs keeps its own count of blocks, ext4 and btrfs add delayed allocations to the VFS's,
 * overlay's inode has neither blocks nor always a size, and its number for users is the
 * underlying file's: stat is the truth for all of them. */
static void fill_stat(struct orphan *orphan, int dir, const char *link)
{
	struct statx stx;

	if (mount_may_hang(orphan->fstype) ||
	    statx(dir, link, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &stx) ||
	    (stx.stx_mode & S_IFMT) != (orphan->mode & S_IFMT))
		return;
	if (!strcmp(orphan->fstype, "overlay"))
		orphan->ino = stx.stx_ino;
	else if (stx.stx_ino != orphan->ino)
		return; /* the fd is another file by now */
	orphan->size = stx.stx_size;
	orphan->allocated = stx.stx_blocks * 512;
}

static void fill_path(struct orphan *orphan, int dir, const char *link)
{
	/* Where that fails it may be another file by now. */
	if (!orphan->path)
		proctext_readlink_deleted(dir, link, &orphan->path);
}

static void fill_mount(struct orphan *orphan, const struct holder *holder)
{
	AUTO(mount_fini) struct mount mount = {};

	if (orphan->mnt_point || orphan->mnt_id < 0 ||
	    mount_find(holder->pid ?: getpid(), orphan->mnt_id, &mount))
		return;
	orphan->mnt_point = TAKE_PTR(mount.point);
}

/* The mounts of those who have it through another one than the orphan's. */
static void fill_vias(struct orphan *orphan)
{
	for (size_t i = 0; i < orphan->n_holders; i++) {
		AUTO(mount_fini) struct mount mount = {};
		struct holder *holder = &orphan->holders[i];

		if (!holder_has_via(orphan, holder) || holder->via.point ||
		    mount_find(holder->pid, holder->via.id, &mount))
			continue;
		holder->via.point = TAKE_PTR(mount.point);
		holder->via.root = TAKE_PTR(mount.root);
	}
}

/* The type at least, from any mount of the filesystem. */
static void fill_fstype(struct orphan *orphan)
{
	AUTO(mount_fini) struct mount mount = {};

	if (!orphan->fstype[0] &&
	    !mount_find_by_dev(orphan->dev_major, orphan->dev_minor, "/", &mount))
		snprintf(orphan->fstype, sizeof(orphan->fstype), "%s", mount.fstype);
}

/* What no link leads to. */
static void fill_by_handle(struct orphan *orphan)
{
	AUTO(home_fini) struct home home = HOME_INIT;
	AUTO_FD fd = -1;
	struct statx stx;
	char link[64];

	fill_fstype(orphan);
	if (mount_may_hang(orphan->fstype))
		return;
	fd = handle_open_home(orphan, HOME_OF_ANYBODY, &home, NULL);
	if (fd < 0 ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &stx))
		return;
	orphan_fill_stat(orphan, &stx);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	fill_path(orphan, AT_FDCWD, link);
}

/* The folder of links that was looked into last: its neighbours are mostly next. */
struct links {
	char path[64];
	int fd; /* owned; -1 none */
};

static void links_fini(struct links *links)
{
	auto_close(&links->fd);
	links->fd = -1;
}

/* What @link of /proc is in, open, and where @link goes on from there; as it is where that cannot
 * be opened. */
static int links_open(struct links *links, const char **link)
{
	const char *name = strrchr(*link, '/');
	size_t len = name - *link;

	if (len >= sizeof(links->path))
		return AT_FDCWD;
	if (links->fd < 0 || strncmp(links->path, *link, len) || links->path[len]) {
		links_fini(links);
		memcpy(links->path, *link, len);
		links->path[len] = '\0';
		links->fd = open(links->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (links->fd < 0)
		return AT_FDCWD;
	*link = name + 1;
	return links->fd;
}

static void fill_linked(struct orphan *orphan, const struct holder *holder,
			struct links *links)
{
	char text[64];
	const char *link = text;
	int dir;

	holder_proc_link(holder, text, sizeof(text));
	dir = links_open(links, &link);
	fill_path(orphan, dir, link);
	fill_stat(orphan, dir, link);
}

/* So many bytes are no great part of all, whatever they turn out to be. */
#define LITTLE_BYTES 65536

/* Whether what fill_linked() tells can be left to whoever opens @orphan. On overlay it has
 * another number. */
static bool is_told_later(const struct orphan_set *set, const struct orphan *orphan,
			  const struct holder *linked)
{
	return set->opened && linked->kind == RT_HOLDER_FD && S_ISREG(orphan->mode) &&
	       orphan->size <= LITTLE_BYTES && strcmp(orphan->fstype, "overlay");
}

void details_fill(struct orphan_set *set)
{
	AUTO(links_fini) struct links links = {.fd = -1};
	AUTO_FREE char *cgroup = NULL;
	uint64_t cgroup_id = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct orphan *orphan = &set->orphans[i];
		const struct holder *linked;

		/* Neighbours mostly share a cgroup. */
		if (!orphan->cgroup && orphan->cgroup_id) {
			if (orphan->cgroup_id != cgroup_id) {
				free(TAKE_PTR(cgroup));
				cgroup_id = orphan->cgroup_id;
				cgroup_path_of(cgroup_id, &cgroup);
			}
			orphan->cgroup = cgroup ? strdup(cgroup) : NULL;
		}
		if (orphan->n_holders)
			fill_mount(orphan, &orphan->holders[0]);
		fill_vias(orphan);
		linked = orphan_first_linked(orphan);
		if (linked && is_told_later(set, orphan, linked))
			continue;
		if (linked)
			fill_linked(orphan, linked, &links);
		else
			fill_by_handle(orphan);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "mount.h"
#include "procwalk.h"

/* What O_TMPFILE adds to O_DIRECTORY: __O_TMPFILE, asm-generic/fcntl.h. */
#define TMPFILE_BIT 020000000

void walk_fini(struct walk *walk)
{
	free(walk->cgroup);
}

int walk_forgive(struct walk *walk, int err)
{
	switch (err) {
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return err;
	case 0:
	case -ENOENT:
	case -ESRCH:
		break;
	case -EACCES:
	case -EPERM:
		walk->denied = true;
		break;
	default:
		walk->undecided++;
	}
	return 0;
}

/* Id of the cgroup of @process; 0 unknown. Neighbours in /proc often share it. */
static uint64_t walk_cgroup_id(struct walk *walk, const struct process *process)
{
	uint64_t id;

	if (!process->cgroup)
		return 0;
	if (walk->cgroup && !strcmp(walk->cgroup, process->cgroup))
		return walk->cgroup_id;
	if (cgroup_id_of(process->cgroup, &id))
		return 0;
	free(walk->cgroup);
	walk->cgroup = strdup(process->cgroup);
	walk->cgroup_id = id;
	return id;
}

/* The mount of @link as @process sees it, else as we do. -ENOENT: on no mount that either
 * lists. */
static int link_mount(const struct process *process, const struct proclink *link,
		      struct mount *mount)
{
	int id = link->stx.stx_mnt_id;
	int err = mount_find(process->pid, id, mount);

	return err == -ENOENT ? mount_find(getpid(), id, mount) : err;
}

/* Fills a new orphan; takes over @mount->point and @link->path. */
static void orphan_fill(struct orphan *orphan, struct proclink *link, struct mount *mount)
{
	const struct statx *stx = &link->stx;
	AUTO(mount_fini) struct mount other = {0};
	const char *fstype = mount->fstype;

	/* A mount that is detached by now: the type at least may be known from another.
	 */
	if (!fstype &&
	    !mount_find_by_dev(stx->stx_dev_major, stx->stx_dev_minor, "/", &other))
		fstype = other.fstype;
	snprintf(orphan->fstype, sizeof(orphan->fstype), "%s", fstype ? fstype : "");
	orphan_fill_stat(orphan, stx);
	orphan->path = TAKE_PTR(link->path);
	orphan->mnt_id = stx->stx_mnt_id;
	orphan->mnt_ns = mount->ns;
	orphan->mnt_point = TAKE_PTR(mount->point);
}

static int orphan_set_cgroup(struct orphan *orphan, const char *path, uint64_t id)
{
	orphan->cgroup = strdup(path);
	orphan->cgroup_id = id;
	return orphan->cgroup ? 0 : -ENOMEM;
}

/* Whether @orphan has this holder already: one mapping a process is enough, and without
 * kcmp a table that repeats another one's fd is taken for the same table. */
static bool holder_known(const struct walk *walk, const struct orphan *orphan,
			 const struct holder *holder)
{
	/* The holders of one process were added one after another. */
	for (size_t i = orphan->n_holders; i--;) {
		const struct holder *old = &orphan->holders[i];

		if (old->pid != holder->pid)
			return false;
		if (old->kind == holder->kind && old->fd == holder->fd &&
		    (holder->kind == RT_HOLDER_MAP || (walk->no_kcmp && holder->tid)))
			return true;
	}
	return false;
}

static uint64_t stat_device(const struct statx *stx)
{
	return (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor;
}

int walk_add(struct walk *walk, const struct process *process, struct proclink *link,
	     struct holder *holder)
{
	AUTO(mount_fini) struct mount mount = {0};
	uint32_t dev_major = link->stx.stx_dev_major, dev_minor = link->stx.stx_dev_minor;
	int err = link_mount(process, link, &mount);
	struct orphan *orphan;

	if (err == -ENOENT && link->path && proclink_is_internal(link->path))
		return 0;
	if (err && err != -ENOENT)
		return err;
	/* Names in /proc end with their tasks, without any unlink. */
	if (!err && !strcmp(mount.fstype, "proc"))
		return 0;
	if (!err) { /* btrfs and overlay show other devices in stat */
		dev_major = mount.dev_major;
		dev_minor = mount.dev_minor;
	}
	/* What the iterators have found has addresses for identities. */
	orphan = orphan_set_at_inode(
		walk->set, dev_major, dev_minor, link->stx.stx_ino,
		!(walk->parts & PROCWALK_HELD) ? 0 : stat_device(&link->stx));
	if (!orphan)
		return -ENOMEM;
	holder->cgroup_id = walk_cgroup_id(walk, process);
	holder->via.id = link->stx.stx_mnt_id;
	if (!orphan->mode)
		orphan_fill(orphan, link, &mount);
	if (!orphan->cgroup && process->cgroup &&
	    orphan_set_cgroup(orphan, process->cgroup, holder->cgroup_id))
		return -ENOMEM;
	orphan->tmpfile |= holder->kind == RT_HOLDER_FD && holder->flags & TMPFILE_BIT;
	if (holder_known(walk, orphan, holder))
		return 0;
	return orphan_add_holder(orphan, holder);
}

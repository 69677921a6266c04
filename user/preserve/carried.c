/* SPDX-License-Identifier: GPL-2.0-only */
#include "carried.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "proc/cgroup.h"
#include "proc/container.h"
#include "proc/mount.h"

bool carried(const struct carried_facts *facts)
{
	if (!facts->container || !facts->point)
		return false;
	if (!strcmp(facts->point, "/") || facts->exported)
		return true;
	return !facts->outside && facts->fstype && !strcmp(facts->fstype, "tmpfs");
}

bool carried_is_shm(const char *point, const char *id)
{
	static const char name[] = "/userdata/shm";
	size_t len = strlen(point), n = strlen(id);

	if (!n || len < strlen(name) + n + 1)
		return false;
	point += len - strlen(name);
	return !strcmp(point, name) && point[-(ssize_t)n - 1] == '/' &&
	       !memcmp(point - n, id, n);
}

static int any(const struct mount *mount, void *data)
{
	(void)mount;
	(void)data;
	return 0;
}

static int seen_by(pid_t pid, const struct orphan *orphan,
		   int (*take)(const struct mount *mount, void *data), void *data)
{
	return mount_try_seen_by(pid, orphan->dev_major, orphan->dev_minor, "/", take,
				 data);
}

/* Whether our mounts are others than those that @orphan is on one of. */
static bool are_others(const struct orphan *orphan)
{
	struct stat ours;

	return !stat("/proc/self/ns/mnt", &ours) && ours.st_ino != orphan->mnt_ns;
}

int carried_outside(const struct orphan *orphan, bool *out)
{
	int ret = seen_by(1, orphan, any, NULL);

	if (ret == -ENOENT && are_others(orphan))
		ret = seen_by(getpid(), orphan, any, NULL);
	if (ret && ret != -ENOENT)
		return ret;
	*out = !ret;
	return 0;
}

static int is_shm(const struct mount *mount, void *id)
{
	return carried_is_shm(mount->point, id) ? 0 : -ENOENT;
}

/* Whether podman exports what @orphan is on with the container that holds it. */
static bool is_exported(const struct orphan *orphan)
{
	if (strcmp(orphan->mnt_point, "/dev/shm"))
		return false;
	for (size_t i = 0; i < orphan->n_holders; i++) {
		AUTO_FREE char *path = NULL;
		struct container container;

		if (orphan->holders[i].pid <= 0 ||
		    cgroup_of_pid(orphan->holders[i].pid, &path))
			continue;
		container_of_path(path, &container);
		return !seen_by(getpid(), orphan, is_shm, container.id) ||
		       !seen_by(1, orphan, is_shm, container.id);
	}
	return false;
}

/* Whether @orphan is on a mount that is not the machine's own. Where that cannot be told it is
 * not: it is stored then. */
static bool in_container(const struct orphan *orphan, ino_t first)
{
	return first && orphan->mnt_ns && orphan->mnt_ns != first;
}

static bool same_mount(const struct orphan *a, const struct orphan *b)
{
	return a->mnt_id == b->mnt_id && a->mnt_ns == b->mnt_ns &&
	       !strcmp(a->mnt_point, b->mnt_point);
}

static bool is_carried(const struct orphan *orphan, ino_t first)
{
	struct carried_facts facts = {.container = in_container(orphan, first),
				      .point = orphan->mnt_point,
				      .fstype = orphan->fstype,
				      .outside = true};

	if (carried(&facts))
		return true;
	if (facts.container && carried_outside(orphan, &facts.outside))
		facts.outside = true;
	facts.exported = facts.container && facts.outside && is_exported(orphan);
	return carried(&facts);
}

int carried_find(const struct orphan_set *set, struct depot_mounts *mounts)
{
	const struct orphan *last = NULL;
	struct stat first;
	int ret = 0;

	/* It is ours where the first process is out of reach (CAP_SYS_PTRACE). */
	if (stat("/proc/1/ns/mnt", &first) && stat("/proc/self/ns/mnt", &first))
		first.st_ino = 0;
	mounts->listed = true;
	for (size_t i = 0; i < set->n && !ret; i++) {
		const struct orphan *orphan = &set->orphans[i];

		/* What is in nobody's sight is on no mount that could be listed. */
		if (!orphan->mnt_point || (last && same_mount(last, orphan)) ||
		    depot_mounts_have(mounts, orphan->mnt_point))
			continue;
		last = orphan;
		if (!is_carried(orphan, first.st_ino))
			ret = depot_mounts_put(mounts, orphan->mnt_point);
	}
	return ret;
}

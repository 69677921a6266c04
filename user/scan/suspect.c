/* SPDX-License-Identifier: GPL-2.0-only */
#include "suspect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/list.h"
#include "proc/cgroup.h"
#include "proc/cgroup_walk.h"
#include "proc/proctext.h"

void suspects_fini(struct suspects *suspects)
{
	for (size_t i = 0; i < suspects->n; i++) {
		auto_close(&suspects->suspects[i].fd);
		free(suspects->suspects[i].path);
		mount_fini(&suspects->suspects[i].mount);
	}
	free(suspects->suspects);
	*suspects = (struct suspects){0};
}

/* A new one at the end; NULL when memory is out. */
static struct suspect *suspects_add(struct suspects *suspects, enum rt_holder_kind kind)
{
	struct suspect *grown =
		list_grow(suspects->suspects, suspects->n, sizeof(*grown));

	if (!grown)
		return NULL;
	suspects->suspects = grown;
	grown[suspects->n] = (struct suspect){.kind = kind, .fd = -1};
	return &grown[suspects->n++];
}

/* ---- loop devices ---- */

/* The readable fd of loop device @n, whose number sysfs tells in @dir. -errno. */
static int loop_open(int dir, uint64_t n)
{
	AUTO_FREE char *number = NULL;
	unsigned int dev_major, dev_minor;
	AUTO_FD fd = -1;
	struct stat st;
	char name[32];
	int err = proctext_read(dir, "dev", &number);

	if (err)
		return err;
	snprintf(name, sizeof(name), "/dev/loop%llu", (unsigned long long)n);
	fd = open(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (sscanf(number, "%u:%u", &dev_major, &dev_minor) != 2 ||
	    !S_ISBLK(st.st_mode) || st.st_rdev != makedev(dev_major, dev_minor))
		return -ENODEV;
	return TAKE_FD(fd);
}

/* Loop device @name of /sys/block, when its file is deleted. The path that sysfs has is
 * of d_path() (drivers/block/loop.c, loop_attr_backing_file_show), with a newline. */
static int loop_look(struct suspects *suspects, int blocks, const char *name, uint64_t n)
{
	AUTO_FD dir = openat(blocks, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *path = NULL;
	struct suspect *suspect;
	size_t len;
	int err;

	if (dir < 0)
		return 0;
	err = proctext_read(dir, "loop/backing_file", &path);
	/* Not bound; or a path above a page, of which nobody can tell. */
	if (err && err != -ENAMETOOLONG)
		return err == -ENOMEM ? err : 0;
	len = path ? strlen(path) : 0;
	if (len)
		path[--len] = '\0';
	if (path && !proctext_is_deleted(path))
		return 0;
	suspect = suspects_add(suspects, RT_HOLDER_LOOP);
	if (!suspect)
		return -ENOMEM;
	suspect->loop = n;
	suspect->fd = loop_open(dir, n);
	if (path)
		path[len - strlen(PROCTEXT_DELETED)] = '\0';
	suspect->path = TAKE_PTR(path);
	return 0;
}

static int find_loops(struct suspects *suspects)
{
	AUTO_DIR *blocks = opendir("/sys/block");
	struct dirent *entry;
	int err = 0;

	while (blocks && !err && (entry = readdir(blocks))) {
		char *end = entry->d_name;
		uint64_t n;

		if (strncmp(entry->d_name, "loop", 4) || entry->d_name[4] < '0' ||
		    entry->d_name[4] > '9')
			continue;
		n = strtoull(entry->d_name + 4, &end, 10);
		if (!*end)
			err = loop_look(suspects, dirfd(blocks), entry->d_name, n);
	}
	return err;
}

/* ---- mounts ---- */

/* What a task sees of the mounts: its namespace, and where in it its root is. */
struct sight {
	uint64_t ns;
	char *root;	 /* owned */
	size_t first, n; /* the suspects that were found there */
	bool wanted;
};

struct finder {
	const struct target *target;
	struct suspects *suspects;
	struct sight *sights; /* owned */
	size_t n_sights;
	pid_t pid, tid; /* whose mounts are looked at */
	int proc;	/* /proc; not owned */
};

static void finder_fini(struct finder *finder)
{
	for (size_t i = 0; i < finder->n_sights; i++)
		free(finder->sights[i].root);
	free(finder->sights);
}

static int mount_look(const struct mount *mount, void *data)
{
	struct finder *finder = data;
	struct suspect *suspect = suspects_add(finder->suspects, RT_HOLDER_MOUNT);

	if (!suspect)
		return -ENOMEM;
	suspect->pid = finder->pid;
	suspect->tid = finder->tid;
	return mount_copy(mount, &suspect->mount);
}

static bool is_of_target(const struct finder *finder, pid_t pid)
{
	AUTO_FREE char *path = NULL;

	if (finder->target->kind == TARGET_CGROUPS && cgroup_of_pid(pid, &path))
		return false;
	return target_has(finder->target, pid, path);
}

/* Another task sees what @known is of: it may be one of the target. */
static void sight_again(struct finder *finder, struct sight *known, pid_t pid, pid_t tid)
{
	if (known->wanted || !known->n || !is_of_target(finder, pid))
		return;
	known->wanted = true;
	for (size_t i = known->first; i < known->first + known->n; i++) {
		struct suspect *suspect = &finder->suspects->suspects[i];

		suspect->pid = pid;
		suspect->tid = tid;
		suspect->wanted = true;
	}
}

/* A sight that is new: looks for mounts of what is deleted. */
static int sight_add(struct finder *finder, struct sight *sight, pid_t pid, pid_t tid)
{
	struct sight *grown;
	int err;

	finder->pid = pid;
	finder->tid = tid;
	sight->first = finder->suspects->n;
	err = mount_each_deleted(tid ?: pid, mount_look, finder);
	if (err == -ESRCH || err == -EACCES || err == -EPERM)
		return 0;
	if (err)
		return err;
	grown = reallocarray(finder->sights, finder->n_sights + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	finder->sights = grown;
	sight->n = finder->suspects->n - sight->first;
	grown[finder->n_sights] = *sight;
	sight->root = NULL;
	sight_again(finder, &grown[finder->n_sights++], pid, tid);
	return 0;
}

/* The sight of the task @name below @dir, which is thread @tid (0: the main one) of
 * @pid. What has ended or must not be looked at sees nothing. */
static int sight_look(struct finder *finder, int dir, const char *name, pid_t pid,
		      pid_t tid)
{
	struct sight sight = {0};
	AUTO_FREE char *root = NULL;
	char link[64];
	struct stat ns;
	int err;

	snprintf(link, sizeof(link), "%s/ns/mnt", name);
	if (fstatat(dir, link, &ns, 0))
		return 0;
	snprintf(link, sizeof(link), "%s/root", name);
	err = proctext_readlink(dir, link, &root);
	if (err)
		return err == -ENOMEM ? err : 0;
	for (size_t i = 0; i < finder->n_sights; i++) {
		struct sight *known = &finder->sights[i];

		if (known->ns != ns.st_ino || strcmp(known->root, root))
			continue;
		sight_again(finder, known, pid, tid);
		return 0;
	}
	sight.ns = ns.st_ino;
	sight.root = root;
	err = sight_add(finder, &sight, pid, tid);
	if (!sight.root)
		TAKE_PTR(root);
	return err;
}

/* A process's threads mostly see what it sees; /proc/PID/task has a link for each and two
 * of its own (fs/proc/base.c, proc_task_getattr). */
static int process_look(struct finder *finder, const char *name, pid_t pid)
{
	AUTO_DIR *tasks = NULL;
	struct dirent *entry;
	struct stat st;
	char path[64];
	int err = sight_look(finder, finder->proc, name, pid, 0);

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if (err || stat(path, &st) || st.st_nlink <= 3)
		return err;
	tasks = opendir(path);
	while (tasks && !err && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, name))
			err = sight_look(finder, dirfd(tasks), entry->d_name, pid,
					 atoi(entry->d_name));
	return err;
}

/* A mount may be seen from several roots of one namespace: once is enough, through a task
 * of the target where there is one. */
static void drop_repeated(struct suspects *suspects)
{
	size_t kept = 0;

	for (size_t i = 0; i < suspects->n; i++) {
		struct suspect *suspect = &suspects->suspects[i];
		size_t j = 0;

		while (j < kept && (suspect->kind != RT_HOLDER_MOUNT ||
				    suspects->suspects[j].kind != RT_HOLDER_MOUNT ||
				    suspects->suspects[j].mount.id != suspect->mount.id))
			j++;
		if (j < kept && suspect->wanted && !suspects->suspects[j].wanted) {
			struct suspect other = suspects->suspects[j];

			suspects->suspects[j] = *suspect;
			*suspect = other;
		}
		if (j < kept) {
			mount_fini(&suspect->mount);
			continue;
		}
		suspects->suspects[kept++] = *suspect;
	}
	suspects->n = kept;
}

static int find_mounts(const struct target *target, struct suspects *suspects)
{
	AUTO(finder_fini)
	struct finder finder = {.target = target, .suspects = suspects};
	AUTO_DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;
	int err = 0;

	if (!proc)
		return -errno;
	finder.proc = dirfd(proc);
	while (!err && (entry = readdir(proc)))
		if (!proctext_number(entry->d_name, INT_MAX, &pid))
			err = process_look(&finder, entry->d_name, pid);
	if (err)
		return err;
	drop_repeated(suspects);
	for (size_t i = 0; i < suspects->n; i++) {
		struct suspect *suspect = &suspects->suspects[i];

		if (suspect->kind == RT_HOLDER_MOUNT)
			suspect->fd = mount_open_point(suspect->tid ?: suspect->pid,
						       suspect->mount.id);
	}
	return 0;
}

/* For cgroup_walk_tasks(). */
static int task_look(const char *name, pid_t pid, void *data)
{
	return process_look(data, name, pid);
}

bool suspects_in(const struct target *target)
{
	AUTO(suspects_fini) struct suspects suspects = {0};
	AUTO_FD proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(finder_fini)
	struct finder finder = {.target = target, .suspects = &suspects, .proc = proc};
	int err = proc < 0 ? -errno : 0;

	for (size_t i = 0; i < target->n && !err; i++)
		err = cgroup_walk_tasks(&target->cgroups[i], task_look, &finder);
	return err || suspects.n;
}

int suspects_find(const struct target *target, struct suspects *out)
{
	AUTO(suspects_fini) struct suspects suspects = {0};
	int err = find_loops(&suspects);

	err = err ?: find_mounts(target, &suspects);
	if (err)
		return err;
	*out = suspects;
	suspects = (struct suspects){0};
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "proctext.h"

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

struct each_task {
	int (*each)(const char *text, pid_t pid, void *data);
	void *data;
};

/* By their numbers, one a line; 0 is one that has none here. */
static int list_tasks(int dir, void *data)
{
	const struct each_task *task = data;
	AUTO_FREE char *text = NULL;
	char *rest, *line;
	int err = proctext_read(dir, "cgroup.procs", &text);

	if (err)
		return err == -ENOENT || err == -ENODEV ? 0 : err;
	for (line = strtok_r(text, "\n", &rest); line && !err;
	     line = strtok_r(NULL, "\n", &rest)) {
		uint64_t pid;

		if (proctext_number(line, INT_MAX, &pid) || !pid)
			return -EINVAL;
		err = task->each(line, pid, task->data);
	}
	return err;
}

int cgroup_walk_tasks(const struct cgroup *cg,
		      int (*each)(const char *text, pid_t pid, void *data), void *data)
{
	struct each_task task = {each, data};

	return cgroup_walk(cg, list_tasks, &task);
}

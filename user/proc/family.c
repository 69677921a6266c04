/* SPDX-License-Identifier: GPL-2.0-only */
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/auto.h"
#include "cgroup_walk.h"
#include "proctext.h"

/* Climbs from @pid to @root. 0; -ESRCH it is not there; -errno. */
static int climb(pid_t pid, pid_t root)
{
	while (pid != root) {
		AUTO_FREE char *text = NULL;
		struct proctext_stat stat;
		char name[32];
		int err;

		if (pid <= 1) /* 0: it has no number here */
			return -ESRCH;
		snprintf(name, sizeof(name), "/proc/%d/stat", pid);
		err = proctext_read(AT_FDCWD, name, &text);
		err = err ?: proctext_stat(text, &stat);
		if (err)
			return err;
		pid = stat.ppid;
	}
	return 0;
}

/* For cgroup_walk_tasks(). */
static int climb_each(const char *text, pid_t pid, void *data)
{
	const pid_t *root = data;

	(void)text;
	return climb(pid, *root);
}

bool family_has_all(pid_t root, const struct cgroup *cg)
{
	return !cgroup_walk_tasks(cg, climb_each, &root);
}

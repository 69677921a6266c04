/* SPDX-License-Identifier: GPL-2.0-only */
#include "openfiles.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/resource.h>

static struct rlimit before;
static bool raised;

void openfiles_raise(void)
{
	struct rlimit wanted;

	if (getrlimit(RLIMIT_NOFILE, &before))
		return;
	wanted = (struct rlimit){before.rlim_max, before.rlim_max};
	raised = !setrlimit(RLIMIT_NOFILE, &wanted);
}

void openfiles_reset(size_t used)
{
	struct rlimit wanted = before;

	if (before.rlim_cur <= used)
		wanted.rlim_cur += used;
	if (wanted.rlim_cur > wanted.rlim_max)
		wanted.rlim_cur = wanted.rlim_max;
	if (raised)
		setrlimit(RLIMIT_NOFILE, &wanted);
	raised = false;
}

/* Those that are open now, 0 where that cannot be found out. */
static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	/* "." and "..", and the one that was read. */
	return n - 3;
}

size_t openfiles_room(void)
{
	size_t open = count_open();
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur <= open)
		return 0;
	return limit.rlim_cur - open;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* For tests of what is in a cgroup. */
#ifndef RELINKTRACE_ENTER_H
#define RELINKTRACE_ENTER_H

#include "check.h"
#include "base/auto.h"

/* Moves @pid into the cgroup whose directory is @dir. */
static inline void cgroup_enter(const char *dir, pid_t pid)
{
	AUTO_FILE *procs = NULL;
	AUTO_FREE char *file = NULL;

	MUST(asprintf(&file, "%s/cgroup.procs", dir) > 0);
	procs = fopen(file, "we");
	MUST(procs && fprintf(procs, "%d\n", pid) > 0 && !fflush(procs));
}

#endif

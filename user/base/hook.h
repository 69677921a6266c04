/* SPDX-License-Identifier: GPL-2.0-only */
/* A command of the caller's, run at a moment that only we know. */
#ifndef RELINKTRACE_HOOK_H
#define RELINKTRACE_HOOK_H

#include <time.h>

/* Until @until (CLOCK_MONOTONIC; NULL: as long as it takes), when it is killed with all of
 * its process group (-ETIMEDOUT), runs @command by the shell with $RELINKTRACE_MANIFEST being the absolute path of
 * @manifest, which exists, and our stdin, stdout and stderr, and waits for its end. 0 when
 * it ended with status 0; -ECANCELED when it did not; -errno; and the reason in @why. */
int hook_run(const char *command, const char *manifest, const struct timespec *until,
	     char **why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that may have to be left behind: a call into a filesystem that does not answer
 * cannot be taken back, not even by SIGKILL. */
#ifndef RELINKTRACE_ABANDON_H
#define RELINKTRACE_ABANDON_H

#include <sys/types.h>

/* fork(2), and the child gets @signal when the thread that we are ends. 0 in the child; its
 * process id; -errno. */
pid_t abandon_fork(int signal);

/* In that process: closes what our caller gave us, so that nobody waits for the end of a
 * pipe that it has. What we opened ourselves is close-on-exec, and stays. A terminal may
 * stay as stderr: progress is shown on it. */
void abandon_shed_fds(void);

/* Kills the child @pid (-1: there is none), and reaps it if that can be; sets it to -1. */
void abandon_end(pid_t *pid);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Something to be done exactly when an exec has succeeded: before it would be too early,
 * should it fail, and after it this program is no more. */
#ifndef RELINKTRACE_GUARD_H
#define RELINKTRACE_GUARD_H

/* From now on, when this process executes another program, @done is called with @data in a
 * process of its own (a copy of this one as it is now) while the new program has not run an
 * instruction yet; it does when @done has returned. Nothing is called when the exec fails
 * or never happens. That process traces this one (ptrace(2), PTRACE_O_TRACEEXEC) until
 * then, is no child of it, and blocks all signals. 0; -EPERM where tracing is refused,
 * or somebody traces us already; -errno: then nothing is set up. */
int guard_exec(void (*done)(void *data), void *data);

#endif

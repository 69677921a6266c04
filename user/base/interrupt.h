/* SPDX-License-Identifier: GPL-2.0-only */
/* SIGINT, SIGTERM and SIGHUP, looked at between two steps, so that work is undone in
 * order and not cut off. */
#ifndef RELINKTRACE_INTERRUPT_H
#define RELINKTRACE_INTERRUPT_H

#include <stdbool.h>

/* From now on the signals only set a flag (a system call that waits returns EINTR), and
 * SIGXFSZ is ignored: a write above RLIMIT_FSIZE fails with EFBIG. */
void interrupt_catch(void);

/* Sets the flag too when @seconds have passed, and from then on again and again, so that a
 * system call that waits at that moment returns EINTR. 0 or -errno. */
int interrupt_after(double seconds);

/* Whether that was it. */
bool interrupt_timed_out(void);

/* Whether one of the signals has come since. */
bool interrupt_pending(void);

#endif

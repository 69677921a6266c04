/* SPDX-License-Identifier: GPL-2.0-only */
/* SIGINT, SIGTERM and SIGHUP, looked at between two steps, so that work is undone in
 * order and not cut off. */
#ifndef RELINKTRACE_INTERRUPT_H
#define RELINKTRACE_INTERRUPT_H

#include <stdbool.h>

/* From now on the signals only set a flag (a system call that waits returns EINTR), and
 * SIGXFSZ is ignored: a write above RLIMIT_FSIZE fails with EFBIG. */
void interrupt_catch(void);

/* Whether one of the signals has come since. */
bool interrupt_pending(void);

#endif

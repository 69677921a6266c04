/* SPDX-License-Identifier: GPL-2.0-only */
/* SIGINT, SIGTERM and SIGHUP, looked at between two steps, so that work is undone in
 * order and not cut off; and a time at which work is to end, in the same way. */
#ifndef RELINKTRACE_INTERRUPT_H
#define RELINKTRACE_INTERRUPT_H

#include <stdbool.h>
#include <time.h>

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

/* What is told of whatever was not done then. */
#define INTERRUPT_LATE                                                                   \
	"it was not reached before the deadline: give it more seconds, or copy before "  \
	"the "                                                                           \
	"freeze (--precopy)"

/* The time that is @seconds (above 0, at most INTERRUPT_SECONDS) from now. */
#define INTERRUPT_SECONDS 1e9
void interrupt_time_in(double seconds, struct timespec *out);

/* Milliseconds from now to @until, from 0 to INT_MAX, for poll(2). */
int interrupt_ms_to(const struct timespec *until);

/* From now on long work ends at @until (CLOCK_MONOTONIC); NULL: whenever it is done. */
void interrupt_at(const struct timespec *until);

/* Whether there is such a time. */
bool interrupt_is_timed(void);

/* Milliseconds to that time, as interrupt_ms_to(). */
int interrupt_ms_left(void);

/* Whether that time has come. */
bool interrupt_late(void);

/* For each turn of a long loop: 0; -EINTR interrupt_pending(); -ETIMEDOUT
 * interrupt_late(). */
int interrupt_check(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's clocks in nanoseconds. */
#ifndef RELINKTRACE_CLOCK_H
#define RELINKTRACE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* CLOCK_REALTIME at @boottime_ns of CLOCK_BOOTTIME, as the two are set now. */
static inline uint64_t clock_real_at(uint64_t boottime_ns)
{
	return boottime_ns + clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
}

#endif

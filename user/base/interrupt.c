/* SPDX-License-Identifier: GPL-2.0-only */
#include "interrupt.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/* How often a call that waits is told again that the time is over. */
#define AGAIN_US 100000

static volatile sig_atomic_t pending, timed_out;
static struct timespec end; /* tv_sec 0: none */

static void interrupt_set(int signal)
{
	(void)signal;
	pending = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = interrupt_set};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGXFSZ, SIG_IGN);
}

static void interrupt_time(int signal)
{
	(void)signal;
	timed_out = 1;
	pending = 1;
}

int interrupt_after(double seconds)
{
	struct sigaction action = {.sa_handler = interrupt_time};
	struct itimerval timer = {.it_interval.tv_usec = AGAIN_US};

	timer.it_value.tv_sec = (time_t)seconds;
	timer.it_value.tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6);
	if (!timer.it_value.tv_sec && !timer.it_value.tv_usec)
		timer.it_value.tv_usec = 1; /* 0 would mean never */
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGALRM, &action, NULL) || setitimer(ITIMER_REAL, &timer, NULL))
		return -errno;
	return 0;
}

bool interrupt_timed_out(void)
{
	return timed_out;
}

bool interrupt_pending(void)
{
	return pending;
}

void interrupt_time_in(double seconds, struct timespec *out)
{
	clock_gettime(CLOCK_MONOTONIC, out);
	out->tv_sec += (time_t)seconds;
	out->tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (out->tv_nsec >= 1000000000) {
		out->tv_sec++;
		out->tv_nsec -= 1000000000;
	}
}

int interrupt_ms_to(const struct timespec *until)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (until->tv_sec - now.tv_sec) * 1000LL +
	     (until->tv_nsec - now.tv_nsec) / 1000000;
	return ms < 0 ? 0 : ms > INT_MAX ? INT_MAX : (int)ms;
}

void interrupt_at(const struct timespec *until)
{
	end = until ? *until : (struct timespec){0};
}

bool interrupt_is_timed(void)
{
	return end.tv_sec;
}

int interrupt_ms_left(void)
{
	return interrupt_ms_to(&end);
}

bool interrupt_late(void)
{
	struct timespec now;

	if (!end.tv_sec)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end.tv_sec ||
	       (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec);
}

int interrupt_check(void)
{
	if (pending)
		return -EINTR;
	return interrupt_late() ? -ETIMEDOUT : 0;
}

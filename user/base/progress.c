/* SPDX-License-Identifier: GPL-2.0-only */
#include "progress.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

static struct {
	pthread_mutex_t lock;
	bool active; /* stderr is a terminal */
	bool shown;  /* there is a line to be taken away */
	bool hidden; /* nobody is to see one */
	uint64_t total, done, moved;
	uint64_t begun_ns, shown_ns, delay_ns;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* "1.5 GiB", in @buf. */
static const char *size_format(double value, char buf[static 24])
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	int unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, 24, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

void progress_format(char *buf, size_t size, uint64_t done, uint64_t total,
		     uint64_t moved, uint64_t elapsed_ns)
{
	double rate = elapsed_ns ? moved * 1e9 / elapsed_ns : 0;
	char a[24], b[24], c[24];
	double left;

	/* Files may have grown since they were counted. */
	if (total < done)
		total = done;
	left = rate >= 1 ? (total - done) / rate : 0;
	size_format(done, a);
	size_format(total, b);
	size_format(rate, c);
	if (rate < 1)
		snprintf(buf, size, "%s of %s", a, b);
	else if (left < 100)
		snprintf(buf, size, "%s of %s, %s/s, %.0f s left", a, b, c, left);
	else
		snprintf(buf, size, "%s of %s, %s/s, %.0f min left", a, b, c, left / 60);
}

void progress_hide(bool hidden)
{
	pthread_mutex_lock(&progress.lock);
	progress.hidden = hidden;
	pthread_mutex_unlock(&progress.lock);
}

void progress_begin(uint64_t total, unsigned int delay_ms)
{
	pthread_mutex_lock(&progress.lock);
	progress.active = !progress.hidden && isatty(STDERR_FILENO);
	progress.shown = false;
	progress.total = total;
	progress.done = progress.moved = 0;
	progress.delay_ns = delay_ms * 1000000ULL;
	progress.begun_ns = progress.shown_ns = clock_ns(CLOCK_MONOTONIC);
	pthread_mutex_unlock(&progress.lock);
}

void progress_add(uint64_t bytes, uint64_t moved)
{
	char line[96];
	uint64_t now;

	pthread_mutex_lock(&progress.lock);
	progress.done += bytes;
	progress.moved += moved;
	now = progress.active ? clock_ns(CLOCK_MONOTONIC) : 0;
	if (progress.active && now - progress.shown_ns >= progress.delay_ns) {
		progress_format(line, sizeof(line), progress.done, progress.total,
				progress.moved, now - progress.begun_ns);
		/* "erase to the end of the line", console_codes(4) */
		dprintf(STDERR_FILENO, "\r%s\033[K", line);
		progress.shown = true;
		progress.shown_ns = now;
	}
	pthread_mutex_unlock(&progress.lock);
}

void progress_end(void)
{
	pthread_mutex_lock(&progress.lock);
	if (progress.shown)
		dprintf(STDERR_FILENO, "\r\033[K");
	progress.active = progress.shown = false;
	pthread_mutex_unlock(&progress.lock);
}

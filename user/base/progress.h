/* SPDX-License-Identifier: GPL-2.0-only */
/* A line on stderr while long work goes on: bytes, rate, time left. Nothing where stderr is
 * not a terminal. One work at a time; any thread may add to it. */
#ifndef RELINKTRACE_PROGRESS_H
#define RELINKTRACE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For progress_begin(): shorter work is not shown. */
#define PROGRESS_MS 300

/* From now on work of @total bytes is shown, after @delay_ms for the first time and no
 * more often than that. */
void progress_begin(uint64_t total, unsigned int delay_ms);

/* Whether work that begins from now on is shown nowhere: stderr is another's. */
void progress_hide(bool hidden);

/* @bytes more are done, @moved of them really: the rate is made of those. */
void progress_add(uint64_t bytes, uint64_t moved);

/* Takes the line away. */
void progress_end(void);

/* The line, without control characters, in @buf of @size bytes: 96 hold any. Pure. */
void progress_format(char *buf, size_t size, uint64_t done, uint64_t total,
		     uint64_t moved, uint64_t elapsed_ns);

#endif

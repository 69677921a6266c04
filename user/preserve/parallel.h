/* SPDX-License-Identifier: GPL-2.0-only */
/* The same work for many things, by as many threads as there are processors (two at least),
 * or as $RELINKTRACE_WORKERS says, and eight at most. */
#ifndef RELINKTRACE_PARALLEL_H
#define RELINKTRACE_PARALLEL_H

#include <stddef.h>

/* Threads at a time: more would wait for the same disk. */
#define PARALLEL_MOST 8

/* Calls @work for each of @n @items, in any order, several at a time; returns when all are
 * done. Where no thread can be made, the caller's own does all of it. */
void parallel_run(void **items, size_t n, void (*work)(void *item));

#endif

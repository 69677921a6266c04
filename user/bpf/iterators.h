/* SPDX-License-Identifier: GPL-2.0-only */
/* One pass of the holder iterators, by programs that are loaded: this process's own or
 * the pinned ones. */
#ifndef RELINKTRACE_ITERATORS_H
#define RELINKTRACE_ITERATORS_H

#include "records.h"

/* Programs of bpf/holders.h and bpf/tables.h, -1 where the kernel has no such iterator.
 * Whether they are owned is the business of whoever made the struct. */
struct iterators {
	int files_fd;  /* iter/task_file: always there */
	int tables_fd; /* iter/task over whole tables: instead of it */
	int maps_fd;   /* iter/task_vma; else user space reads map_files */
	int tasks_fd;  /* iter/task: executables, cwds, roots */
	int ours_fd;   /* iter/task_file over our own fds, see bpf/ours.h */
};

#define ITERATORS_INIT                                                                   \
	{                                                                                \
		.files_fd = -1, .tables_fd = -1, .maps_fd = -1, .tasks_fd = -1,          \
		.ours_fd = -1                                                            \
	}

/* Calls @each for every record of every task in our pid namespace, see records_parse().
 * Two passes by the same programs must not run at once: they share their scratch space.
 * 0; -errno, @each's included. */
int iterators_run(const struct iterators *iterators, record_fn each, void *data);

/* The same for what our own fds lead to that no task holds. */
int iterators_run_ours(const struct iterators *iterators, record_fn each, void *data);

/* For AUTO(): closes all of them. */
void iterators_close(struct iterators *iterators);

#endif

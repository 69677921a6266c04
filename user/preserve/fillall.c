/* SPDX-License-Identifier: GPL-2.0-only */
#include "fillall.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "parallel.h"

struct fill_job {
	struct ladder *ladder;
	int ret;
};

static void fill_one(void *item)
{
	struct fill_job *job = item;

	job->ret = ladder_fill(job->ladder);
}

static void sync_one(void *item)
{
	struct fill_job *job = item;

	ladder_sync(job->ladder);
}

static int by_blocks(const void *left, const void *right)
{
	blkcnt_t a = (*(struct ladder *const *)left)->source->stat.st_blocks;
	blkcnt_t b = (*(struct ladder *const *)right)->source->stat.st_blocks;

	return a < b ? -1 : a > b;
}

/* One after the other: several at a time have had the room of each other. */
static int fill_again(struct ladder **ladders, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		ladder_drop(ladders[i]);
	qsort(ladders, n, sizeof(*ladders), by_blocks);
	for (size_t i = 0; i < n && !ret; i++) {
		ladders[i]->fill_error = 0;
		if (!ladder_open(ladders[i]))
			continue;
		ret = ladder_fill(ladders[i]);
		if (ladders[i]->fill_error)
			ladder_drop(ladders[i]);
	}
	return ret;
}

static bool had_no_room(const struct ladder *ladder)
{
	return ladder->fill_error == -ENOSPC || ladder->fill_error == -EDQUOT;
}

int fillall(struct ladder **ladders, size_t n)
{
	AUTO_FREE struct fill_job *jobs = calloc(n + 1, sizeof(*jobs));
	AUTO_FREE void **items = calloc(n + 1, sizeof(*items));
	AUTO_FREE struct ladder **without = calloc(n + 1, sizeof(struct ladder *));
	size_t n_without = 0;
	int ret = 0;

	if (!jobs || !items || !without)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		jobs[i].ladder = ladders[i];
		items[i] = &jobs[i];
	}
	parallel_run(items, n, fill_one);
	parallel_run(items, n, sync_one);
	for (size_t i = 0; i < n && !ret; i++) {
		ret = jobs[i].ret;
		if (had_no_room(ladders[i]))
			without[n_without++] = ladders[i];
	}
	return ret || n_without < 2 ? ret : fill_again(without, n_without);
}

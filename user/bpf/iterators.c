/* SPDX-License-Identifier: GPL-2.0-only */
#include "iterators.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "base/list.h"

/* Tables whose holdings the quick walk has not told, see bpf/tables.h. */
struct crowded {
	record_fn each;
	void *data;
	uint32_t *tids; /* owned */
	size_t n;
};

static int sort_out(const struct rt_holder *record, const char *path, void *data)
{
	struct crowded *crowded = data;
	uint32_t *tids;

	if (record->kind != RT_HOLDER_CROWDED)
		return crowded->each(record, path, crowded->data);
	tids = list_grow(crowded->tids, crowded->n, sizeof(*tids));
	if (!tids)
		return -ENOMEM;
	crowded->tids = tids;
	tids[crowded->n++] = record->tid;
	return 0;
}

/* An iterator by program @prog_fd; of task @tid alone where it is not 0 (6.1,
 * f0d74c4da1f0 "bpf: Parameterize task iterators."). */
static int iterator_open(int prog_fd, uint32_t tid)
{
	union bpf_iter_link_info info = {.task.tid = tid};
	LIBBPF_OPTS(bpf_link_create_opts, options);
	AUTO_FD link = -1;

	if (tid) {
		options.iter_info = &info;
		options.iter_info_len = sizeof(info);
	}
	link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &options);
	return link < 0 ? link : bpf_iter_create(link);
}

static int run(int prog_fd, uint32_t tid, record_fn each, void *data)
{
	char buffer[8 * (sizeof(struct rt_holder) + RT_PATH_MAX)];
	AUTO_FD fd = iterator_open(prog_fd, tid);
	size_t have = 0;

	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, buffer + have, sizeof(buffer) - have);

		/* EAGAIN: a million objects without output; the iterator gives up the
		 * CPU. */
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return have ? -EBADMSG : 0;
		have += n;
		n = records_parse(buffer, have, each, data);
		if (n < 0)
			return n;
		have -= n;
		memmove(buffer, buffer + n, have);
	}
}

/* Open files, table by table, and then those of the tables that were too much for it. */
static int run_tables(const struct iterators *iterators, record_fn each, void *data)
{
	struct crowded crowded = {.each = each, .data = data};
	AUTO_FREE uint32_t *tids = NULL;
	int err = run(iterators->tables_fd, 0, sort_out, &crowded);

	tids = crowded.tids;
	for (size_t i = 0; i < crowded.n && !err; i++) {
		err = run(iterators->files_fd, tids[i], each, data);
		if (err == -ESRCH) /* ended meanwhile, and holds nothing */
			err = 0;
	}
	return err;
}

int iterators_run(const struct iterators *iterators, record_fn each, void *data)
{
	int err;

	if (iterators->tables_fd >= 0)
		err = run_tables(iterators, each, data);
	else
		err = run(iterators->files_fd, 0, each, data);
	if (!err && iterators->maps_fd >= 0)
		err = run(iterators->maps_fd, 0, each, data);
	if (!err)
		err = run(iterators->tasks_fd, 0, each, data);
	return err;
}

int iterators_run_ours(const struct iterators *iterators, record_fn each, void *data)
{
	int err = run(iterators->ours_fd, getpid(), each, data);

	/* Before 6.1 there are none of a single task, and the program looks. */
	return err == -EINVAL ? run(iterators->ours_fd, 0, each, data) : err;
}

void iterators_close(struct iterators *iterators)
{
	auto_close(&iterators->files_fd);
	auto_close(&iterators->tables_fd);
	auto_close(&iterators->maps_fd);
	auto_close(&iterators->tasks_fd);
	auto_close(&iterators->ours_fd);
	*iterators = (struct iterators)ITERATORS_INIT;
}

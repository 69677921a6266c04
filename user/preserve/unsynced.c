/* SPDX-License-Identifier: GPL-2.0-only */
#include "unsynced.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/list.h"
#include "parallel.h"

void unsynced_fini(struct unsynced *unsynced)
{
	for (size_t i = 0; i < unsynced->n; i++)
		auto_close(&unsynced->files[i].fd);
	free(unsynced->files);
	*unsynced = (struct unsynced){0};
}

int unsynced_add(struct unsynced *unsynced, int *fd, unsigned int n,
		 const struct holder *holder)
{
	struct unsynced_file *grown =
		list_grow(unsynced->files, unsynced->n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	unsynced->files = grown;
	grown[unsynced->n++] =
		(struct unsynced_file){.fd = TAKE_FD(*fd), .n = n, .holder = holder};
	return 0;
}

static void sync_one(void *item)
{
	struct unsynced_file *file = item;

	file->error = fsync(file->fd) ? -errno : 0;
}

int unsynced_sync(struct unsynced *unsynced,
		  int (*failed)(unsigned int n, int error, void *data), void *data)
{
	AUTO_FREE void **items = calloc(unsynced->n + 1, sizeof(*items));
	int ret = 0;

	if (!items)
		return -ENOMEM;
	/* All on their way first: then one fsync brings the metadata of many to the disk. */
	for (size_t i = 0; i < unsynced->n; i++) {
		items[i] = &unsynced->files[i];
		sync_file_range(unsynced->files[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	}
	parallel_run(items, unsynced->n, sync_one);
	for (size_t i = 0; i < unsynced->n && !ret; i++) {
		struct unsynced_file *file = &unsynced->files[i];

		if (!file->error)
			continue;
		auto_close(&file->fd);
		file->fd = -1;
		ret = failed(file->n, file->error, data);
	}
	return ret;
}

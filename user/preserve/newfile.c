/* SPDX-License-Identifier: GPL-2.0-only */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/auto.h"

/* Own names that may be taken in a row. */
#define OWN_TRIES 8

/* Makes ladder->fd with a name of our own, ladder->own, in the folder of @path. 0 or -errno:
 * then it is not there, or told of. */
static int own_file(struct ladder *ladder, const char *path)
{
	struct folder *folder = ladder->folder;
	int ret = folder_own_name(ladder->folders, folder, ladder->manifest->id, path,
				  ladder->own);

	if (!ret) {
		ladder->fd =
			openat(folder->fd, ladder->own,
			       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		ret = ladder->fd < 0 ? -errno : 0;
		if (ret)
			folder_take_back(ladder->folders, folder, folder->fd, ladder->own,
					 S_IFREG, ret);
	}
	if (ret)
		ladder->own[0] = '\0';
	return ret;
}

int newfile_make(struct ladder *ladder)
{
	struct folder *folder = ladder->folder;
	AUTO_FREE char *path = NULL;
	int ret;

	if (!folder->no_tmpfile) {
		ret = folder_tmpfile(folder);
		if (ret >= 0) {
			ladder->fd = ret;
			return 0;
		}
		if (ret != -EOPNOTSUPP && ret != -EISDIR && ret != -EINVAL)
			return ret;
		folder->no_tmpfile = true;
	}
	path = malloc(RELINK_PATH_MAX);
	if (!path)
		return -ENOMEM;
	ret = manifest_name(ladder->manifest, ladder->store, ladder->entry->n, path);
	ret = ret ?: own_file(ladder, path);
	/* One that is there was made by a call that a server was asked for twice. */
	for (int i = 1; ret == -EEXIST && i < OWN_TRIES; i++)
		ret = own_file(ladder, path);
	return ret;
}

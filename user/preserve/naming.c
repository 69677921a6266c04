/* SPDX-License-Identifier: GPL-2.0-only */
#include "naming.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "project.h"
#include "relink.h"
#include "base/why.h"

/* Names that may be taken in a row, by other checkpoints with the same template. */
#define NAME_TRIES 65536

const char *naming_last(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int naming_choose(struct ladder *ladder)
{
	struct manifest_entry *entry = ladder->entry;
	AUTO_FREE char *path = malloc(RELINK_PATH_MAX);
	struct journal_file *journal = ladder->folders->journal;
	struct relink_identity identity = relink_identity_of(entry);
	int ret = path ? -EEXIST : -ENOMEM;
	struct stat st;

	for (int i = 0; i < NAME_TRIES && ret == -EEXIST; i++) {
		if (i || ladder->path)
			entry->n = (*ladder->next_n)++;
		free(TAKE_PTR(ladder->path));
		ret = manifest_name(ladder->manifest, ladder->store, entry->n, path);
		if (!ret && !fstatat(ladder->folder->fd, naming_last(path), &st,
				     AT_SYMLINK_NOFOLLOW))
			ret = -EEXIST;
	}
	if (!ret && journal)
		ret = journal_file_name(journal, ladder->folder->place, path, true,
					&identity);
	if (!ret)
		ladder->path = TAKE_PTR(path);
	return ret;
}

/* Gives ladder->own the name @to. */
static int rename_exclusively(struct ladder *ladder, const char *to)
{
	const char *from = ladder->own;
	int dir_fd = ladder->folder->fd;

	if (!renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* Two steps do the same, and with the first one it is preserved. */
	if (linkat(dir_fd, from, dir_fd, to, 0))
		return -errno;
	if (unlinkat(dir_fd, from, 0) && errno != ENOENT)
		folder_litter(ladder->folders, ladder->folder, from, -errno);
	return 0;
}

static int name_new_file(struct ladder *ladder, const char *name)
{
	struct stat st;
	int ret;

	if (ladder->own[0]) {
		ret = rename_exclusively(ladder, name);
		if (!ret)
			ladder->own[0] = '\0';
		return ret;
	}
	if (fstat(ladder->fd, &st))
		return -errno;
	return relink_link(ladder->fd, &st, ladder->folder->fd, name);
}

/* In the folder's project for a moment, see project.h. */
static int name_in_project(struct ladder *ladder, const char *name)
{
	uint32_t project, was;
	int ret = project_of_folder(ladder->folder->fd, &project);

	ret = ret ?: project_set(ladder->fd, project, &was);
	if (ret)
		return -EXDEV;
	ret = name_new_file(ladder, name);
	/* Who pays for it matters less than that it is there. */
	project_set(ladder->fd, was, &project);
	return ret;
}

int naming_make(struct ladder *ladder)
{
	const char *name = naming_last(ladder->path);
	int ret;

	if (ladder->fd < 0)
		return relink_link(ladder->source->fd, &ladder->source->stat,
				   ladder->folder->fd, name);
	ret = name_new_file(ladder, name);
	return ret == -EXDEV ? name_in_project(ladder, name) : ret;
}

void naming_explain(const struct ladder *ladder, int ret, char **why)
{
	const char *seal = ret == -EPERM ? advice_seal(ladder->source->fd) : NULL;

	if (seal)
		why_set(why, ret, "%s: it is %s", strerror(-ret), seal);
	else
		why_set(why, ret, "%s%s", strerror(-ret),
			caps_refused(ret,
				     caps_have(CAPS_REACH) ? CAPS_HARDLINK : CAPS_REACH));
}

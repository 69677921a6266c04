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
#include "base/name.h"
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

/* Gives the file of @st, which is at ladder->own, the name @name instead. */
static int rename_own(struct ladder *ladder, const struct stat *st, const char *name)
{
	struct name_moved moved;
	int ret = name_move(ladder->folder->fd, ladder->own, name, st, &moved);

	if (moved.doubt)
		folder_doubt(ladder->folders, ladder->folder, name, ret);
	if (moved.left)
		folder_litter(ladder->folders, ladder->folder, ladder->own, moved.left);
	if (!ret)
		ladder->own[0] = '\0';
	return ret;
}

/* Links the file of @fd and @st to @name. @ours: nobody else can have linked it to that. */
static int link_file(struct ladder *ladder, int fd, const struct stat *st,
		     const char *name, bool ours)
{
	const struct folder *folder = ladder->folder;
	bool doubt;
	int ret = relink_link(fd, st, folder->fd, name, &doubt);

	/* A server may have been asked twice, and told of the second time. */
	if (ret == -EEXIST && !name_leads_to(folder->fd, name, st)) {
		if (ours)
			return 0;
		doubt = mount_may_hang(folder->mount.fstype);
	}
	if (doubt)
		folder_doubt(ladder->folders, folder, name, ret);
	return ret;
}

static int name_new_file(struct ladder *ladder, const char *name)
{
	struct stat st;

	if (fstat(ladder->fd, &st))
		return -errno;
	return ladder->own[0] ? rename_own(ladder, &st, name)
			      : link_file(ladder, ladder->fd, &st, name, true);
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

	/* Of one orphan several checkpoints make names, which the clock keeps apart. */
	if (ladder->fd < 0)
		return link_file(ladder, ladder->source->fd, &ladder->source->stat, name,
				 template_has_clock(ladder->manifest->template));
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

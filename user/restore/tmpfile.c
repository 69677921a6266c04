/* SPDX-License-Identifier: GPL-2.0-only */
#include "tmpfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/why.h"
#include "locate.h"
#include "preserve/beneath.h"
#include "preserve/carry.h"
#include "refill.h"

bool tmpfile_is_wanted(const struct manifest_entry *entry)
{
	if (!entry->orphan.tmpfile || !S_ISREG(entry->orphan.mode))
		return false;
	for (size_t i = 0; i < entry->n_steps; i++)
		if (entry->steps[i].method == METHOD_LINK &&
		    entry->steps[i].error == ENOENT)
			return false;
	return true;
}

static int open_anonymous(int folder_fd)
{
	int fd = openat(folder_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* In the folder that path @path below the mount's root is in. */
static int open_beside(int root_fd, const char *path)
{
	AUTO_FD folder = -1;
	const char *name;

	if (!strchr(path, '/'))
		return open_anonymous(root_fd);
	folder = beneath_open_parent(root_fd, path, &name);
	return folder < 0 ? folder : open_anonymous(folder);
}

/* Where the program had it: btrfs links within a subvolume only, and ext4 and xfs within
 * a project. */
static int open_at_home(const struct manifest *manifest,
			const struct manifest_entry *entry)
{
	const char *point = entry->orphan.mnt_point, *path = entry->orphan.path;
	const char *below = point && path ? locate_below(point, path) : NULL;
	AUTO(located_fini) struct located located = LOCATED_INIT;
	int ret;

	if (!below || !*below || (entry->store && !locate_knows_home(manifest)))
		return -ENOENT;
	ret = locate_home(manifest, entry, entry->store ? "" : entry->relink_path,
			  &located, NULL);
	return ret ?: open_beside(located.root_fd, below);
}

int tmpfile_make(const struct manifest *manifest, const struct manifest_entry *entry,
		 int preserved, char **why)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FD fd = -1;
	int ret = locate_entry(manifest, entry, entry->relink_path, &located, why);

	if (ret)
		return ret;
	fd = open_at_home(manifest, entry);
	if (fd < 0)
		fd = open_beside(located.root_fd, located.path);
	if (fd < 0)
		return why_set(why, fd, "cannot make an O_TMPFILE: %s", strerror(-fd));
	ret = refill(preserved, fd, entry);
	if (ret)
		return why_set(why, ret, "cannot copy %s into an O_TMPFILE: %s%s",
			       located.path, strerror(-ret), carry_refused(ret));
	return TAKE_FD(fd);
}

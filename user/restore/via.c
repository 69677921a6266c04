/* SPDX-License-Identifier: GPL-2.0-only */
#include "via.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "base/why.h"
#include "locate.h"
#include "preserve/beneath.h"
#include "proc/handle.h"

static bool is_same(int fd, int other)
{
	struct stat a, b;

	return !fstat(fd, &a) && !fstat(other, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* By its relink name, which every filesystem has; what has none, or one that the mount's
 * subtree does not contain, by the handle of the filesystem. */
static int open_on(const struct located *located, int path_fd)
{
	AUTO_FD root = -1, fd = -1;

	if (located->path[0])
		fd = beneath_open(located->root_fd, located->path, O_PATH | O_NOFOLLOW);
	if (fd >= 0 && is_same(fd, path_fd))
		return TAKE_FD(fd);
	/* An O_PATH fd is no place to open by handle from (open_by_handle_at(2)). */
	root = openat(located->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : handle_reopen(path_fd, root);
}

int via_open(const struct manifest *manifest, const struct manifest_entry *entry,
	     const struct holder *holder, int path_fd)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FREE char *why = NULL;
	int fd;

	/* What is in a store is on no mount of it. */
	if (entry->store || !holder_has_via(&entry->orphan, holder))
		return -1;
	fd = locate_via(manifest, entry, holder, &located, &why);
	if (!fd) {
		fd = open_on(&located, path_fd);
		if (fd >= 0)
			return fd;
		why_set(&why, fd, "%s%s", strerror(-fd), caps_refused(fd, CAPS_HANDLE));
	}
	log_warning(
		"orphan%u: the %s of process %d comes back through the mount at %s and "
		"not its own at %s: %s",
		entry->n, holder_kind_name(holder->kind), holder->pid,
		entry->orphan.mnt_point ? entry->orphan.mnt_point : "?",
		holder->via.point ? holder->via.point : "?", why_text(why));
	return -1;
}

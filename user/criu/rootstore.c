/* SPDX-License-Identifier: GPL-2.0-only */
#include "rootstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "preserve/carried.h"
#include "proc/mount.h"

struct search {
	struct stat root;
	const char *in_fs; /* where the root is in its filesystem */
	char *path;	   /* owned by who searches */
};

/* Whether @path is the root that is looked for, and may be written to. */
static bool is_it(const struct search *search, const char *path)
{
	AUTO_FD fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statvfs fs;
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && st.st_dev == search->root.st_dev &&
	       st.st_ino == search->root.st_ino && !fstatvfs(fd, &fs) &&
	       !(fs.f_flag & ST_RDONLY);
}

/* For mount_try_by_dev(). */
static int take(const struct mount *mount, void *data)
{
	struct search *search = data;
	size_t len = strcmp(mount->root, "/") ? strlen(mount->root) : 0;
	const char *below = search->in_fs + len;
	AUTO_FREE char *path = NULL;

	/* It would show other owners than the container sees. */
	if (mount->idmapped || strncmp(mount->root, search->in_fs, len) ||
	    (below[0] && below[0] != '/'))
		return -ENOENT;
	if (asprintf(&path, "%s%s%s", mount_is_ours(mount) ? "" : MOUNT_MACHINE,
		     strcmp(mount->point, "/") ? mount->point : "",
		     strcmp(below, "/") ? below : "") < 0)
		return -ENOMEM;
	if (!is_it(search, path))
		return -ENOENT;
	search->path = TAKE_PTR(path);
	return 0;
}

/* Looks at the root of @tree. 0 or -errno. */
static int look(pid_t tree, struct search *search, struct mount *mount)
{
	char link[32];
	AUTO_FD fd = -1;
	int id, ret;

	snprintf(link, sizeof(link), "/proc/%d/root", tree);
	fd = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &search->root))
		return -errno;
	ret = mount_id_of_fd(fd, &id);
	return ret ?: mount_find(tree, id, mount);
}

static bool is_root_of(const struct search *search, const char *path)
{
	struct stat st;

	return !stat(path, &st) && st.st_dev == search->root.st_dev &&
	       st.st_ino == search->root.st_ino;
}

int rootstore_find(pid_t tree, char **path, char **why)
{
	AUTO(mount_fini) struct mount mount = {0};
	struct search search = {0};
	int ret = look(tree, &search, &mount);

	if (ret)
		return why_set(why, ret, "cannot find the root of process %d: %s", tree,
			       strerror(-ret));
	if (is_root_of(&search, "/") || is_root_of(&search, MOUNT_MACHINE))
		return why_set(why, -ENOENT, "process %d is in no container", tree);
	search.in_fs = mount.root;
	ret = mount_try_by_dev(mount.dev_major, mount.dev_minor, mount.root, take,
			       &search);
	if (ret)
		return why_set(why, ret,
			       "the root of process %d cannot be written to from here",
			       tree);
	ret = asprintf(path, "%s/" STORE_OF_ROOT, search.path) < 0 ? -ENOMEM : 0;
	free(search.path);
	return ret;
}

static size_t count_missed(const struct manifest *manifest)
{
	AUTO(depot_mounts_fini) struct depot_mounts mounts = {.sparing = true};
	struct depot depot = DEPOT_INIT;
	size_t n = 0;

	depot.mounts = &mounts;
	for (size_t i = 0; i < manifest->n_entries; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		struct orphan_set one = {.orphans = (struct orphan *)&entry->orphan,
					 .n = 1};

		if (entry->relink_path && !entry->store && !carried_find(&one, &mounts))
			n += depot_takes(&depot, &entry->orphan);
	}
	return n;
}

void rootstore_tell_missed(const struct manifest *manifest, const char *why)
{
	size_t n = count_missed(manifest);

	if (n)
		log_warning("%zu names are on mounts that do not travel with the "
			    "checkpoint, and not in a store: %s",
			    n, why);
}

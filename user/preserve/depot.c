/* SPDX-License-Identifier: GPL-2.0-only */
#include "depot.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/list.h"
#include "base/log.h"
#include "base/why.h"
#include "beneath.h"
#include "proc/mount.h"
#include "proc/ownfd.h"

void depot_mounts_fini(struct depot_mounts *mounts)
{
	for (size_t i = 0; i < mounts->n; i++)
		free(mounts->points[i]);
	free(mounts->points);
	*mounts = (struct depot_mounts){0};
}

/* Copies @text without the slashes at its end, but not the root's; in place of "\," a
 * comma. *@end is where the element ends. */
static char *element(const char *text, const char **end)
{
	char *copy = malloc(strlen(text) + 1);
	size_t len = 0;

	if (!copy)
		return NULL;
	for (; *text && *text != ','; text++) {
		if (text[0] == '\\' && text[1] == ',')
			text++;
		copy[len++] = *text;
	}
	while (len > 1 && copy[len - 1] == '/')
		len--;
	copy[len] = '\0';
	*end = text;
	return copy;
}

/* Adds @point, which is ours from then on, whatever happens. 0 or -ENOMEM. */
static int add(struct depot_mounts *mounts, char *point)
{
	AUTO_FREE char *owned = point;
	char **grown = list_grow(mounts->points, mounts->n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	mounts->points = grown;
	grown[mounts->n++] = TAKE_PTR(owned);
	return 0;
}

int depot_mounts_put(struct depot_mounts *mounts, const char *point)
{
	char *copy = strdup(point);

	return copy ? add(mounts, copy) : -ENOMEM;
}

bool depot_mounts_have(const struct depot_mounts *mounts, const char *point)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (!strcmp(mounts->points[i], point))
			return true;
	return false;
}

int depot_mounts_add(struct depot_mounts *mounts, const char *list)
{
	const char *rest = list - 1;

	do {
		AUTO_FREE char *point = element(rest + 1, &rest);

		if (!point)
			return -ENOMEM;
		if (point[0] != '/')
			return -EINVAL;
		if (add(mounts, TAKE_PTR(point)))
			return -ENOMEM;
	} while (*rest);
	return 0;
}

static bool is_nowhere_else(const struct orphan *orphan)
{
	return S_ISREG(orphan->mode) &&
	       (!orphan->nlink || !strcmp(orphan->fstype, "tmpfs"));
}

bool depot_takes(const struct depot *depot, const struct orphan *orphan)
{
	if (!depot || (depot->mounts->sparing && !is_nowhere_else(orphan)))
		return false;
	if (!orphan->mnt_point)
		return depot->mounts->listed || !depot->mounts->n;
	return depot_mounts_have(depot->mounts, orphan->mnt_point) ||
	       (!depot->mounts->listed && !depot->mounts->n);
}

static bool is_used(const char *point, const struct orphan_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->orphans[i].mnt_point &&
		    !strcmp(set->orphans[i].mnt_point, point))
			return true;
	return false;
}

void depot_tell_unused(const struct depot *depot, const struct orphan_set *set)
{
	for (size_t i = 0; depot && i < depot->mounts->n && set->n; i++)
		if (!is_used(depot->mounts->points[i], set))
			log_warning("--store-mounts %s: nothing that is preserved is on "
				    "a mount there",
				    depot->mounts->points[i]);
}

void depot_fini(struct depot *depot)
{
	store_fini(&depot->store);
	auto_close(&depot->fd);
	*depot = (struct depot)DEPOT_INIT;
}

/* @path without a '/' at the end: with one a symbolic link would be followed. Owned by the
 * caller; NULL. */
static char *without_slash(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

/* Opens directory @name (O_PATH) and looks whether it will do. */
static int open_directory(const char *name, char **why)
{
	AUTO_FD fd = -1;
	struct stat st;

	fd = open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return why_set(why, -errno,
			       "store %s is not a directory, or a symbolic link: name "
			       "the directory itself",
			       name);
	if (fd < 0 || fstat(fd, &st))
		return why_set(why, -errno, "cannot open store %s: %m", name);
	if ((st.st_uid && st.st_uid != geteuid()) || (st.st_mode & 022))
		return why_set(why, -EPERM,
			       "others may write to store %s, and take the copies away: "
			       "chown it to root and chmod 700",
			       name);
	return TAKE_FD(fd);
}

/* Finds out what leads from the manifest's directory to @store, if anything does. */
static int find_beside(const char *manifest, struct store *store)
{
	AUTO_FREE char *copy = strdup(manifest);
	AUTO_FREE char *dir = copy ? realpath(dirname(copy), NULL) : NULL;
	const char *below = store->path;
	size_t len;

	if (!dir)
		return copy ? -errno : -ENOMEM;
	len = strcmp(dir, "/") ? strlen(dir) : 0;
	if (strncmp(below, dir, len) || (below[len] && below[len] != '/'))
		return 0;
	below += len;
	below += *below == '/';
	if (*below && !relink_path_valid(below))
		return 0;
	store->beside = strdup(*below ? below : ".");
	return store->beside ? 0 : -ENOMEM;
}

/* Whether the path that is written down leads there. */
static bool is_there(const struct depot *depot)
{
	const char *path = depot->store.path, *base = mount_base(&path);
	AUTO_FD root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat ours, found;

	fd = root < 0
		     ? root
		     : beneath_open_mounts(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	return fd >= 0 && !fstat(fd, &found) && !fstat(depot->fd, &ours) &&
	       found.st_ino == ours.st_ino && found.st_dev == ours.st_dev;
}

/* The last component of @path, which is to be made there. */
static int add_child(struct store *store, const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = TAKE_PTR(store->path);

	if (asprintf(&store->path, "%s/%s", strcmp(dir, "/") ? dir : "",
		     slash ? slash + 1 : path) < 0) {
		store->path = NULL;
		return -ENOMEM;
	}
	return absolute_path_valid(store->path) ? 0 : -ENOENT;
}

/* What manifest and journal tell of the store; where the fd is of its folder, it is to be made at
 * @child there (NULL: it is the store's own). */
static int describe(struct depot *depot, const char *child, const char *manifest)
{
	AUTO(mount_fini) struct mount mount = {0};
	struct store *store = &depot->store;
	AUTO_FREE char *path = NULL;
	int id, ret = mount_id_of_fd(depot->fd, &id);

	ret = ret ?: mount_find(getpid(), id, &mount);
	if (ret == -ENOENT)
		ret = mount_find(1, id, &mount);
	ret = ret ?: ownfd_path(depot->fd, &path);
	if (ret)
		return ret;
	store->dev_major = mount.dev_major;
	store->dev_minor = mount.dev_minor;
	store->fstype = TAKE_PTR(mount.fstype);
	/* The kernel says it from the root of the namespace that it is in. */
	if (asprintf(&store->path, "%s%s", mount_is_ours(&mount) ? "" : MOUNT_MACHINE,
		     path) < 0) {
		store->path = NULL;
		return -ENOMEM;
	}
	if (!absolute_path_valid(store->path) || (!store->path[1] && !child) ||
	    !is_there(depot))
		return -ENOENT;
	ret = child ? add_child(store, child) : 0;
	return ret ?: find_beside(manifest, store);
}

int depot_try(struct depot *depot, const char *path, const struct depot_mounts *mounts,
	      const char *manifest, char **why)
{
	AUTO(depot_fini) struct depot opened = DEPOT_INIT;
	AUTO_FREE char *name = without_slash(path), *dir = name ? strdup(name) : NULL;
	const char *child = NULL;
	struct stat st;
	int ret;

	if (!dir)
		return -ENOMEM;
	if (lstat(name, &st) && errno == ENOENT)
		child = name;
	opened.fd = child ? open(dirname(dir), O_PATH | O_DIRECTORY | O_CLOEXEC)
			  : open_directory(name, why);
	if (opened.fd < 0)
		return child ? why_set(why, -errno, "cannot make store %s: %m", name)
			     : TAKE_FD(opened.fd);
	ret = describe(&opened, child, manifest);
	if (ret)
		return why_set(why, ret, "cannot find out where store %s is: %s", path,
			       strerror(-ret));
	opened.made = !child;
	opened.mounts = mounts;
	*depot = opened;
	opened = (struct depot)DEPOT_INIT;
	return 0;
}

int depot_make(struct depot *depot, const char *path, char **why)
{
	AUTO_FREE char *name = without_slash(path);

	if (!name)
		return -ENOMEM;
	if (depot->made)
		return 0;
	close(TAKE_FD(depot->fd));
	if (mkdir(name, 0700) && errno != EEXIST)
		return why_set(why, -errno, "cannot make store %s: %m", name);
	depot->fd = open_directory(name, why);
	if (depot->fd < 0)
		return depot->fd;
	if (!is_there(depot))
		return why_set(why, -ENOENT, "store %s is elsewhere by now", name);
	depot->made = true;
	return 0;
}

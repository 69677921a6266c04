/* SPDX-License-Identifier: GPL-2.0-only */
#include "ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "carry.h"
#include "fill.h"
#include "relink.h"
#include "manifest/template.h"
#include "base/why.h"

/* Names that may be taken in a row, by other checkpoints with the same template. */
#define NAME_TRIES 65536

size_t ladder_methods(const struct orphan *orphan, enum method forced,
		      enum method out[static LADDER_STEPS])
{
	size_t n = 0;

	if (S_ISREG(orphan->mode) && forced != METHOD_AUTO) {
		out[n++] = forced;
	} else if (S_ISREG(orphan->mode)) {
		out[n++] = METHOD_LINK;
		out[n++] = METHOD_CLONE;
		out[n++] = METHOD_COPY;
	} else {
		if (orphan->nlink && !S_ISDIR(orphan->mode))
			out[n++] = METHOD_LINK;
		out[n++] = METHOD_RECREATE;
	}
	return n;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Calls @make with the next name that is free; the path is the entry's from then on. What
 * @make returned. */
static int name_make(struct ladder *ladder,
		     int (*make)(const struct ladder *, const char *))
{
	struct manifest_entry *entry = ladder->entry;
	AUTO_FREE char *path = malloc(RELINK_PATH_MAX);
	int ret = path ? -EEXIST : -ENOMEM;

	for (int i = 0; i < NAME_TRIES && ret == -EEXIST; i++) {
		if (i)
			entry->n = (*ladder->next_n)++;
		ret = template_expand(ladder->manifest->template, ladder->manifest->ktime,
				      entry->n, path);
		ret = ret ?: make(ladder, name_of(path));
	}
	if (ret >= 0)
		entry->relink_path = TAKE_PTR(path);
	return ret;
}

static int make_link(const struct ladder *ladder, const char *name)
{
	return relink_link(ladder->source->fd, &ladder->source->stat, ladder->folder->fd,
			   name);
}

static int make_file(const struct ladder *ladder, const char *name)
{
	int fd = openat(ladder->folder->fd, name,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* What restore will compare the name with. */
static void record_relinked(struct manifest_entry *entry, const struct stat *st, int fd)
{
	struct manifest_relinked *relinked = &entry->relinked;

	relinked->ino = st->st_ino;
	relinked->size = st->st_size;
	relinked->mtime = st->st_mtim;
	relinked->has_mtime = true;
	relinked->has_generation = !source_generation(fd, &relinked->generation);
}

static int climb_link(struct ladder *ladder, char **why)
{
	const struct orphan *orphan = &ladder->entry->orphan;
	int ret;

	if (orphan->tmpfile && !ladder->source->stat.st_nlink && !ladder->stop)
		return why_set(
			why, -EPERM,
			"a live O_TMPFILE: the program would lose its own right to "
			"link it (--stop says that it ends)");
	ret = name_make(ladder, make_link);
	if (ret)
		return why_set(why, ret, "%s", strerror(-ret));
	record_relinked(ladder->entry, &ladder->source->stat, ladder->source->fd);
	ladder->entry->same_inode = true;
	return 0;
}

/* Fills @fd, the new file, from the orphan. */
static int fill_new(struct ladder *ladder, enum method method, int fd)
{
	struct stat st;
	int ret = fill(ladder->source->fd, &ladder->source->stat, method, fd,
		       ladder->entry);

	if (ret)
		return ret;
	if (fsync(fd) || fstat(fd, &st))
		return -errno;
	record_relinked(ladder->entry, &st, fd);
	return 0;
}

static int climb_file(struct ladder *ladder, enum method method, char **why)
{
	struct manifest_entry *entry = ladder->entry;
	AUTO_FD fd = name_make(ladder, make_file);
	int ret;

	if (fd < 0)
		return why_set(why, fd, "cannot make the new file: %s", strerror(-fd));
	ret = fill_new(ladder, method, fd);
	if (!ret)
		return 0;
	unlinkat(ladder->folder->fd, name_of(entry->relink_path), 0);
	free(TAKE_PTR(entry->relink_path));
	return why_set(why, ret, "%s", strerror(-ret));
}

static int climb_recreate(struct ladder *ladder, char **why)
{
	struct manifest_entry *entry = ladder->entry;
	char target[PATH_MAX + 1];
	ssize_t len;
	int ret =
		carry_read(ladder->source->fd, &ladder->source->stat, &entry->attributes);

	if (ret)
		return why_set(why, ret, "cannot read its attributes: %s",
			       strerror(-ret));
	entry->has_attributes = true;
	if (!S_ISLNK(entry->orphan.mode))
		return 0;
	len = readlinkat(ladder->source->fd, "", target, sizeof(target));
	if (len < 0 || len > PATH_MAX)
		return why_set(why, len < 0 ? -errno : -ENAMETOOLONG,
			       "cannot read the symbolic link: %m");
	entry->link_target = strndup(target, len);
	return entry->link_target ? 0 : -ENOMEM;
}

static int climb(struct ladder *ladder, enum method method, char **why)
{
	switch (method) {
	case METHOD_LINK:
		return climb_link(ladder, why);
	case METHOD_CLONE:
	case METHOD_COPY:
		return climb_file(ladder, method, why);
	case METHOD_RECREATE:
		return climb_recreate(ladder, why);
	case METHOD_AUTO:
		break;
	}
	return -EINVAL;
}

/* Whether the name that was made leads to the file, from the root of the mount: its folder
 * may have been moved away meanwhile. Where it does not, the name is taken back. */
static int look_again(struct ladder *ladder, char **why)
{
	struct manifest_entry *entry = ladder->entry;
	struct relink_identity identity = {
		.type = entry->orphan.mode & S_IFMT,
		.ino = entry->relinked.ino,
		.has_generation = entry->relinked.has_generation,
		.generation = entry->relinked.generation,
	};
	AUTO_FD fd = -1;

	if (!entry->relink_path)
		return 0;
	fd = relink_open(ladder->folder->root_fd, entry->relink_path, &identity, why);
	if (fd >= 0)
		return 0;
	relink_remove(ladder->folder->fd, name_of(entry->relink_path), &identity, NULL);
	free(TAKE_PTR(entry->relink_path));
	entry->same_inode = false;
	return fd == -ENOENT ? -ESTALE : fd;
}

int ladder_climb(struct ladder *ladder, const enum method *methods, size_t n, char **why)
{
	AUTO_FREE char *all = NULL;
	int ret = -EINVAL;

	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *reason = NULL, *before = TAKE_PTR(all);

		ret = climb(ladder, methods[i], &reason);
		ret = ret ?: look_again(ladder, &reason);
		if (!ret) {
			ladder->entry->method = methods[i];
			return 0;
		}
		if (ret == -EINTR || ret == -ENOMEM)
			return ret;
		if (manifest_add_step(ladder->entry, methods[i], -ret, why_text(reason)))
			return -ENOMEM;
		why_set(&all, ret, "%s%s%s: %s", before ? before : "", before ? "; " : "",
			method_name(methods[i]), why_text(reason));
	}
	free(*why);
	*why = TAKE_PTR(all);
	return ret;
}

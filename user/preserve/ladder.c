/* SPDX-License-Identifier: GPL-2.0-only */
#include "ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "copy.h"
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
static int fill(struct ladder *ladder, enum method method, int fd)
{
	AUTO_FD readable = source_reopen(ladder->source->fd);
	uint64_t bytes = 0;
	struct stat st;
	int ret;

	if (readable < 0)
		return readable;
	ret = method == METHOD_CLONE ? copy_clone(readable, fd)
				     : copy_sparse(readable, fd, &bytes);
	ret = ret ?: copy_attributes(readable, fd, &ladder->source->stat);
	if (ret)
		return ret;
	if (fsync(fd) || fstat(fd, &st))
		return -errno;
	record_relinked(ladder->entry, &st, fd);
	ladder->entry->bytes_copied = bytes;
	return 0;
}

static int climb_file(struct ladder *ladder, enum method method, char **why)
{
	struct manifest_entry *entry = ladder->entry;
	AUTO_FD fd = name_make(ladder, make_file);
	int ret;

	if (fd < 0)
		return why_set(why, fd, "cannot make the new file: %s", strerror(-fd));
	ret = fill(ladder, method, fd);
	if (!ret)
		return 0;
	unlinkat(ladder->folder->fd, name_of(entry->relink_path), 0);
	free(TAKE_PTR(entry->relink_path));
	return why_set(why, ret, "%s", strerror(-ret));
}

static int climb_recreate(struct ladder *ladder, char **why)
{
	char target[PATH_MAX + 1];
	ssize_t len;

	if (!S_ISLNK(ladder->entry->orphan.mode))
		return 0;
	len = readlinkat(ladder->source->fd, "", target, sizeof(target));
	if (len < 0 || len > PATH_MAX)
		return why_set(why, len < 0 ? -errno : -ENAMETOOLONG,
			       "cannot read the symbolic link: %m");
	ladder->entry->link_target = strndup(target, len);
	return ladder->entry->link_target ? 0 : -ENOMEM;
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

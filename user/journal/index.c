/* SPDX-License-Identifier: GPL-2.0-only */
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/durable.h"
#include "base/why.h"
#include "proc/proctext.h"

const char *index_directory(void)
{
	const char *chosen = getenv("RELINKTRACE_STATE");

	return chosen && chosen[0] ? chosen : INDEX_DIRECTORY;
}

bool index_id_valid(const char *id)
{
	return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32;
}

/* Opens the index. Whoever else may write to it could make clean look elsewhere. */
static int open_index(char **why)
{
	const char *path = index_directory();
	AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %m", path);
	if (fstat(fd, &st))
		return why_set(why, -errno, "cannot look at %s: %m", path);
	if ((st.st_uid && st.st_uid != geteuid()) || (st.st_mode & 022))
		return why_set(why, -EPERM,
			       "others may write to %s: chown it to root and chmod 700",
			       path);
	return TAKE_FD(fd);
}

int index_check(char **why)
{
	AUTO_FD fd = open_index(why);

	return fd < 0 ? fd : 0;
}

int index_make(char **why)
{
	return durable_mkdir(index_directory(), why);
}

/* @path without symbolic links in its directory, absolute; owned by the caller. */
static char *absolute(const char *path)
{
	AUTO_FREE char *for_dir = strdup(path), *for_name = strdup(path), *dir = NULL;
	char *made;

	if (!for_dir || !for_name)
		return NULL;
	dir = realpath(dirname(for_dir), NULL);
	if (!dir ||
	    asprintf(&made, "%s/%s", strcmp(dir, "/") ? dir : "", basename(for_name)) < 0)
		return NULL;
	return made;
}

int index_add(const char *id, const char *path, char **why)
{
	AUTO_FREE char *manifest = absolute(path);
	AUTO_FD fd = -1;
	int ret;

	if (!manifest)
		return why_set(why, -errno, "where %s is: %m", path);
	ret = index_make(why);
	if (ret)
		return ret;
	fd = open_index(why);
	if (fd < 0)
		return fd;
	if (symlinkat(manifest, fd, id))
		return why_set(why, -errno, "cannot write to %s: %m", index_directory());
	ret = durable_directory(fd);
	if (ret) {
		unlinkat(fd, id, 0);
		return why_set(why, ret, "cannot bring %s to the disk: %s",
			       index_directory(), strerror(-ret));
	}
	return 0;
}

int index_remove(const char *id)
{
	AUTO_FD fd = open_index(NULL);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return unlinkat(fd, id, 0) && errno != ENOENT ? -errno : 0;
}

int index_find(const char *id, char **path)
{
	AUTO_FD fd = open_index(NULL);

	return fd < 0 ? fd : proctext_readlink(fd, id, path);
}

static int add(struct index_list *list, int fd, const char *id)
{
	struct index_entry entry = {0}, *grown;
	struct stat st;
	int ret;

	if (fstatat(fd, id, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!index_id_valid(id) || !S_ISLNK(st.st_mode))
		return 0;
	memcpy(entry.id, id, sizeof(entry.id));
	entry.created = st.st_mtim.tv_sec;
	entry.created_ns = st.st_mtim.tv_nsec;
	ret = proctext_readlink(fd, id, &entry.manifest);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	grown = reallocarray(list->entries, list->n + 1, sizeof(entry));
	if (!grown) {
		free(entry.manifest);
		return -ENOMEM;
	}
	list->entries = grown;
	list->entries[list->n++] = entry;
	return 0;
}

static int by_age(const void *left, const void *right)
{
	const struct index_entry *a = left, *b = right;

	if (a->created != b->created)
		return a->created < b->created ? -1 : 1;
	return a->created_ns < b->created_ns ? -1 : a->created_ns > b->created_ns;
}

void index_list_fini(struct index_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->entries[i].manifest);
	free(list->entries);
	*list = (struct index_list){0};
}

int index_read(struct index_list *out, char **why)
{
	AUTO(index_list_fini) struct index_list list = {0};
	AUTO_FD fd = open_index(why);
	AUTO_DIR *stream = NULL;
	struct dirent *entry;
	int ret = 0;

	if (fd == -ENOENT) {
		*out = list;
		return 0;
	}
	if (fd < 0)
		return fd;
	stream = fdopendir(dup(fd));
	if (!stream)
		return why_set(why, -errno, "cannot read %s: %m", index_directory());
	while (!ret && (entry = readdir(stream)))
		ret = add(&list, fd, entry->d_name);
	if (ret)
		return why_set(why, ret, "cannot read %s: %s", index_directory(),
			       strerror(-ret));
	if (list.n)
		qsort(list.entries, list.n, sizeof(*list.entries), by_age);
	*out = list;
	list = (struct index_list){0};
	return 0;
}

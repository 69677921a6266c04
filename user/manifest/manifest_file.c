/* SPDX-License-Identifier: GPL-2.0-only */
#include "manifest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/durable.h"
#include "base/log.h"
#include "base/name.h"
#include "base/trusted.h"
#include "base/readall.h"
#include "base/why.h"

void manifest_file_fini(struct manifest_file *file)
{
	if (file->temp[0])
		unlinkat(file->dir_fd, file->temp, 0);
	auto_close(&file->fd);
	auto_close(&file->dir_fd);
	free(file->name);
	*file = (struct manifest_file)MANIFEST_FILE_INIT;
}

/* Opens the directory of @path and finds the name in it. */
static int open_directory(struct manifest_file *file, const char *path, char **why)
{
	AUTO_FREE char *for_dir = strdup(path), *for_name = strdup(path);
	const char *dir;

	if (!for_dir || !for_name)
		return -ENOMEM;
	dir = dirname(for_dir);
	file->name = strdup(basename(for_name));
	if (!file->name)
		return -ENOMEM;
	file->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dir_fd < 0)
		return why_set(why, -errno, "cannot open directory %s: %m%s", dir,
			       advice_folder(-errno));
	return 0;
}

void manifest_file_temp(const char *id, char out[static 64])
{
	snprintf(out, 64, ".relinktrace-%.32s.tmp", id);
}

int manifest_file_begin(struct manifest_file *file, const char *path, const char *id,
			char **why)
{
	AUTO(manifest_file_fini) struct manifest_file begun = MANIFEST_FILE_INIT;
	struct stat st;
	int ret = open_directory(&begun, path, why);

	if (ret)
		return ret;
	if (!fstatat(begun.dir_fd, begun.name, &st, AT_SYMLINK_NOFOLLOW))
		return why_set(
			why, -EEXIST,
			"%s exists: overwriting it would forget the "
			"names in it; `relinktrace clean %s`, then remove it, or name "
			"another --manifest",
			path, path);
	if (errno != ENOENT)
		return why_set(why, -errno, "cannot look at %s: %m", path);
	manifest_file_temp(id, begun.temp);
	begun.fd = openat(begun.dir_fd, begun.temp,
			  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* It goes again, if it was made all the same: nobody else's has the id in it. */
	if (begun.fd < 0)
		return why_set(why, -errno, "cannot write into the directory of %s: %m",
			       path);
	/* The journal tells by the temporary name whether the manifest was finished. */
	ret = durable_directory(begun.dir_fd);
	if (ret)
		return why_set(why, ret, "cannot sync the directory of %s: %s", path,
			       strerror(-ret));
	*file = begun;
	begun = (struct manifest_file)MANIFEST_FILE_INIT;
	return 0;
}

/* For json_dump_callback(). */
static int write_out(const char *buffer, size_t size, void *data)
{
	return fwrite(buffer, 1, size, data) == size ? 0 : -1;
}

static int write_json(int fd, const struct manifest *manifest)
{
	AUTO_FD copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	AUTO_FILE *stream = copy < 0 ? NULL : fdopen(copy, "w");
	json_t *root;
	int ret;

	if (!stream)
		return -errno;
	(void)TAKE_FD(copy);
	root = manifest_to_json(manifest);
	if (!root)
		return -ENOMEM;
	errno = 0;
	ret = json_dump_callback(root, write_out, stream, JSON_INDENT(2)) ||
	      fputc('\n', stream) == EOF || fflush(stream) || fsync(fd);
	json_decref(root);
	return ret ? -(errno ?: EIO) : 0;
}

int manifest_file_write(struct manifest_file *file, const struct manifest *manifest)
{
	return write_json(file->fd, manifest);
}

int manifest_file_commit(struct manifest_file *file)
{
	struct name_moved moved;
	struct stat st;
	int ret = fstat(file->fd, &st) ? -errno : 0;

	ret = ret ?: name_move(file->dir_fd, file->temp, file->name, &st, &moved);
	if (ret)
		return ret;
	if (moved.left)
		log_warning("cannot remove %s beside the manifest: %s", file->temp,
			    strerror(-moved.left));
	else
		file->temp[0] = '\0';
	ret = durable_directory(file->dir_fd);
	if (ret)
		unlinkat(file->dir_fd, file->name, 0);
	return ret;
}

int manifest_file_read(const char *path, struct manifest *out, char **why)
{
	AUTO_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	AUTO_FREE char *text = NULL, *reason = NULL, *for_dir = NULL, *dir = NULL;
	size_t len = 0;
	int ret = fd < 0 ? -errno : readall(fd, MANIFEST_MAX_BYTES, &text, &len);
	int owned = ret ? 0 : trusted_check(fd, "manifest", path, why);

	if (owned)
		return owned;
	if (ret)
		return why_set(why, ret, "cannot read manifest %s: %s", path,
			       ret == -EINVAL ? "not a regular file" : strerror(-ret));
	for_dir = strdup(path);
	dir = for_dir ? strdup(dirname(for_dir)) : NULL;
	if (!dir)
		return -ENOMEM;
	ret = manifest_parse(text, len, out, &reason);
	if (ret)
		return why_set(why, ret, "manifest %s: %s", path, why_text(reason));
	out->directory = TAKE_PTR(dir);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/durable.h"
#include "base/json.h"
#include "base/list.h"
#include "base/trusted.h"
#include "base/readall.h"
#include "base/why.h"
#include "manifest/fsid_json.h"
#include "orphan/orphan.h"

#define SUFFIX ".journal"

/* Room for the lines of a few names. */
#define FIRST_BYTES 4096

char *journal_path(const char *path)
{
	char *made;

	return asprintf(&made, "%s" SUFFIX, path) < 0 ? NULL : made;
}

void journal_file_fini(struct journal_file *file)
{
	auto_close(&file->fd);
	auto_close(&file->dir_fd);
	free(file->name);
	free(file->pending);
	*file = (struct journal_file)JOURNAL_FILE_INIT;
}

/* Adds a line, and takes the reference of @object over; @ret is an error before. */
static int add_line(struct journal_file *file, json_t *object, int ret)
{
	AUTO_FREE char *text = ret ? NULL : json_dumps(object, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;

	json_decref(object);
	ret = text ? list_reserve(&file->pending, &file->pending_size, FIRST_BYTES,
				  file->pending_len + len + 16)
		   : -ENOMEM;
	if (ret)
		return ret;
	file->pending_len += sprintf(file->pending + file->pending_len, "%08lx %s\n",
				     crc32(0, (const unsigned char *)text, len), text);
	return 0;
}

static int add_head(struct journal_file *file, const struct manifest *manifest)
{
	json_t *object = json_object();
	char created_at[31];
	int ret;

	json_format_time(manifest->created_ns, created_at);
	ret = json_set(object, "schema", json_string(JOURNAL_SCHEMA));
	ret = ret ?: json_set(object, "id", json_string(manifest->id));
	ret = ret ?: json_set(object, "created_at", json_string(created_at));
	ret = ret ?: json_set(object, "boot_id", json_string(manifest->boot_id));
	return add_line(file, object, ret);
}

int journal_file_place(struct journal_file *file, const struct journal_place *place,
		       unsigned int *number)
{
	json_t *object = json_object(), *mount = json_object(), *holder = json_object();
	int ret = json_set_bytes(mount, "point", place->mount_point);

	ret = ret ?: json_set(mount, "id", json_integer(place->mnt_id));
	ret = ret ?: json_set_bytes(mount, "root", place->mount_root);
	ret = ret ?: fsid_to_json(mount, place->fsid);
	ret = ret ?: json_set(holder, "pid", json_integer(place->pid));
	ret = ret ?: json_set(holder, "start_time", json_integer(place->start_time));
	ret = ret
		      ?: json_set(object, "dev",
				  json_sprintf("%u:%u", place->dev_major,
					       place->dev_minor));
	/* These two take the references over whatever happens. */
	if (json_set(object, "mount", mount))
		ret = -ENOMEM;
	if (json_set(object, "holder", holder))
		ret = -ENOMEM;
	ret = add_line(file, object, ret);
	if (!ret)
		*number = file->n_places++;
	return ret;
}

int journal_file_store(struct journal_file *file, const struct store *store,
		       unsigned int *number)
{
	json_t *object = json_object();
	int ret = json_set(object, "store", store_to_json(store));

	ret = add_line(file, object, ret);
	if (!ret)
		*number = file->n_places++;
	return ret;
}

int journal_file_name(struct journal_file *file, unsigned int place, const char *path,
		      bool has_ino, const struct relink_identity *identity)
{
	json_t *object = json_object();
	int ret = json_set_bytes(object, "path", path);

	ret = ret ?: json_set(object, "place", json_integer(place));
	ret = ret
		      ?: json_set(object, "type",
				  json_string(orphan_type_name(identity->type)));
	ret = ret
		      ?: json_set(object, "ino",
				  has_ino ? json_from_ino(identity->ino) : json_null());
	ret = ret
		      ?: json_set(object, "generation",
				  has_ino && identity->has_generation
					  ? json_integer(identity->generation)
					  : json_null());
	return add_line(file, object, ret);
}

int journal_file_sync(struct journal_file *file)
{
	int ret;

	if (!file->pending_len)
		return 0;
	ret = durable_write(file->fd, file->pending, file->pending_len);
	if (ret)
		return ret;
	if (fdatasync(file->fd))
		return -errno;
	file->pending_len = 0;
	return 0;
}

/* Cuts off what is behind the last newline. */
static int end_line(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END), end = size;
	char last = '\n';

	if (size < 0)
		return -errno;
	while (end && (pread(fd, &last, 1, end - 1) != 1 || last != '\n'))
		end--;
	return end == size || !ftruncate(fd, end) ? 0 : -errno;
}

int journal_file_abandon(struct journal_file *file)
{
	json_t *object = json_object();
	int ret = end_line(file->fd);

	ret = add_line(file, object, ret ?: json_set(object, "abandoned", json_true()));
	return ret ?: journal_file_sync(file);
}

int journal_file_commit(struct journal_file *file)
{
	json_t *object = json_object();
	int ret = add_line(file, object, json_set(object, "committing", json_true()));

	return ret ?: journal_file_sync(file);
}

void journal_file_remove(struct journal_file *file)
{
	if (!file->name)
		return;
	unlinkat(file->dir_fd, file->name, 0);
	free(TAKE_PTR(file->name));
}

/* A lock of the process: it ends with it, whoever else still has a reference to the file (a
 * child, or an iterator over all files of all processes). A filesystem that knows no locks
 * has none that could be held. *@holder is who has it, where that is known. */
static int lock(int fd, pid_t *holder)
{
	struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct flock held = wanted;

	if (!fcntl(fd, F_SETLK, &wanted))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return 0;
	if (holder && !fcntl(fd, F_GETLK, &held) && held.l_type != F_UNLCK)
		*holder = held.l_pid;
	return -EWOULDBLOCK;
}

static int open_directory(struct journal_file *file, const char *path, char **why)
{
	AUTO_FREE char *journal = journal_path(path), *for_dir = NULL;
	const char *dir;

	if (!journal)
		return -ENOMEM;
	for_dir = strdup(journal);
	file->name = strdup(basename(journal));
	if (!for_dir || !file->name)
		return -ENOMEM;
	dir = dirname(for_dir);
	file->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dir_fd < 0)
		return why_set(why, -errno, "cannot open directory %s: %m%s", dir,
			       advice_folder(-errno));
	return 0;
}

/* Whether the name still leads to our file: somebody who cleans may have been quicker than
 * the lock. */
static bool is_ours(const struct journal_file *file)
{
	struct stat ours, named;

	return !fstat(file->fd, &ours) &&
	       !fstatat(file->dir_fd, file->name, &named, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

int journal_file_begin(struct journal_file *file, const char *path,
		       const struct manifest *manifest, char **why)
{
	AUTO(journal_file_fini) struct journal_file begun = JOURNAL_FILE_INIT;
	int ret = open_directory(&begun, path, why);

	if (ret)
		return ret;
	memcpy(begun.id, manifest->id, sizeof(begun.id));
	begun.fd = openat(begun.dir_fd, begun.name,
			  O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			  0600);
	if (begun.fd < 0)
		return why_set(why, -errno, "cannot make journal %s" SUFFIX ": %m", path);
	ret = lock(begun.fd, NULL);
	if (!ret && !is_ours(&begun))
		ret = -EWOULDBLOCK;
	if (ret)
		return why_set(why, ret,
			       "somebody cleans journal %s" SUFFIX " at this moment: "
			       "try again",
			       path);
	ret = add_head(&begun, manifest);
	ret = ret ?: journal_file_sync(&begun);
	ret = ret ?: durable_directory(begun.dir_fd);
	if (ret) {
		journal_file_remove(&begun);
		return why_set(why, ret, "cannot write journal %s" SUFFIX ": %s", path,
			       strerror(-ret));
	}
	*file = begun;
	begun = (struct journal_file)JOURNAL_FILE_INIT;
	return 0;
}

int journal_file_read(const char *path, struct journal *out, int *fd, char **why)
{
	/* For writing: a lock takes that. */
	AUTO_FD opened =
		open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	AUTO_FREE char *text = NULL, *reason = NULL;
	struct stat ours, named;
	size_t len = 0;
	pid_t holder = 0;
	int ret = opened < 0 ? -errno : 0;
	int trusted = ret ? 0 : trusted_check(opened, "journal", path, why);

	if (trusted)
		return trusted;
	ret = ret ?: lock(opened, &holder);
	if (ret == -EWOULDBLOCK)
		return why_set(
			why, ret,
			"journal %s: its checkpoint (or another clean), process %d, "
			"is still at work: wait for it, or end it",
			path, holder);
	/* It may have been removed between open and lock. */
	if (!ret && (fstat(opened, &ours) || lstat(path, &named) ||
		     ours.st_ino != named.st_ino || ours.st_dev != named.st_dev))
		ret = -ENOENT;
	ret = ret ?: readall(opened, JOURNAL_MAX_BYTES, &text, &len);
	if (ret)
		return why_set(why, ret, "cannot read journal %s: %s", path,
			       ret == -EINVAL ? "not a regular file" : strerror(-ret));
	ret = journal_parse(text, len, out, &reason);
	if (ret)
		return why_set(why, ret, "journal %s: %s", path, why_text(reason));
	*fd = TAKE_FD(opened);
	return 0;
}

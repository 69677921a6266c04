/* SPDX-License-Identifier: GPL-2.0-only */
#include "handover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/why.h"
#include "images.h"
#include "proc/proctext.h"
#include "restore/restore.h"
#include "restore/tmpfile.h"

void criu_dump_fini(struct criu_dump *dump)
{
	criu_worker_fini(&dump->worker);
	auto_close(&dump->images_fd);
	criu_keys_fini(&dump->keys);
}

char *criu_path(const char *images, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", images, name) < 0 ? NULL : path;
}

void criu_keys_remove(const char *images)
{
	AUTO_FREE char *path = criu_path(images, CRIU_KEYS);

	if (path)
		unlink(path);
}

int criu_keys_write(const char *images, const struct criu_keys *keys, char **why)
{
	AUTO_FREE char *path = criu_path(images, CRIU_KEYS);
	json_t *root = criu_keys_to_json(keys);
	AUTO_FD fd = -1;
	int ret = path && root ? 0 : -ENOMEM;

	if (!ret) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			  0600);
		if (fd < 0)
			ret = why_set(why, -errno, "cannot make %s: %m", path);
		else if (json_dumpfd(root, fd, JSON_INDENT(2)) || fsync(fd))
			ret = why_set(why, -errno ?: -EIO, "cannot write %s: %m", path);
	}
	json_decref(root);
	return ret;
}

int criu_keys_read(const char *images, struct criu_keys *out, char **why)
{
	AUTO_FREE char *path = criu_path(images, CRIU_KEYS);
	AUTO_FREE char *text = NULL, *reason = NULL;
	int ret = path ? proctext_read(AT_FDCWD, path, &text) : -ENOMEM;

	if (ret)
		return why_set(
			why, ret,
			"cannot read %s: %s; is it a folder that `relinktrace criu "
			"dump` wrote to?",
			path ? path : images, strerror(-ret));
	ret = criu_keys_parse(text, strlen(text), out, &reason);
	return ret ? why_set(why, ret, "%s: %s", path, why_text(reason)) : 0;
}

static int add_extra(struct criu_words *words, char *const *extra)
{
	int ret = 0;

	for (; extra && *extra && !ret; extra++)
		ret = criu_words_add(words, "%s", *extra);
	return ret;
}

/* By a command line. */
static int execute(const struct criu_dump *dump, const char *cgroup_dir, char **why)
{
	AUTO(criu_words_fini) struct criu_words words = {0};
	int ret = criu_words_add(&words, "dump");

	ret = ret ?: criu_words_add(&words, "--tree");
	ret = ret ?: criu_words_add(&words, "%d", dump->tree);
	ret = ret ?: criu_words_add(&words, "--images-dir");
	ret = ret ?: criu_words_add(&words, "%s", dump->images);
	/* It must know that what it meets is frozen already, or waits for ever. */
	ret = ret ?: criu_words_add(&words, "--freeze-cgroup");
	ret = ret ?: criu_words_add(&words, "%s", cgroup_dir);
	if (dump->leave_running)
		ret = ret ?: criu_words_add(&words, "--leave-running");
	ret = ret ?: criu_words_dump(&words, &dump->keys);
	ret = ret ?: add_extra(&words, dump->extra);
	return ret ?: criu_run(&words, why);
}

/* As criu_words_dump(). Whether it can be said so. */
static bool say_keys(struct criu_rpc *opts, const struct criu_keys *keys)
{
	for (size_t i = 0; i < keys->n_keys; i++) {
		char text[64];

		criu_key_text(&keys->keys[i], text);
		criu_rpc_text(opts, CRIU_RPC_EXTERNAL, text);
	}
	if (keys->n_left || keys->others)
		criu_rpc_number(opts, CRIU_RPC_LINK_REMAP, true);
	if (keys->ghost_bytes)
		criu_rpc_number(opts, CRIU_RPC_GHOST_LIMIT, keys->ghost_bytes);
	return keys->ghost_bytes <= UINT32_MAX;
}

/* By criu_dump_begin()'s; @cgroup_dir NULL: nothing is frozen. As criu_worker_dump(). */
static int request(struct criu_dump *dump, const char *cgroup_dir, char **why)
{
	AUTO(criu_rpc_fini) struct criu_rpc opts = {0};

	if (dump->worker.pid < 0)
		return -EAGAIN;
	criu_rpc_number(&opts, CRIU_RPC_IMAGES_DIR_FD, dump->images_fd);
	criu_rpc_number(&opts, CRIU_RPC_PID, dump->tree);
	if (cgroup_dir)
		criu_rpc_text(&opts, CRIU_RPC_FREEZE_CGROUP, cgroup_dir);
	if (dump->leave_running)
		criu_rpc_number(&opts, CRIU_RPC_LEAVE_RUNNING, true);
	/* What comes later counts. */
	criu_rpc_text(&opts, CRIU_RPC_LOG_FILE, CRIU_LOG);
	if (!criu_rpc_words(&opts, dump->extra) || !say_keys(&opts, &dump->keys))
		return -EAGAIN;
	return criu_worker_dump(&dump->worker, &opts, why);
}

void criu_dump_begin(struct criu_dump *dump)
{
	AUTO(criu_rpc_fini) struct criu_rpc opts = {0};

	if (!criu_rpc_words(&opts, dump->extra))
		return;
	dump->images_fd = open(dump->images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dump->images_fd >= 0)
		criu_worker_start(&dump->worker);
}

/* What CRIU writes beside its log. */
static bool is_image(const char *name)
{
	size_t len = strlen(name);

	return !strcmp(name, "stats-dump") ||
	       (len > 4 && !strcmp(name + len - 4, ".img"));
}

/* Whether there are images in the folder @fd, by 1; or @remove them. 0; -errno. */
static int each_image(int fd, bool remove)
{
	AUTO_FD again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (!dir)
		return -errno;
	again = -1;
	while ((errno = 0, entry = readdir(dir))) {
		if (!is_image(entry->d_name))
			continue;
		if (!remove)
			return 1;
		if (unlinkat(fd, entry->d_name, 0))
			return -errno;
	}
	return -errno;
}

/* Removes what a dump that does not count has written, and has criu started for the next. @ret; or
 * -errno and the reason in @why. */
static int begin_again(struct criu_dump *dump, int ret, char **why)
{
	int left;

	/* It has let go of everything when it has ended. */
	criu_worker_fini(&dump->worker);
	left = each_image(dump->images_fd, true);
	criu_dump_fini(dump);
	if (left)
		return why_set(why, left, "cannot remove what criu wrote into %s: %s",
			       dump->images, strerror(-left));
	criu_dump_begin(dump);
	return ret;
}

int criu_dump_alone(struct criu_dump *dump, const struct manifest *manifest, char **why)
{
	int ret;

	if (dump->worker.pid < 0 || each_image(dump->images_fd, false))
		return -EAGAIN;
	ret = criu_keys_collect(manifest, &dump->keys, why);
	ret = ret ?: request(dump, NULL, why);
	if (ret)
		return begin_again(
			dump, ret == -ECANCELED || ret == -EOPNOTSUPP ? ret : -EAGAIN,
			why);
	if (!faccessat(dump->images_fd, CRIU_REMAPS, F_OK, AT_SYMLINK_NOFOLLOW) ||
	    errno != ENOENT)
		return begin_again(dump, -EAGAIN, why);
	return 0;
}

int criu_dump(struct criu_dump *dump, const struct manifest *manifest,
	      const char *cgroup_dir, char **why)
{
	int ret = criu_keys_collect(manifest, &dump->keys, why);

	if (!ret && !dump->leave_running)
		ret = criu_keys_write(dump->images, &dump->keys, why);
	if (ret)
		return ret;
	ret = request(dump, cgroup_dir, why);
	if (ret == -EAGAIN)
		ret = execute(dump, cgroup_dir, why);
	if (ret && !dump->leave_running)
		criu_keys_remove(dump->images);
	return ret;
}

int criu_dump_settle(struct criu_dump *dump, const struct manifest *manifest, char **why)
{
	const struct criu_keys *keys = &dump->keys;
	int ret;

	for (size_t i = 0; i < keys->n_keys; i++)
		if (!manifest_entry_of(manifest, keys->keys[i].n))
			return why_set(why, -EIO,
				       "orphan%u, which CRIU left out, could not be "
				       "brought to the disk",
				       keys->keys[i].n);
	ret = criu_keys_write(dump->images, keys, why);
	if (ret)
		criu_keys_remove(dump->images);
	return ret;
}

/* The file for @entry, that criu is to have. */
static int open_for(const struct manifest *manifest, const struct manifest_entry *entry,
		    bool keep, char **why)
{
	AUTO_FD fd = restore_open_entry(manifest, entry, why);

	if (fd < 0 || !keep || entry->same_inode || !S_ISREG(entry->orphan.mode) ||
	    tmpfile_is_wanted(entry))
		return TAKE_FD(fd);
	return tmpfile_make(manifest, entry, fd, why);
}

/* Opens the file of each entry once, and hands it over under each of its keys. The fds are
 * not close-on-exec: this process does nothing else than run criu. */
static int inherit_all(const struct manifest *manifest, const struct criu_keys *keys,
		       bool keep, struct criu_words *words, char **why)
{
	for (size_t i = 0; i < keys->n_keys; i++) {
		const struct manifest_entry *entry =
			manifest_entry_of(manifest, keys->keys[i].n);
		AUTO_FREE char *reason = NULL;
		AUTO_FD fd = -1;
		char text[64];
		int ret, number;

		if (!entry)
			return why_set(why, -EINVAL,
				       "there is no orphan%u in its manifest",
				       keys->keys[i].n);
		fd = open_for(manifest, entry, keep, &reason);
		if (fd < 0)
			return why_set(why, fd, "orphan%u: %s", entry->n,
				       why_text(reason));
		number = fcntl(fd, F_DUPFD, 3);
		if (number < 0)
			return why_set(why, -errno, "orphan%u: %m", entry->n);
		criu_key_text(&keys->keys[i], text);
		ret = criu_words_add(words, "--inherit-fd");
		ret = ret ?: criu_words_add(words, "fd[%d]:%s", number, text);
		if (ret)
			return ret;
	}
	return 0;
}

int criu_restore(const char *images, const struct manifest *manifest,
		 const struct criu_keys *keys, bool keep, char *const *extra, char **why)
{
	AUTO(criu_words_fini) struct criu_words words = {0};
	int ret;

	if (strcmp(keys->id, manifest->id))
		return why_set(why, -EINVAL, "%s/" CRIU_KEYS " is of another checkpoint",
			       images);
	ret = criu_words_add(&words, "restore");
	ret = ret ?: criu_words_add(&words, "--images-dir");
	ret = ret ?: criu_words_add(&words, "%s", images);
	ret = ret ?: criu_words_add(&words, "--restore-detached");
	ret = ret ?: inherit_all(manifest, keys, keep, &words, why);
	ret = ret ?: add_extra(&words, extra);
	return ret ?: criu_run(&words, why);
}

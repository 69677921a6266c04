/* SPDX-License-Identifier: GPL-2.0-only */
#include "writeout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/why.h"
#include "preserve/carry.h"
#include "recreate.h"
#include "refill.h"
#include "restore.h"

void writeout_name(const struct manifest_entry *entry, char out[static WRITEOUT_NAME_LEN])
{
	const char *path = entry->orphan.path;
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path ? path : "";

	snprintf(out, WRITEOUT_NAME_LEN, "orphan%u%s%s", entry->n, *name ? "-" : "",
		 name);
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '_';
}

static int write_regular(const struct writeout *out, const struct manifest *manifest,
			 const struct manifest_entry *entry, const char *name, char **why)
{
	AUTO_FD from = restore_open_name(manifest, entry, why), to = -1;
	int ret;

	if (from < 0)
		return TAKE_FD(from);
	to = openat(out->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (to < 0)
		return why_set(why, -errno, "cannot make %s/%s: %s", out->path, name,
			       strerror(errno));
	ret = refill(from, to, entry);
	if (!ret && fsync(to))
		ret = -errno;
	if (!ret)
		return 0;
	unlinkat(out->dir_fd, name, 0);
	return why_set(why, ret, "cannot write %s/%s: %s%s", out->path, name,
		       strerror(-ret), carry_refused(ret));
}

/* A symbolic link that was linked is read; one to be made again has it in the manifest. */
static int read_target(const struct manifest *manifest,
		       const struct manifest_entry *entry, char *target, size_t size,
		       char **why)
{
	AUTO_FD fd = restore_open_name(manifest, entry, why);
	ssize_t len;

	if (fd < 0)
		return TAKE_FD(fd);
	len = readlinkat(fd, "", target, size - 1);
	if (len < 0)
		return why_set(why, -errno, "cannot read the symbolic link: %s",
			       strerror(errno));
	target[len] = '\0';
	return 0;
}

static int write_special(const struct writeout *out, const struct manifest *manifest,
			 const struct manifest_entry *entry, const char *name, char **why)
{
	struct manifest_entry made = *entry; /* nothing in it is owned */
	char target[PATH_MAX + 1];
	AUTO_FD fd = -1;
	int ret = 0;

	if (S_ISLNK(entry->orphan.mode) && !entry->link_target) {
		ret = read_target(manifest, entry, target, sizeof(target), why);
		made.link_target = target;
	}
	if (ret)
		return ret;
	fd = recreate_at(out->dir_fd, name, &made, why);
	if (fd >= 0 && entry->pipe.known && entry->pipe.size)
		log_warning("orphan%u: the %zu bytes that were in the FIFO are not "
			    "written out, since no file has them: they stay in the "
			    "manifest (pipe.data_b64)",
			    entry->n, entry->pipe.size);
	return fd < 0 ? fd : 0;
}

static int write_entry(struct writeout *out, const struct manifest *manifest,
		       const struct manifest_entry *entry, char **why)
{
	AUTO_FREE char *name = malloc(WRITEOUT_NAME_LEN);
	int ret;

	if (!name)
		return -ENOMEM;
	writeout_name(entry, name);
	ret = S_ISREG(entry->orphan.mode)
		      ? write_regular(out, manifest, entry, name, why)
		      : write_special(out, manifest, entry, name, why);
	if (ret)
		return ret;
	out->names[entry - manifest->entries] = TAKE_PTR(name);
	return 0;
}

static int open_dir(struct writeout *out, const char *path, char **why)
{
	out->path = strdup(path);
	if (!out->path)
		return -ENOMEM;
	out->made = !mkdir(path, 0700);
	if (!out->made && errno != EEXIST)
		return why_set(why, -errno, "cannot make %s: %s", path, strerror(errno));
	out->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir_fd < 0)
		return why_set(why, -errno, "cannot open %s: %s", path, strerror(errno));
	return 0;
}

int writeout_all(struct writeout *out, const struct manifest *manifest, pid_t holder,
		 const char *path, char **why)
{
	bool found = !holder;
	int ret;

	out->names = calloc(manifest->n_entries + 1, sizeof(*out->names));
	if (!out->names)
		return -ENOMEM;
	out->n = manifest->n_entries;
	ret = open_dir(out, path, why);
	progress_begin(refill_bytes(manifest, holder, NULL), PROGRESS_MS);
	for (size_t i = 0; i < manifest->n_entries && !ret; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];
		AUTO_FREE char *reason = NULL;

		if (!restore_is_of(entry, holder))
			continue;
		found = true;
		ret = write_entry(out, manifest, entry, &reason);
		if (ret)
			why_set(why, ret, "orphan%u: %s", entry->n, why_text(reason));
	}
	progress_end();
	if (!ret && !found)
		ret = why_set(why, -ESRCH, "no process %d is among the holders", holder);
	if (!ret && fsync(out->dir_fd))
		ret = why_set(why, -errno, "cannot bring %s to the disk: %s", path,
			      strerror(errno));
	return ret;
}

void writeout_keep(struct writeout *out)
{
	out->kept = true;
}

/* One of ours is a directory, if anything, that is empty. */
static void remove_one(const struct writeout *out, const char *name)
{
	if (!unlinkat(out->dir_fd, name, 0))
		return;
	if (errno == EISDIR && !unlinkat(out->dir_fd, name, AT_REMOVEDIR))
		return;
	log_error("%s/%s is left: %s", out->path, name, strerror(errno));
}

void writeout_fini(struct writeout *out)
{
	for (size_t i = 0; i < out->n; i++) {
		if (out->names[i] && !out->kept)
			remove_one(out, out->names[i]);
		free(out->names[i]);
	}
	auto_close(&out->dir_fd);
	if (out->made && !out->kept)
		rmdir(out->path);
	free(out->names);
	free(out->path);
	*out = (struct writeout)WRITEOUT_INIT;
}

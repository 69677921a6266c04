/* SPDX-License-Identifier: GPL-2.0-only */
#include "ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/interrupt.h"
#include "carry.h"
#include "digest.h"
#include "fifo.h"
#include "fill.h"
#include "naming.h"
#include "newfile.h"
#include "relink.h"
#include "base/why.h"

size_t ladder_methods(const struct orphan *orphan, enum method forced, bool store,
		      enum method out[static LADDER_STEPS])
{
	size_t n = 0;

	if (S_ISREG(orphan->mode) && forced != METHOD_AUTO) {
		if (forced != METHOD_LINK || !store)
			out[n++] = forced;
	} else if (S_ISREG(orphan->mode)) {
		if (!store)
			out[n++] = METHOD_LINK;
		out[n++] = METHOD_CLONE;
		out[n++] = METHOD_COPY;
	} else {
		if (orphan->nlink && !S_ISDIR(orphan->mode) && !store)
			out[n++] = METHOD_LINK;
		out[n++] = METHOD_RECREATE;
	}
	return n;
}

/* Where the folder of the names was removed meanwhile every method fails alike. */
static bool folder_was_lost(const struct ladder *ladder, int ret)
{
	return ret == -ENOENT && folder_is_gone(ladder->folder);
}

/* What restore will compare the name with. */
static void record_relinked(struct manifest_entry *entry, const struct stat *st, int fd)
{
	struct manifest_relinked *relinked = &entry->relinked;

	relinked->ino = st->st_ino;
	relinked->size = st->st_size;
	relinked->mtime = st->st_mtim;
	relinked->has_mtime = true;
	relinked->has_generation = !source_generation_of(fd, st, &relinked->generation);
}

/* Of what will have the name, where that is asked for. */
static int record_digest(struct ladder *ladder, int fd)
{
	if (!ladder->digest || !S_ISREG(ladder->entry->orphan.mode))
		return 0;
	return digest_file(fd, ladder->entry->relinked.sha256);
}

bool ladder_needs_file(const struct orphan *orphan, enum method forced, bool store,
		       bool stop)
{
	enum method methods[LADDER_STEPS];

	if (!S_ISREG(orphan->mode) || !ladder_methods(orphan, forced, store, methods))
		return false;
	return methods[0] != METHOD_LINK ||
	       (forced == METHOD_AUTO && !orphan->nlink && !(orphan->tmpfile && stop));
}

/* Whether the current method is a link that the kernel would refuse: of all without a name
 * it links those alone that were made so (fs/namei.c, vfs_link: I_LINKABLE). */
static bool is_hopeless(const struct ladder *ladder)
{
	return ladder->methods[ladder->next] == METHOD_LINK &&
	       !ladder->source->stat.st_nlink && !ladder->entry->orphan.tmpfile;
}

static int prepare_link(struct ladder *ladder, char **why)
{
	const struct orphan *orphan = &ladder->entry->orphan;
	int ret;

	if (is_hopeless(ladder))
		return why_set(why, -ENOENT, "%s", strerror(ENOENT));
	if (orphan->tmpfile && !ladder->source->stat.st_nlink && !ladder->stop)
		return why_set(
			why, -EPERM,
			"a live O_TMPFILE: the program would lose its own right to "
			"link it (--stop says that it ends)");
	if (ladder->folder->detour && !ladder->source->at_home)
		return why_set(why, -EXDEV,
			       "%s, and the kernel makes no link through another one",
			       ladder->folder->detour);
	record_relinked(ladder->entry, &ladder->source->stat,
			ladder->source->readable >= 0 ? ladder->source->readable
						      : ladder->source->fd);
	ret = record_digest(ladder, ladder->source->fd);
	ret = ret ?: naming_choose(ladder);
	return ret ? why_set(why, ret, "%s", strerror(-ret)) : 0;
}

/* An error that is told once. */
static int take_error(int *error)
{
	int taken = *error;

	*error = 0;
	return taken;
}

/* What restore will compare the new file with. */
static int record_new(struct ladder *ladder)
{
	struct stat st;
	int ret;

	if (ladder->recorded)
		return 0;
	if (fstat(ladder->fd, &st))
		return -errno;
	record_relinked(ladder->entry, &st, ladder->fd);
	ret = record_digest(ladder, ladder->fd);
	ladder->recorded = !ret;
	return ret;
}

/* Whether the new file gets its name when the holders run again. */
static bool is_named_late(const struct ladder *ladder)
{
	return ladder->late && ladder->unnamed && ladder->fd >= 0 && !ladder->own[0];
}

/* Fills @fd, the new file, from the orphan. */
static int fill_new(struct ladder *ladder, enum method method, int fd)
{
	int src = source_reading(ladder->source), ret;

	if (src < 0)
		return src;
	ret = fill(src, &ladder->source->stat, ladder->source->attributes, method, fd,
		   ladder->is_precopied ? ladder->precopied : NULL, ladder->entry);
	if (ret)
		return ret;
	/* On its way to the disk; what is said of failures, ladder_sync() hears again. */
	if (!ladder->late)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return is_named_late(ladder) ? 0 : record_new(ladder);
}

void ladder_drop(struct ladder *ladder)
{
	if (ladder->own[0] && unlinkat(ladder->folder->fd, ladder->own, 0) &&
	    errno != ENOENT)
		folder_litter(ladder->folders, ladder->folder, ladder->own, -errno);
	ladder->own[0] = '\0';
	auto_close(&ladder->fd);
	ladder->fd = -1;
	ladder->filled = ladder->synced = false;
	ladder->is_precopied = ladder->recorded = false;
}

static bool is_file_method(enum method method)
{
	return method == METHOD_CLONE || method == METHOD_COPY;
}

/* The current method failed with @ret, which the entry says from now on. 0 or -ENOMEM. */
static int note_step(struct ladder *ladder, int ret, const char *reason)
{
	enum method method = ladder->methods[ladder->next++];

	if (manifest_add_step(ladder->entry, method, -ret, reason))
		return -ENOMEM;
	ladder->n_noted++;
	return 0;
}

/* Why no method was taken, which nearly nobody asks for, into @why. */
static void tell_steps(const struct ladder *ladder, char **why)
{
	const struct manifest_entry *entry = ladder->entry;

	free(TAKE_PTR(*why));
	for (size_t i = entry->n_steps - ladder->n_noted; i < entry->n_steps; i++) {
		const struct manifest_step *step = &entry->steps[i];
		AUTO_FREE char *before = TAKE_PTR(*why);

		why_set(why, 0, "%s%s%s: %s", before ? before : "", before ? "; " : "",
			method_name(step->method), step->text);
	}
}

static bool has_precopied(const struct ladder *ladder)
{
	return ladder->precopied && ladder->precopied->fd >= 0;
}

bool ladder_open(struct ladder *ladder)
{
	/* At once, so that it is filled with the others. */
	if (ladder->next + 1 < ladder->n_methods && is_hopeless(ladder) &&
	    note_step(ladder, -ENOENT, strerror(ENOENT)))
		return false;
	if (ladder->next >= ladder->n_methods ||
	    !is_file_method(ladder->methods[ladder->next]))
		return false;
	/* A clone was tried when the copy was made, which is the new file then. */
	if (has_precopied(ladder) && ladder->methods[ladder->next] == METHOD_CLONE &&
	    ladder->precopied->clone_error &&
	    note_step(ladder, ladder->precopied->clone_error,
		      strerror(-ladder->precopied->clone_error)))
		return false;
	if (ladder->fd < 0 &&
	    !(has_precopied(ladder) && ladder->methods[ladder->next] == METHOD_COPY) &&
	    newfile_make(ladder))
		return false;
	return !ladder->filled;
}

/* The copy from before the freeze takes the empty file's place; it has no name either. */
static void take_precopied(struct ladder *ladder)
{
	if (!has_precopied(ladder) || ladder->own[0])
		return;
	auto_close(&ladder->fd);
	ladder->fd = TAKE_FD(ladder->precopied->fd);
	ladder->is_precopied = true;
}

/* Whether what the filesystem of @folder cannot do with one file it cannot with any: overlay
 * has files of several. */
static bool is_plain(const struct folder *folder)
{
	return !folder->store && strcmp(folder->mount.fstype, "overlay");
}

int ladder_fill(struct ladder *ladder)
{
	for (;;) {
		enum method method = ladder->methods[ladder->next];
		bool tried = method != METHOD_CLONE || !ladder->folder->no_clone;
		int ret;

		if (method == METHOD_COPY)
			take_precopied(ladder);
		ret = tried ? fill_new(ladder, method, ladder->fd) : -EOPNOTSUPP;
		if (method == METHOD_CLONE && ret == -EOPNOTSUPP)
			ladder->folder->no_clone = is_plain(ladder->folder);
		ladder->filled = !ret;
		if (!ret || ret == -ENOMEM || ret == -EINTR)
			return ret;
		ladder->fill_error = ret;
		if (ladder->next + 1 == ladder->n_methods)
			return 0;
		/* The same empty file is good for the next method. */
		if (tried && ftruncate(ladder->fd, 0))
			return 0;
		ladder->fill_error = 0;
		ret = note_step(ladder, ret, strerror(-ret));
		if (ret)
			return ret;
	}
}

void ladder_sync(struct ladder *ladder)
{
	if (!ladder->filled || ladder->synced || ladder->late)
		return;
	ladder->synced = !fsync(ladder->fd);
	if (ladder->synced)
		return;
	ladder->fill_error = -errno;
	ladder->filled = false;
}

static int prepare_file(struct ladder *ladder, char **why)
{
	int ret = take_error(&ladder->fill_error);

	if (!ret && ladder->fd < 0) {
		ret = newfile_make(ladder);
		if (ret)
			return why_set(why, ret, "cannot make the new file: %s%s",
				       strerror(-ret), caps_refused(ret, CAPS_REACH));
	}
	if (!ret && !ladder->filled) {
		ret = ladder_fill(ladder);
		ret = ret ?: take_error(&ladder->fill_error);
	}
	if (!ret) {
		ladder_sync(ladder);
		ret = take_error(&ladder->fill_error);
	}
	if (ret == -ETIMEDOUT && interrupt_late())
		return why_set(why, ret, INTERRUPT_LATE);
	if (ret)
		return why_set(why, ret, "%s%s", strerror(-ret), carry_refused(ret));
	if (is_named_late(ladder))
		return 0;
	ret = record_new(ladder) ?: naming_choose(ladder);
	return ret ? why_set(why, ret, "%s", strerror(-ret)) : 0;
}

static int prepare_recreate(struct ladder *ladder, char **why)
{
	struct manifest_entry *entry = ladder->entry;
	char target[PATH_MAX + 1];
	ssize_t len;
	int ret =
		carry_read(ladder->source->fd, &ladder->source->stat, &entry->attributes);

	if (ret)
		return why_set(why, ret, "cannot read its attributes: %s%s",
			       strerror(-ret), carry_refused(ret));
	entry->has_attributes = true;
	ret = carry_unseen(&entry->not_carried);
	if (ret)
		return ret;
	if (!S_ISLNK(entry->orphan.mode))
		return 0;
	len = readlinkat(ladder->source->fd, "", target, sizeof(target));
	if (len < 0 || len > PATH_MAX)
		return why_set(why, len < 0 ? -errno : -ENAMETOOLONG,
			       "cannot read the symbolic link: %m");
	entry->link_target = strndup(target, len);
	return entry->link_target ? 0 : -ENOMEM;
}

/* Its data is in no file, and goes with whoever holds it last. */
static int record_fifo(struct ladder *ladder)
{
	struct manifest_entry *entry = ladder->entry;
	const char *before = entry->not_carried;
	bool packets = false;
	int ret;

	if (!S_ISFIFO(entry->orphan.mode))
		return 0;
	ret = fifo_read(ladder->source->fd, &entry->pipe, &packets);
	if (ret == -ENOMEM || (!ret && !packets))
		return ret;
	why_set(&entry->not_carried, 0, "%s%s%s%s", before ? before : "",
		before ? "; " : "",
		ret ? "what is in the FIFO: " : "where the packets in the FIFO end",
		ret ? strerror(-ret) : "");
	return entry->not_carried ? 0 : -ENOMEM;
}

static int prepare(struct ladder *ladder, enum method method, char **why)
{
	switch (method) {
	case METHOD_LINK:
		return prepare_link(ladder, why);
	case METHOD_CLONE:
	case METHOD_COPY:
		return prepare_file(ladder, why);
	case METHOD_RECREATE:
		return prepare_recreate(ladder, why);
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
	struct relink_identity identity = relink_identity_of(entry);
	struct stat st = ladder->source->stat;
	int gone, ret;

	if (!entry->relink_path)
		return 0;
	gone = ladder->fd >= 0 && fstat(ladder->fd, &st) ? -errno : 0;
	gone = gone ?: relink_leads_to(ladder->folder->root_fd, entry->relink_path, &st);
	if (!gone)
		return 0;
	why_set(why, gone,
		gone == -ESTALE ? "%s is another file than the one that was named so"
				: "%s does not lead to it: %s",
		entry->relink_path, strerror(-gone));
	ret = relink_remove(ladder->folder->fd, naming_last(entry->relink_path),
			    &identity, NULL);
	/* It stays in the entry, for clean to find it: undo_volatile() judges it. */
	if (ret && ret != -ENOENT && ret != -ESTALE)
		return 0;
	free(TAKE_PTR(entry->relink_path));
	entry->same_inode = false;
	return gone == -ENOENT ? -ESTALE : gone;
}

/* Says so in the entry and goes on to the next method. 0 or -ENOMEM. */
static int step_down(struct ladder *ladder, int ret, const char *reason)
{
	ladder_drop(ladder);
	return note_step(ladder, ret, reason);
}

int ladder_prepare(struct ladder *ladder, char **why)
{
	int ret = -EINVAL, failed;

	while (ladder->next < ladder->n_methods) {
		AUTO_FREE char *reason = NULL;

		ret = prepare(ladder, ladder->methods[ladder->next], &reason);
		if (!ret || ret == -EINTR || ret == -ENOMEM)
			return ret;
		if (ladder->folder && folder_was_lost(ladder, ret)) {
			ladder_drop(ladder);
			return -EAGAIN;
		}
		failed = step_down(ladder, ret, why_text(reason));
		if (failed)
			return failed;
	}
	if (ladder->entry->n_steps)
		ret = -ladder->entry->steps[ladder->entry->n_steps - 1].error;
	tell_steps(ladder, why);
	return ret;
}

int ladder_publish(struct ladder *ladder)
{
	struct manifest_entry *entry = ladder->entry;
	enum method method = ladder->methods[ladder->next];
	bool named = method != METHOD_RECREATE && !is_named_late(ladder);
	int ret = named ? naming_make(ladder) : 0;
	AUTO_FREE char *reason = NULL;

	if (ret == -EEXIST)
		return -EAGAIN;
	if (ret && folder_was_lost(ladder, ret)) {
		free(TAKE_PTR(ladder->path));
		return -EAGAIN;
	}
	if (ret) {
		free(TAKE_PTR(ladder->path));
		naming_explain(ladder, ret, &reason);
	} else if (named) {
		entry->relink_path = TAKE_PTR(ladder->path);
		entry->same_inode = method == METHOD_LINK;
		ret = look_again(ladder, &reason);
	}
	if (ret)
		return step_down(ladder, ret, why_text(reason)) ?: -EAGAIN;
	entry->method = method;
	if (!ladder->late) {
		auto_close(&ladder->fd);
		ladder->fd = -1;
	}
	return record_fifo(ladder);
}

void ladder_fini(struct ladder *ladder)
{
	if (ladder->folder)
		ladder_drop(ladder);
	free(ladder->path);
	ladder->path = NULL;
}

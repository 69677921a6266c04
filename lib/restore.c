/* SPDX-License-Identifier: GPL-2.0-only */
#include "restore/restore.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "handle.h"
#include "opened.h"
#include "restore/writeout.h"

static int check(const struct relinktrace_restore *wish)
{
	AUTO(opened_fini) struct opened opened = {0};
	int first = 0, ret = opened_read(&opened, wish);

	if (ret)
		return ret;
	for (size_t i = 0; i < opened.manifest.n_entries; i++) {
		const struct manifest_entry *entry = &opened.manifest.entries[i];
		AUTO_FREE char *why = NULL;

		ret = restore_check_entry(&opened.manifest, entry, &why);
		if (ret)
			log_error("orphan%u cannot be restored: %s", entry->n,
				  why_text(why));
		first = first ?: ret;
	}
	return first ?: opened_partly(&opened.manifest);
}

int relinktrace_check(struct relinktrace *rt, const struct relinktrace_restore *wish)
{
	handle_enter(rt);
	return handle_leave(rt, check(wish));
}

struct relinktrace_files {
	struct opened opened;
	struct restore restore;
	struct relinktrace_file *files; /* owned; their fds are not */
};

void relinktrace_files_free(struct relinktrace_files *files)
{
	if (!files)
		return;
	restore_fini(&files->restore);
	opened_fini(&files->opened);
	free(files->files);
	free(files);
}

static void files_release(struct relinktrace_files **files)
{
	relinktrace_files_free(*files);
}

static int describe(struct relinktrace_files *files)
{
	const struct restore *restore = &files->restore;

	files->files = calloc(restore->plan.n + 1, sizeof(*files->files));
	if (!files->files)
		return -ENOMEM;
	for (size_t i = 0; i < restore->plan.n; i++) {
		const struct restore_file *from = &restore->files[i];
		const struct holder *holder = from->holder;

		files->files[i] = (struct relinktrace_file){
			.n = from->entry->n,
			.fd = restore->plan.items[i].fd,
			.path = from->entry->orphan.path,
			.pid = holder ? holder->pid : 0,
			.old_fd = holder ? holder->fd : -1,
			.pos = holder ? holder->pos : 0,
			.ofd = holder ? holder->ofd : 0,
		};
	}
	return 0;
}

static int restore(const struct relinktrace_restore *wish, struct relinktrace_files **out)
{
	AUTO(files_release) struct relinktrace_files *files = calloc(1, sizeof(*files));
	AUTO_FREE char *why = NULL;
	int ret;

	if (!files)
		return -ENOMEM;
	files->restore = (struct restore)RESTORE_INIT;
	ret = opened_read(&files->opened, wish);
	if (ret)
		return ret;
	ret = restore_open_files(&files->restore, &files->opened.manifest,
				 files->opened.wish.holder, &why);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	ret = describe(files) ?: opened_partly(&files->opened.manifest);
	if (ret >= 0)
		*out = TAKE_PTR(files);
	return ret;
}

int relinktrace_restore(struct relinktrace *rt, const struct relinktrace_restore *wish,
			struct relinktrace_files **files)
{
	handle_enter(rt);
	return handle_leave(rt, restore(wish, files));
}

size_t relinktrace_files_count(const struct relinktrace_files *files)
{
	return files->restore.plan.n;
}

const struct relinktrace_file *
relinktrace_files_get(const struct relinktrace_files *files, size_t i)
{
	return i < files->restore.plan.n ? &files->files[i] : NULL;
}

int relinktrace_files_take(struct relinktrace_files *files, size_t i)
{
	if (i >= files->restore.plan.n)
		return -1;
	files->files[i].fd = -1;
	return TAKE_FD(files->restore.plan.items[i].fd);
}

int relinktrace_files_done(struct relinktrace *rt, struct relinktrace_files *files)
{
	handle_enter(rt);
	restore_unlink_names(&files->restore);
	return handle_leave(rt, relinktrace_message(rt)[0] ? RELINKTRACE_PARTLY : 0);
}

static int write_out(const struct relinktrace_restore *wish, const char *dir, int keep)
{
	AUTO(opened_fini) struct opened opened = {0};
	AUTO(writeout_fini) struct writeout written = WRITEOUT_INIT;
	AUTO_FREE char *why = NULL;
	int ret = opened_read(&opened, wish);

	if (ret)
		return ret;
	ret = writeout_all(&written, &opened.manifest, opened.wish.holder, dir, &why);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	writeout_keep(&written);
	if (!keep)
		restore_unlink(&opened.manifest, opened.wish.holder);
	return opened_partly(&opened.manifest);
}

int relinktrace_write_out(struct relinktrace *rt, const struct relinktrace_restore *wish,
			  const char *dir, int keep)
{
	handle_enter(rt);
	return handle_leave(rt, write_out(wish, dir, keep));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of relinktrace.h over the modules, as the commands are over them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "checkpoint/checkpoint.h"
#include "handle.h"
#include "manifest/manifest_file.h"
#include "manifest/template.h"
#include "orphan/orphan_json.h"
#include "restore/cleanup.h"
#include "restore/restore.h"
#include "restore/roots.h"
#include "restore/writeout.h"
#include "scan/scan.h"

/* @root, which is given back, as text in *@out. */
static int to_text(json_t *root, char **out)
{
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (!text)
		return -ENOMEM;
	*out = text;
	return 0;
}

static json_t *from_set(const struct orphan_set *set)
{
	json_t *array = json_array();
	json_t *root =
		json_pack("{s:s,s:s,s:b,s:s,s:b,s:I,s:I,s:o}", "schema",
			  "relinktrace.list/1", "backend", backend_name(set->backend),
			  "exact", backend_is_exact(set->backend), "holders_by",
			  set->by_iterator ? "iterator" : "proc", "complete",
			  set->complete, "lost", (json_int_t)set->lost, "unread",
			  (json_int_t)set->unread, "orphans", array);

	for (size_t i = 0; i < set->n && root; i++) {
		if (json_array_append_new(array, json_from_orphan(&set->orphans[i]))) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

static int list(const char *const *cgroups, pid_t pid, char **json)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	AUTO(target_fini) struct target target;
	int ret = 0;

	orphan_set_init(&set);
	target_init(&target);
	for (; cgroups && *cgroups && !ret; cgroups++) {
		ret = target_add_cgroup(&target, *cgroups);
		target.kind = TARGET_CGROUPS;
	}
	if (!cgroups && pid) {
		target.kind = TARGET_PID;
		target.pid = pid;
	}
	ret = ret ?: scan(&target, NULL, &set);
	ret = ret ?: to_text(from_set(&set), json);
	return ret ?: set.complete ? 0 : RELINKTRACE_PARTLY;
}

int relinktrace_list(struct relinktrace *rt, const char *const *cgroups, pid_t pid,
		     char **json)
{
	handle_enter(rt);
	return handle_leave(rt, list(cgroups, pid, json));
}

/* What is called while the cgroup is frozen. */
static int call_frozen(const struct manifest *manifest, void *data)
{
	const struct relinktrace_checkpoint *wish = data;

	(void)manifest;
	if (!wish->frozen || !wish->frozen(wish->data))
		return 0;
	log_error("what the caller does while the cgroup is frozen has failed; the "
		  "manifest and its names stay");
	return 1;
}

/* 0, or -EINVAL, logged. */
static int wish_check(const struct relinktrace_checkpoint *wish, int *method)
{
	const char *problem = wish->names ? template_problem(wish->names) : NULL;

	*method = wish->method ? method_from_name(wish->method) : METHOD_AUTO;
	if (!wish->cgroup || !wish->manifest)
		log_error("a cgroup and a manifest are needed");
	else if (problem)
		log_error("template \"%s\": %s", wish->names, problem);
	else if (*method < 0 || *method == METHOD_RECREATE)
		log_error("method \"%s\": it is auto, link, clone or copy", wish->method);
	else if (wish->store && *method == METHOD_LINK)
		log_error("method \"link\": a store takes copies only");
	else if (!(wish->deadline >= 0) || wish->deadline > INTERRUPT_SECONDS)
		log_error("a deadline of %f seconds", wish->deadline);
	else
		return 0;
	return -EINVAL;
}

/* Chooses the store and its mounts. 0 or -errno, logged. */
static int wish_store(const struct relinktrace_checkpoint *wish,
		      struct depot_mounts *mounts, struct checkpoint_wish *run)
{
	int ret = 0;

	for (const char *const *point = wish->store_mounts; point && *point && !ret;
	     point++) {
		ret = depot_mounts_add(mounts, *point);
		if (ret)
			log_error("\"%s\" is no list of absolute mount points", *point);
	}
	run->store = wish->store;
	run->store_mounts = *mounts;
	return ret;
}

static int checkpoint(const struct relinktrace_checkpoint *theirs, char **json)
{
	AUTO(depot_mounts_fini) struct depot_mounts mounts = {0};
	AUTO(target_fini) struct target target;
	AUTO(manifest_fini) struct manifest manifest = {0};
	struct relinktrace_checkpoint wish = {0};
	struct checkpoint_wish run = {.inside = call_frozen, .data = &wish};
	struct timespec until;
	int method, ret = handle_wish(&wish, theirs, sizeof(wish));

	target_init(&target);
	ret = ret ?: wish_check(&wish, &method);
	ret = ret ?: wish_store(&wish, &mounts, &run);
	ret = ret ?: target_add_cgroup(&target, wish.cgroup);
	if (ret)
		return ret;
	run.manifest = wish.manifest;
	run.template = wish.names ? wish.names : TEMPLATE_DEFAULT;
	run.preserve.method = method;
	run.preserve.stop = wish.stop;
	run.freeze = wish.freeze;
	run.late = !wish.frozen;
	if (wish.deadline > 0) {
		interrupt_time_in(wish.deadline, &until);
		run.until = &until;
	}
	ret = checkpoint_run(&run, &target, &manifest);
	if (ret < 0)
		return ret;
	if (json && to_text(manifest_to_json(&manifest), json)) {
		log_error("no memory for the JSON; the manifest is complete on disk");
		return -ENOMEM;
	}
	return manifest.complete && !ret ? 0 : RELINKTRACE_PARTLY;
}

int relinktrace_checkpoint(struct relinktrace *rt,
			   const struct relinktrace_checkpoint *wish, char **json)
{
	handle_enter(rt);
	return handle_leave(rt, checkpoint(wish, json));
}

/* A manifest that has been read, and where its mounts are. */
struct opened {
	struct relinktrace_restore wish;
	struct manifest manifest;
	struct roots roots;
};

static void opened_fini(struct opened *opened)
{
	manifest_fini(&opened->manifest);
	roots_fini(&opened->roots);
}

static int opened_read(struct opened *opened, const struct relinktrace_restore *theirs)
{
	AUTO_FREE char *why = NULL;
	int ret = handle_wish(&opened->wish, theirs, sizeof(opened->wish));

	if (!ret && !opened->wish.manifest)
		ret = why_set(&why, -EINVAL, "a manifest is needed");
	ret = ret ?: manifest_file_read(opened->wish.manifest, &opened->manifest, &why);
	for (const char *const *root = opened->wish.roots; root && *root && !ret; root++)
		ret = roots_add(&opened->roots, *root, &why);
	if (opened->roots.n)
		opened->manifest.roots = &opened->roots;
	opened->manifest.store_at = opened->wish.store;
	if (ret && why)
		log_error("%s", why);
	return ret;
}

/* What is told when @manifest has less than there was. */
static int partly(const struct manifest *manifest)
{
	if (manifest->n_failed)
		log_warning("%zu orphans could not be preserved at the checkpoint",
			    manifest->n_failed);
	return manifest->complete ? 0 : RELINKTRACE_PARTLY;
}

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
	return first ?: partly(&opened.manifest);
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
	ret = describe(files) ?: partly(&files->opened.manifest);
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
	return partly(&opened.manifest);
}

int relinktrace_write_out(struct relinktrace *rt, const struct relinktrace_restore *wish,
			  const char *dir, int keep)
{
	handle_enter(rt);
	return handle_leave(rt, write_out(wish, dir, keep));
}

int relinktrace_clean(struct relinktrace *rt, const char *manifest,
		      struct relinktrace_cleaned *cleaned)
{
	struct clean_result result = {0};
	int ret;

	handle_enter(rt);
	ret = clean_checkpoint(manifest, NULL, NULL, &result);
	if (cleaned)
		*cleaned = (struct relinktrace_cleaned){result.removed, result.absent,
							result.left};
	return handle_leave(rt, ret ?: result.left ? RELINKTRACE_PARTLY : 0);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The way to an orphan, and to the folder for its name, through one of its holders. */
#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/interrupt.h"
#include "base/openfiles.h"
#include "base/why.h"
#include "behind.h"
#include "idmapped.h"
#include "ladder.h"
#include "preserve.h"
#include "proc/mount.h"
#include "source.h"

/* The folder on mount @mnt_id, as @holder sees it; or where @orphan's copy goes there, in the
 * store. */
static int reach_folder(struct preserve *preserve, const struct orphan *orphan,
			int mnt_id, const struct holder *holder, struct folder **out,
			char **why)
{
	bool store = depot_takes(preserve->options.depot, orphan);
	struct folder *known = folder_set_find(&preserve->folders, store, mnt_id);
	char path[RELINK_PATH_MAX];
	int ret;

	if (known && known->fd >= 0 && folder_was_seen(&preserve->folders, known)) {
		*out = known;
		return 0;
	}
	if (store)
		return folder_set_get_store(&preserve->folders, preserve->manifest, out,
					    why);
	ret = manifest_name(preserve->manifest, false, preserve->next_n, path);
	return ret
		       ?: folder_set_get(&preserve->folders, preserve->manifest, mnt_id,
					 holder, path, out, why);
}

/* Opens @orphan through @holder, and the folder on its mount when @out_folder wants it.
 */
static int reach_through(struct preserve *preserve, const struct orphan *orphan,
			 const struct holder *holder, struct source *out_source,
			 struct folder **out_folder, char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	AUTO_FREE char *reason = NULL;
	int ret = source_open(orphan, holder, &preserve->holder, &source, &reason);

	if (ret)
		return why_set(why, ret, "process %d (%s): %s%s", holder->pid,
			       holder_kind_name(holder->kind),
			       reason		? reason
			       : ret == -ESTALE ? "holds another file by now"
						: strerror(-ret),
			       caps_refused(ret, holder->kind == RT_HOLDER_MAP
							 ? CAPS_MAP_FILES
							 : CAPS_PROC_READ));
	ret = idmapped_settle(holder_mount(orphan, holder), holder, &source, why);
	if (!ret && out_folder)
		ret = reach_folder(preserve, orphan, holder_mount(orphan, holder), holder,
				   out_folder, why);
	if (ret)
		return ret;
	*out_source = source;
	source = (struct source)SOURCE_INIT;
	return 0;
}

/* The same where no link leads to it. */
static int reach_behind(struct preserve *preserve, struct orphan *orphan,
			struct source *out_source, struct folder **out_folder, char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	int ret = behind_open(orphan, preserve->options.frozen, &source, why);

	if (!ret && out_folder)
		ret = reach_folder(preserve, orphan, orphan->mnt_id, source.holder,
				   out_folder, why);
	if (ret)
		return ret;
	*out_source = source;
	source = (struct source)SOURCE_INIT;
	return 0;
}

/* The mount through which @orphan was reached is its own from now on, and what was its own
 * is that of the others. */
static int settle_mount(struct orphan *orphan, const struct holder *holder)
{
	int id = orphan->mnt_id;
	char *point = NULL;

	if (!holder_has_via(orphan, holder))
		return 0;
	if (holder->via.point) {
		point = strdup(holder->via.point);
		if (!point)
			return -ENOMEM;
	}
	free(orphan->mnt_point);
	orphan->mnt_point = point;
	orphan->mnt_id = holder->via.id;
	for (size_t i = 0; i < orphan->n_holders; i++) {
		AUTO(mount_fini) struct mount was = {0};
		struct holder *other = &orphan->holders[i];

		if (other->via.id != id || other->via.point)
			continue;
		if (mount_find(other->pid, id, &was) == -ENOMEM)
			return -ENOMEM;
		other->via.point = TAKE_PTR(was.point);
		other->via.root = TAKE_PTR(was.root);
	}
	return 0;
}

/* Through the first of the holders that will do; with @direct_only none whose mount takes
 * no name itself. */
static int reach_linked(struct preserve *preserve, struct orphan *orphan,
			bool direct_only, struct source *source, struct folder **folder,
			char **why)
{
	static const enum rt_holder_kind kinds[] = {RT_HOLDER_FD, RT_HOLDER_MAP,
						    RT_HOLDER_CWD, RT_HOLDER_ROOT,
						    RT_HOLDER_EXE};
	int ret = -ESTALE;

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		for (size_t i = 0; i < orphan->n_holders; i++) {
			const struct holder *holder = &orphan->holders[i];

			if (holder->kind != kinds[kind])
				continue;
			ret = reach_through(preserve, orphan, holder, source, folder,
					    why);
			if (!ret && direct_only && (*folder)->detour &&
			    !source->at_home) {
				source_fini(source);
				ret = -EXDEV;
			} else if (!ret || ret == -ENOMEM || interrupt_pending()) {
				return ret;
			}
		}
	}
	return ret;
}

/* Whether its holders have it through more mounts than one. */
static bool has_vias(const struct orphan *orphan)
{
	for (size_t i = 0; i < orphan->n_holders; i++)
		if (holder_has_via(orphan, &orphan->holders[i]))
			return true;
	return false;
}

int preserve_reach(struct preserve *preserve, struct orphan *orphan,
		   struct source *source, struct folder **folder, char **why)
{
	int ret = -EXDEV;

	free(TAKE_PTR(*why));
	if (!orphan_first_linked(orphan))
		return reach_behind(preserve, orphan, source, folder, why);
	/* One is read-only or covered, and another one takes a link. */
	if (folder && has_vias(orphan))
		ret = reach_linked(preserve, orphan, true, source, folder, why);
	if (ret && ret != -ENOMEM && !interrupt_pending()) {
		free(TAKE_PTR(*why));
		ret = reach_linked(preserve, orphan, false, source, folder, why);
	}
	return ret ?: settle_mount(orphan, source->holder);
}

/* The holder that @copy was reached through, where reach_linked() would take it too. */
static const struct holder *same_holder(const struct orphan *orphan,
					const struct precopied *copy)
{
	for (size_t i = 0; i < orphan->n_holders; i++) {
		const struct holder *holder = &orphan->holders[i];

		if (holder->kind == RT_HOLDER_FD)
			return holder->pid == copy->pid && !holder->tid &&
					       holder->start_time == copy->start_time &&
					       holder->fd == copy->their_fd
				       ? holder
				       : NULL;
	}
	return NULL;
}

int preserve_reach_copied(struct preserve *preserve, const struct orphan *orphan,
			  struct precopied *copy, struct source *source,
			  struct folder **folder)
{
	AUTO(source_fini) struct source kept = SOURCE_INIT;
	const struct holder *holder =
		copy && copy->src >= 0 ? same_holder(orphan, copy) : NULL;
	AUTO_FREE char *why = NULL;
	int ret;

	if (!holder || has_vias(orphan))
		return -ENOENT;
	ret = source_again(orphan, holder, copy->src, &kept);
	ret = ret ?: reach_folder(preserve, orphan, orphan->mnt_id, holder, folder, &why);
	if (ret)
		return ret;
	*source = kept;
	kept = (struct source)SOURCE_INIT;
	return 0;
}

/* Makes the files for what is to be copied: half as many as there may be open, so that the
 * work has room. What fails fails again then, and is told. */
static void make_spares(struct preserve *preserve, const struct orphan_set *set)
{
	size_t most, copies = precopies_files(preserve->options.precopies);

	if (!preserve->options.late)
		return;
	if (!preserve->room)
		preserve->room = openfiles_room() + copies;
	most = preserve->room / 2 > copies ? preserve->room / 2 - copies : 0;
	for (size_t i = 0; i < set->n && preserve->n_spare < most; i++) {
		const struct orphan *orphan = &set->orphans[i];
		bool store = depot_takes(preserve->options.depot, orphan);
		struct folder *folder =
			folder_set_find(&preserve->folders, store, orphan->mnt_id);

		if (folder && folder->fd >= 0 && !interrupt_pending() &&
		    !precopies_find(preserve->options.precopies, orphan) &&
		    ladder_needs_file(orphan, preserve->options.method, store,
				      preserve->options.stop) &&
		    !folder_make_spare(folder))
			preserve->n_spare++;
	}
}

int preserve_folders(struct preserve *preserve, struct orphan_set *set)
{
	int ret = 0;

	for (size_t i = 0; i < set->n && ret != -ENOMEM; i++) {
		AUTO(source_fini) struct source source = SOURCE_INIT;
		struct orphan *orphan = &set->orphans[i];
		enum method methods[LADDER_STEPS];
		bool store = depot_takes(preserve->options.depot, orphan);
		AUTO_FREE char *why = NULL;
		struct folder *folder;

		if (interrupt_pending())
			return -EINTR;
		if (folder_set_find(&preserve->folders, store, orphan->mnt_id) ||
		    !ladder_methods(orphan, preserve->options.method, store, methods) ||
		    methods[0] == METHOD_RECREATE)
			continue;
		ret = preserve_reach(preserve, orphan, &source, &folder, &why);
	}
	if (ret == -ENOMEM)
		return ret;
	make_spares(preserve, set);
	return 0;
}

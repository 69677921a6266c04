/* SPDX-License-Identifier: GPL-2.0-only */
#include "preserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "base/interrupt.h"
#include "budget.h"
#include "descent.h"
#include "fillall.h"
#include "late.h"
#include "locked.h"
#include "owned.h"
#include "parallel.h"
#include "base/log.h"
#include "base/openfiles.h"
#include "base/progress.h"
#include "relink.h"
#include "source.h"
#include "undo.h"
#include "base/why.h"
#include "proc/proctext.h"
#include "manifest/template.h"

/* Orphans that are worked on at a time: so many have their names brought to the disk by
 * one sync, and so many files are open, three for each. Fewer where batches are told of,
 * since what was not told is lost to a deadline. */
#define BATCH	   512
#define BATCH_TOLD 64

/* Files that each thread of fillall() opens beside, and those of all the rest: a folder's
 * for its sync, what /proc is read by. */
#define FILES_OF_THREAD 4
#define FILES_OF_REST	12

/* Opened between the folders and the work: of the freezer, and the scan. */
#define FILES_SINCE 16

/* One of a batch. */
struct work {
	struct manifest_entry entry; /* owned */
	struct source source;	     /* owned */
	struct descent descent;	     /* owned */
};

void preserve_begin(struct preserve *preserve, const struct preserve_options *options,
		    struct manifest *manifest)
{
	*preserve = (struct preserve){
		.options = *options,
		.manifest = manifest,
		.folders = {.journal = options->journal, .depot = options->depot},
		.next_n = 1,
		.holder = PROCESS_PINNED_INIT,
		.their = THEIRFD_INIT,
		.fsid_of = -1,
	};
}

/* What the filesystem says now is truer than what the scan was told. */
static void refresh(struct orphan *orphan, const struct stat *st)
{
	orphan->mode = st->st_mode;
	orphan->uid = st->st_uid;
	orphan->gid = st->st_gid;
	orphan->rdev_major = major(st->st_rdev);
	orphan->rdev_minor = minor(st->st_rdev);
	orphan->size = st->st_size;
	orphan->allocated = st->st_blocks * 512ULL;
}

/* Of @mount, where no name is to be made. */
static const char *fsid_of(struct preserve *preserve, pid_t pid,
			   const struct mount *mount)
{
	AUTO_FD root = -1;

	if (preserve->fsid_of == mount->id)
		return preserve->fsid;
	preserve->fsid_of = mount->id;
	preserve->fsid[0] = '\0';
	root = mount_open_root(pid, mount->id);
	if (root >= 0)
		fsid_read(mount->fstype, root, preserve->fsid);
	return preserve->fsid;
}

/* The root of the orphan's mount, for restore to find it again; a mount that is out of
 * sight stays NULL. @folder is where its name is to be, or NULL. */
static int record_mount(struct preserve *preserve, struct manifest_entry *entry,
			const struct source *source, const struct folder *folder)
{
	AUTO(mount_fini) struct mount mount = {0};
	int ret = mount_find(source->holder->pid, entry->orphan.mnt_id, &mount);

	if (ret)
		return ret == -ENOMEM ? ret : 0;
	entry->mount_root = TAKE_PTR(mount.root);
	if (!entry->orphan.mnt_point)
		entry->orphan.mnt_point = TAKE_PTR(mount.point);
	strcpy(entry->fsid, folder && !folder->store
				    ? folder->fsid
				    : fsid_of(preserve, source->holder->pid, &mount));
	return 0;
}

/* Which directory ".." of this one leads to: perhaps another that is removed. What cannot be
 * seen is not known. */
static void record_parent(struct manifest_entry *entry, const struct source *source)
{
	struct manifest_parent *parent = &entry->parent;
	AUTO_FD up = -1;
	struct stat st;

	if (!S_ISDIR(entry->orphan.mode))
		return;
	up = openat(source->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (up < 0 || fstat(up, &st) || st.st_dev != source->stat.st_dev)
		return;
	parent->known = true;
	parent->ino = st.st_ino;
	parent->removed = !st.st_nlink;
	parent->has_generation = !source_generation(up, &parent->generation);
}

/* Opens what @work needs, whose entry has its n and orphan. */
static int work_reach(struct preserve *preserve, struct work *work)
{
	struct manifest_entry *entry = &work->entry;
	struct ladder *ladder = &work->descent.ladder;
	int ret = preserve_reach_copied(preserve, &entry->orphan, ladder->precopied,
					&work->source, &ladder->folder);

	ret = ret ? preserve_reach(preserve, &entry->orphan, &work->source,
				   ladder->methods[0] == METHOD_RECREATE
					   ? NULL
					   : &ladder->folder,
				   &work->descent.why)
		  : 0;

	if (ret && ladder->n_methods > 1 && ladder->methods[1] == METHOD_RECREATE) {
		/* No folder for a link, but none is needed to be made again. */
		if (manifest_add_step(entry, METHOD_LINK, -ret,
				      why_text(work->descent.why)))
			return -ENOMEM;
		ladder->next = 1;
		ret = preserve_reach(preserve, &entry->orphan, &work->source, NULL,
				     &work->descent.why);
	}
	if (ret)
		return ret;
	refresh(&entry->orphan, &work->source.stat);
	if (!entry->orphan.path)
		entry->orphan.path = TAKE_PTR(work->source.path);
	record_parent(entry, &work->source);
	ret = record_mount(preserve, entry, &work->source, ladder->folder);
	if (!ret && ladder->folder && !entry->store && !entry->mount_root)
		entry->mount_root = strdup(ladder->folder->mount.root);
	ret = ret ?: locked_read(&entry->orphan, &entry->locks);
	return ret ?: owned_read(&entry->orphan, &preserve->their, &entry->owners);
}

/* What was not even tried. 0 or -ENOMEM. */
static int note_store(struct manifest_entry *entry, enum method forced)
{
	if (!entry->store || !S_ISREG(entry->orphan.mode) || forced != METHOD_AUTO)
		return 0;
	return manifest_add_step(entry, METHOD_LINK, 0, "a store takes copies only");
}

/* Takes @orphan over. */
static void work_begin(struct preserve *preserve, struct orphan *orphan,
		       struct work *work)
{
	int mnt_id;

	*work = (struct work){
		.entry = {.n = preserve->next_n++, .orphan = *orphan},
		.source = SOURCE_INIT,
		.descent.ladder =
			{
				.manifest = preserve->manifest,
				.next_n = &preserve->next_n,
				.stop = preserve->options.stop,
				.digest = preserve->options.digest,
				.late = preserve->late_left > 0,
				.source = &work->source,
				.folders = &preserve->folders,
				.entry = &work->entry,
				.fd = -1,
			},
	};
	*orphan = (struct orphan){.mnt_id = -1};
	preserve->late_left -= work->descent.ladder.late;
	work->entry.store = work->descent.ladder.store =
		depot_takes(preserve->options.depot, &work->entry.orphan);
	/* The number that it has by then, which others have been told, stays where nobody
	 * else makes names like these. */
	work->descent.ladder.unnamed = work->descent.ladder.store || preserve->has_clock;
	work->descent.ladder.n_methods =
		ladder_methods(&work->entry.orphan, preserve->options.method,
			       work->descent.ladder.store, work->descent.ladder.methods);
	work->descent.ret = note_store(&work->entry, preserve->options.method);
	if (!work->descent.ret && interrupt_late())
		work->descent.ret =
			why_set(&work->descent.why, -ETIMEDOUT, INTERRUPT_LATE);
	work->descent.ladder.precopied =
		precopies_find(preserve->options.precopies, &work->entry.orphan);
	mnt_id = work->entry.orphan.mnt_id;
	work->descent.ret = work->descent.ret ?: work_reach(preserve, work);
	work->descent.holder = work->source.holder;
	work->descent.pending = !work->descent.ret;
	/* It was reached through another mount. */
	if (work->entry.orphan.mnt_id != mnt_id)
		work->descent.ladder.precopied =
			precopies_find(preserve->options.precopies, &work->entry.orphan);
}

static void work_fini(struct work *work)
{
	descent_fini(&work->descent);
	source_fini(&work->source);
	manifest_entry_fini(&work->entry);
}

/* What was to be known when it is open (struct orphan_set, opened). */
static void tell_path(struct orphan *orphan)
{
	const struct holder *linked = orphan_first_linked(orphan);
	char link[64];

	if (orphan->path || !linked)
		return;
	holder_proc_link(linked, link, sizeof(link));
	proctext_readlink_deleted(AT_FDCWD, link, &orphan->path);
}

static int add_failed(struct preserve *preserve, struct work *work)
{
	tell_path(&work->entry.orphan);
	return undo_add_failed(preserve->manifest, &work->entry, work->descent.ret,
			       work->descent.why ? work->descent.why
						 : strerror(-work->descent.ret));
}

int preserve_grave(int ret)
{
	if (ret == -ENOMEM)
		return ret;
	return ret == -EINTR || interrupt_pending() ? -EINTR : 0;
}

int preserve_write_down(struct preserve *preserve)
{
	struct journal_file *journal = preserve->options.journal;
	int ret = journal ? journal_file_sync(journal) : 0;

	if (ret)
		log_error("cannot write journal %s: %s%s", journal->name, strerror(-ret),
			  advice(ret));
	return ret;
}

/* Fills the new files of those whose turn that is, several at a time: each waits for the
 * disk for most of its time. */
static int batch_fill(struct preserve *preserve, struct work *works, size_t n)
{
	struct ladder *ladders[BATCH];
	size_t n_ladders = 0;

	for (size_t i = 0; i < n; i++) {
		struct work *work = &works[i];

		/* A failure is told when it is prepared. */
		if (work->descent.pending && !descent_renew(preserve, &work->descent) &&
		    ladder_open(&work->descent.ladder))
			ladders[n_ladders++] = &work->descent.ladder;
	}
	return preserve_grave(fillall(ladders, n_ladders));
}

static int by_number(const void *left, const void *right)
{
	const struct work *a = left, *b = right;

	return a->entry.n < b->entry.n ? -1 : a->entry.n > b->entry.n;
}

/* Each is in its place, unless one had to take a later number because its name was taken. */
static void batch_sort(struct work *works, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (works[i - 1].entry.n > works[i].entry.n) {
			qsort(works, n, sizeof(*works), by_number);
			return;
		}
}

/* Moves the batch into the manifest, where numbers rise. */
static int batch_record(struct preserve *preserve, struct work *works, size_t n)
{
	int ret = 0;

	batch_sort(works, n);
	for (size_t i = 0; i < n && !ret; i++) {
		if (works[i].descent.ret || works[i].entry.method != METHOD_COPY ||
		    works[i].entry.precopy.unchanged)
			progress_add(orphan_bytes(&works[i].entry.orphan), 0);
		ret = works[i].descent.ret
			      ? add_failed(preserve, &works[i])
			      : manifest_add_entry(preserve->manifest, &works[i].entry);
	}
	return ret;
}

/* Preserves @n orphans, at most BATCH. */
static int batch(struct preserve *preserve, struct orphan *orphans, size_t n)
{
	AUTO_FREE struct work *works = calloc(n, sizeof(*works));
	struct descent *descents[BATCH];
	size_t begun = 0;
	int ret = works ? 0 : -ENOMEM;

	preserve->folders.round++;
	while (begun < n && !ret) {
		work_begin(preserve, &orphans[begun], &works[begun]);
		descents[begun] = &works[begun].descent;
		ret = preserve_grave(descents[begun++]->ret);
	}
	while (!ret && descent_any_pending(descents, begun))
		ret = batch_fill(preserve, works, begun)
			      ?: descent_round(preserve, descents, begun);
	for (size_t i = 0; i < begun; i++) {
		if (!ret && !works[i].descent.ret && works[i].descent.ladder.fd >= 0)
			ret = unsynced_add(&preserve->unsynced,
					   &works[i].descent.ladder.fd, works[i].entry.n,
					   works[i].source.holder);
		/* It points into the array, which is sorted next. */
		ladder_fini(&works[i].descent.ladder);
		works[i].descent.ladder = (struct ladder){.fd = -1};
	}
	ret = ret ?: batch_record(preserve, works, begun);
	for (size_t i = 0; i < begun; i++) {
		undo_entry(preserve, &works[i].entry);
		work_fini(&works[i]);
	}
	return ret;
}

/* Files that can be opened now. To count those that are open takes long where they are many,
 * and that was done before the freeze. */
static size_t files_room(const struct preserve *preserve)
{
	size_t held = preserve->unsynced.n + folder_spares(&preserve->folders) +
		      precopies_files(preserve->options.precopies) + FILES_SINCE;

	if (!preserve->room)
		return openfiles_room();
	return preserve->room > held ? preserve->room - held : 0;
}

/* How many can be worked on at a time with the files that may be open now; 1 at least. */
static size_t batch_most(const struct preserve *preserve)
{
	size_t room = files_room(preserve),
	       n = preserve->options.recorded ? BATCH_TOLD : BATCH;

	while (n > 1 &&
	       3 * n + FILES_OF_THREAD * (n < PARALLEL_MOST ? n : PARALLEL_MOST) +
			       FILES_OF_REST >
		       room)
		n--;
	return n;
}

/* Where the batch ends that begins with @from. Where batches are told of, a mount that
 * hangs shall keep nothing but what is on it from being told. */
static size_t batch_end(const struct preserve *preserve, const struct orphan_set *set,
			size_t from, size_t most)
{
	const struct orphan *first = &set->orphans[from];
	size_t end = from + 1;

	if (preserve->options.recorded && mount_may_hang(first->fstype))
		return end;
	while (end < set->n && end - from < most &&
	       (!preserve->options.recorded || set->orphans[end].mnt_id == first->mnt_id))
		end++;
	return end;
}

/* What is on the disk is told. */
static int batch_tell(struct preserve *preserve)
{
	size_t n = preserve->manifest->n_entries;
	int ret;

	if (!preserve->options.recorded)
		return 0;
	ret = undo_volatile(preserve);
	return ret
		       ?: preserve->options.recorded(preserve->manifest->n_entries < n,
						     preserve->options.data);
}

int preserve_all(struct preserve *preserve, struct orphan_set *set)
{
	uint64_t expected = 0;
	int ret = budget_check(preserve, set);

	if (ret)
		return ret;
	depot_tell_unused(preserve->options.depot, set);
	preserve->has_clock = template_has_clock(preserve->manifest->template);
	preserve->late_left = preserve->options.late
				      ? (files_room(preserve) + preserve->n_spare +
					 precopies_files(preserve->options.precopies)) /
						2
				      : 0;
	for (size_t i = 0; i < set->n; i++)
		expected += orphan_bytes(&set->orphans[i]);
	progress_begin(expected, PROGRESS_MS);
	for (size_t i = 0, end; i < set->n && !ret; i = end) {
		end = batch_end(preserve, set, i, batch_most(preserve));
		ret = interrupt_pending() ? -EINTR
					  : batch(preserve, &set->orphans[i], end - i);
		ret = ret ?: batch_tell(preserve);
	}
	progress_end();
	if (ret == -EINTR)
		log_error("interrupted: the names that were made are removed again");
	else if (ret)
		log_error("cannot preserve: %s", strerror(-ret));
	if (ret)
		return ret;
	preserve->manifest->complete = set->complete;
	return preserve->options.late ? 0 : preserve_settle(preserve);
}

int preserve_settle(struct preserve *preserve)
{
	int ret = preserve->options.recorded ? 0 : undo_unsynced(preserve);

	ret = ret ?: late_name(preserve);
	ret = ret || preserve->options.recorded ? ret : undo_volatile(preserve);
	if (preserve->manifest->n_failed || preserve->n_volatile)
		preserve->manifest->complete = false;
	return ret;
}

void preserve_keep(struct preserve *preserve)
{
	preserve->kept = true;
}

void preserve_fini(struct preserve *preserve)
{
	preserve_undo(preserve);
	unsynced_fini(&preserve->unsynced);
	folder_set_fini(&preserve->folders);
	process_pinned_fini(&preserve->holder);
	theirfd_fini(&preserve->their);
	*preserve = (struct preserve){0};
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "unseen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <linux/fs.h>
#include <linux/loop.h>

#include "base/auto.h"
#include "bpf/records.h"
#include "bpf/tracker.h"
#include "proc/cgroup.h"
#include "proc/ownfd.h"
#include "proc/process.h"
#include "proc/proctext.h"
#include "suspect.h"
#include "unlinked.h"

/* What is known of the file that a suspect holds. */
struct held {
	bool found;	/* it is an orphan */
	bool by_kernel; /* record is filled */
	struct rt_holder record;
	uint32_t dev_major, dev_minor; /* the superblock's */
	uint64_t ino;		       /* the kernel's own */
};

/* ---- asking the kernel ---- */

struct answers {
	const struct suspects *suspects;
	struct held *held; /* of each suspect */
};

static int take_answer(const struct rt_holder *record, const char *path, void *data)
{
	const struct answers *answers = data;

	(void)path;
	for (size_t i = 0; i < answers->suspects->n; i++) {
		if (answers->suspects->suspects[i].fd != record->fd ||
		    answers->suspects->suspects[i].kind != record->kind)
			continue;
		answers->held[i] = (struct held){
			.found = true,
			.by_kernel = true,
			.record = *record,
			.dev_major = kernel_major(record->dev),
			.dev_minor = kernel_minor(record->dev),
			.ino = record->ino,
		};
	}
	return 0;
}

/* Those of the source, or else loaded for this once: what they need of modules' types
 * takes time that a listing rarely has to spend. False where the kernel refuses. */
static bool ask_kernel(const struct scan_source *source, struct answers *answers)
{
	struct tracker_options options = {.ours = true};
	AUTO(tracker_closep) struct tracker *tracker = NULL;
	struct iterators iterators = source->iterators;
	AUTO_FREE char *why = NULL;
	AUTO(kernel_fini) struct kernel kernel = KERNEL_INIT;

	if (iterators.ours_fd < 0) {
		if (kernel_read(&kernel) || !kernel.iter_task_file ||
		    tracker_open(&options, &kernel, &tracker, &why))
			return false;
		iterators = tracker_iterators(tracker);
	}
	return !iterators_run_ours(&iterators, take_answer, answers);
}

/* ---- asking what user space can ---- */

static void look_at_mount(const struct suspect *suspect, struct held *held)
{
	struct statx stx;

	if (suspect->fd < 0 || statx(suspect->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
				     STATX_BASIC_STATS, &stx))
		return;
	*held = (struct held){
		.found = true,
		.dev_major = suspect->mount.dev_major,
		.dev_minor = suspect->mount.dev_minor,
		.ino = stx.stx_ino,
	};
	ownfd_inner_ino(suspect->fd, &held->ino);
}

/* The superblock of the file with st_dev @dev that had the name @path: the mount that
 * has this device, or that a folder above @path with this st_dev is on. btrfs has a
 * device of its own for each subvolume in stat. */
static int find_superblock(dev_t dev, const char *path, struct held *held)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FREE char *folder = path ? strdup(path) : NULL;
	char *slash;

	if (!mount_find_by_dev(major(dev), minor(dev), "/", &mount)) {
		held->dev_major = mount.dev_major;
		held->dev_minor = mount.dev_minor;
		return 0;
	}
	while (folder && (slash = strrchr(folder, '/'))) {
		struct statx stx;

		slash[slash == folder] = '\0';
		if (!statx(AT_FDCWD, folder, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
			   STATX_MNT_ID, &stx) &&
		    makedev(stx.stx_dev_major, stx.stx_dev_minor) == dev &&
		    !mount_find(getpid(), stx.stx_mnt_id, &mount)) {
			held->dev_major = mount.dev_major;
			held->dev_minor = mount.dev_minor;
			return 0;
		}
		if (slash == folder)
			break;
	}
	return -ENOENT;
}

/* Whether a file whose name ends with " (deleted)" is the one behind the device. */
static bool is_named_so(const struct loop_info64 *info, const char *path)
{
	AUTO_FREE char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s" PROCTEXT_DELETED, path) < 0) {
		name = NULL;
		return false;
	}
	return !lstat(name, &st) && st.st_ino == info->lo_inode &&
	       st.st_dev == (dev_t)info->lo_device;
}

/* loop(4); drivers/block/loop.c, loop_get_status: stat's device and inode number. */
static void look_at_loop(const struct suspect *suspect, struct held *held)
{
	struct loop_info64 info;
	struct held seen = {.found = true};

	if (suspect->fd < 0 || !suspect->path ||
	    ioctl(suspect->fd, LOOP_GET_STATUS64, &info) ||
	    is_named_so(&info, suspect->path) ||
	    find_superblock(info.lo_device, suspect->path, &seen))
		return;
	seen.ino = info.lo_inode;
	*held = seen;
}

/* ---- joining ---- */

/* The entry of the map for what is held; NULL. */
static const struct known_entry *entry_of(const struct unseen *unseen,
					  const struct held *held)
{
	for (size_t i = 0; i < unseen->known->n; i++) {
		const struct known_entry *entry = &unseen->known->entries[i];

		if (held->by_kernel && unseen->source->backend != BACKEND_TP_BTF &&
		    entry->key != held->record.dentry)
			continue;
		if (entry->orphan.ino == held->ino &&
		    kernel_major(entry->orphan.dev) == held->dev_major &&
		    kernel_minor(entry->orphan.dev) == held->dev_minor)
			return entry;
	}
	return NULL;
}

static void fill_from_stat(struct orphan *orphan, const struct suspect *suspect)
{
	const struct mount *mount = &suspect->mount;
	struct statx stx;

	if (suspect->kind != RT_HOLDER_MOUNT ||
	    statx(suspect->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS,
		  &stx))
		return;
	orphan_fill_stat(orphan, &stx);
	snprintf(orphan->fstype, sizeof(orphan->fstype), "%s", mount->fstype);
}

/* Without the kernel's word the device itself tells the size, of whole sectors. */
static void fill_from_device(struct orphan *orphan, const struct suspect *suspect,
			     const struct known_entry *entry)
{
	struct loop_info64 info;
	uint64_t bytes;

	orphan->mode = entry ? entry->orphan.mode : S_IFREG;
	orphan->has_generation = entry;
	orphan->generation = entry ? entry->orphan.generation : 0;
	if (!ioctl(suspect->fd, LOOP_GET_STATUS64, &info) &&
	    !ioctl(suspect->fd, BLKGETSIZE64, &bytes))
		orphan->size = info.lo_offset + bytes;
}

static int set_path(struct orphan *orphan, const char *path, const char *point)
{
	if (!orphan->path && path)
		orphan->path = strdup(path);
	if (!orphan->mnt_point && point)
		orphan->mnt_point = strdup(point);
	return (path && !orphan->path) || (point && !orphan->mnt_point) ? -ENOMEM : 0;
}

/* The name that was: the deleted mount's root, below another mount of its filesystem; or
 * else where it is mounted. */
static char *path_of_mount(const struct mount *mount)
{
	size_t len = strlen(mount->root) - strlen("//deleted");
	AUTO_FREE char *root = strndup(mount->root, len);
	AUTO(mount_fini) struct mount whole = {0};
	const char *point, *below = root;
	char *path;

	if (!root || mount_find_by_dev(mount->dev_major, mount->dev_minor, root, &whole))
		return strdup(mount->point);
	if (strcmp(whole.root, "/"))
		below += strlen(whole.root);
	point = strcmp(whole.point, "/") ? whole.point : "";
	return asprintf(&path, "%s%s", point, below) < 0 ? NULL : path;
}

static int fill(const struct suspect *suspect, const struct held *held,
		const struct known_entry *entry, struct orphan *orphan)
{
	AUTO_FREE char *root = NULL;

	/* They have told all of it; who holds it elsewhere, no path and no mount. */
	if (orphan->n_holders)
		return 0;
	if (held->by_kernel)
		records_fill(orphan, &held->record);
	else if (suspect->kind == RT_HOLDER_LOOP && !orphan->mode)
		fill_from_device(orphan, suspect, entry);
	if (suspect->kind == RT_HOLDER_LOOP) {
		if (held->by_kernel)
			orphan->mnt_id = held->record.mnt_id;
		return set_path(orphan, suspect->path, NULL);
	}
	fill_from_stat(orphan, suspect);
	orphan->mnt_id = suspect->mount.id;
	orphan->mnt_ns = suspect->mount.ns;
	root = path_of_mount(&suspect->mount);
	return set_path(orphan, root, suspect->mount.point);
}

static int holder_of_mount(const struct suspect *suspect, struct holder *holder)
{
	AUTO(process_fini) struct process process = PROCESS_INIT;

	*holder = (struct holder){.pid = suspect->pid,
				  .tid = suspect->tid,
				  .kind = RT_HOLDER_MOUNT,
				  .fd = -1,
				  .mnt_id = suspect->mount.id};
	if (!process_open(suspect->pid, &process)) {
		holder->start_time = process.stat.start_time;
		memcpy(holder->comm, process.stat.comm, sizeof(holder->comm));
		if (process.cgroup)
			cgroup_id_of(process.cgroup, &holder->cgroup_id);
	}
	holder->mnt_point = strdup(suspect->mount.point);
	return holder->mnt_point ? 0 : -ENOMEM;
}

static bool is_wanted(const struct unseen *unseen, const struct suspect *suspect,
		      const struct known_entry *entry)
{
	struct orphan ignored = {.mnt_id = -1};

	if (suspect->kind == RT_HOLDER_MOUNT || unseen->target->kind == TARGET_ALL)
		return suspect->kind == RT_HOLDER_LOOP || suspect->wanted;
	return entry && unlinked_fill(&entry->orphan, unseen->target, &ignored);
}

static int join(const struct unseen *unseen, const struct suspect *suspect,
		const struct held *held)
{
	const struct known_entry *entry = entry_of(unseen, held);
	struct holder holder = {.kind = RT_HOLDER_LOOP, .fd = -1, .loop = suspect->loop};
	struct orphan *orphan;
	int err = 0;

	/* A text ending with " (deleted)" can lie; the exact map cannot. */
	if (!held->by_kernel && suspect->kind == RT_HOLDER_LOOP && !entry &&
	    backend_is_exact(unseen->source->backend))
		return 0;
	orphan = orphan_set_at_inode(unseen->set, held->dev_major, held->dev_minor,
				     held->ino,
				     held->by_kernel ? held->record.inode
				     : entry	     ? entry->orphan.inode
						     : 0);
	if (!orphan)
		return -ENOMEM;
	if (held->by_kernel)
		err = orphan_add_key(orphan, unseen->source->backend == BACKEND_TP_BTF
						     ? held->record.inode
						     : held->record.dentry);
	else if (entry)
		err = orphan_add_key(orphan, entry->key);
	if (err)
		return err;
	if (!is_wanted(unseen, suspect, entry)) {
		orphan->elsewhere = true;
		return 0;
	}
	err = fill(suspect, held, entry, orphan);
	if (err)
		return err;
	if (suspect->kind == RT_HOLDER_MOUNT)
		err = holder_of_mount(suspect, &holder);
	else if (entry)
		holder.cgroup_id = entry->orphan.cgroup_id;
	if (err)
		return err;
	if (!orphan->cgroup && !orphan->cgroup_id)
		orphan->cgroup_id = holder.cgroup_id;
	err = orphan_add_holder(orphan, &holder);
	if (err && holder.kind == RT_HOLDER_MOUNT)
		free(holder.mnt_point);
	return err;
}

int unseen_join(const struct unseen *unseen)
{
	AUTO(suspects_fini) struct suspects suspects = {0};
	AUTO_FREE struct held *held = NULL;
	int err;

	/* What others hold matters for an orphan of the target only, and a loop device's
	 * file is in the map where it is one: to go over all tasks takes long. */
	if (unseen->target->kind == TARGET_CGROUPS && !unseen->set->n &&
	    !unseen->known->n && !suspects_in(unseen->target))
		return 0;
	err = suspects_find(unseen->target, &suspects);
	if (err || !suspects.n)
		return err;
	held = calloc(suspects.n, sizeof(*held));
	if (!held)
		return -ENOMEM;
	ask_kernel(unseen->source, &(struct answers){&suspects, held});
	for (size_t i = 0; i < suspects.n && !err; i++) {
		const struct suspect *suspect = &suspects.suspects[i];

		if (!held[i].found && suspect->kind == RT_HOLDER_LOOP)
			look_at_loop(suspect, &held[i]);
		else if (!held[i].found)
			look_at_mount(suspect, &held[i]);
		if (held[i].found)
			err = join(unseen, suspect, &held[i]);
	}
	return err;
}

static int skip_record(const struct rt_holder *record, const char *path, void *data)
{
	(void)record;
	(void)path;
	(void)data;
	return 0;
}

int unseen_bootstrap(const struct scan_source *source)
{
	AUTO(suspects_fini) struct suspects suspects = {0};
	struct target everybody;
	int err;

	target_init(&everybody);
	err = suspects_find(&everybody, &suspects);
	if (err || !suspects.n || source->iterators.ours_fd < 0)
		return err;
	return iterators_run_ours(&source->iterators, skip_record, NULL);
}

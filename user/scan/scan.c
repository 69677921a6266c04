// SPDX-License-Identifier: GPL-2.0-only
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "details.h"
#include "base/log.h"
#include "proc/mount.h"
#include "bpf/pins.h"
#include "proc/procwalk.h"
#include "bpf/records.h"

bool backend_is_exact(enum backend backend)
{
	return backend == BACKEND_FENTRY || backend == BACKEND_KPROBE;
}

uint64_t scan_lost(int stats_fd)
{
	struct rt_stats stats = {};
	uint32_t zero = 0;

	if (stats_fd < 0 || bpf_map_lookup_elem(stats_fd, &zero, &stats))
		return 0;
	return stats.lost_full + stats.lost_nested;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static struct unlinker unlinker_of(const struct rt_orphan *known)
{
	struct unlinker unlinker = {
		.known = known->unlinked_ns,
		.when_ns = known->unlinked_ns + clock_ns(CLOCK_REALTIME) -
			   clock_ns(CLOCK_BOOTTIME),
		.pid = known->pid,
		.cgroup_id = known->cgroup_id,
	};

	memcpy(unlinker.comm, known->comm, sizeof(unlinker.comm));
	unlinker.comm[sizeof(unlinker.comm) - 1] = '\0';
	return unlinker;
}

/* What the map knows of @orphan: its unlinker, the latest where it lost several names. An
 * address can be another file's by now: identity decides. */
static void join_known(struct orphan *orphan, int orphans_fd)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < orphan->n_keys; i++) {
		struct rt_orphan known;

		if (bpf_map_lookup_elem(orphans_fd, &orphan->keys[i], &known) ||
		    known.ino != orphan->ino || known.generation != orphan->generation)
			continue;
		if (known.flags & RT_ORPHAN_TMPFILE)
			orphan->tmpfile = true;
		if (known.unlinked_ns <= latest)
			continue;
		latest = known.unlinked_ns;
		orphan->unlinker = unlinker_of(&known);
	}
}

/* A task that unlinks is of the target when its cgroup is; a removed cgroup is of none.
 */
static bool target_has_unlinker(const struct target *target,
				const struct rt_orphan *known)
{
	AUTO_FREE char *path = NULL;

	if (target->kind == TARGET_CGROUPS && cgroup_path_of(known->cgroup_id, &path))
		return false;
	return target_has(target, known->pid, path);
}

bool scan_fill_unlinked(const struct rt_orphan *known, const struct target *target,
			struct orphan *orphan)
{
	if ((known->flags & RT_ORPHAN_MAYBE_LOWER) || !target_has_unlinker(target, known))
		return false;
	orphan->dev_major = kernel_major(known->dev);
	orphan->dev_minor = kernel_minor(known->dev);
	orphan->ino = known->ino;
	orphan->has_generation = true;
	orphan->generation = known->generation;
	orphan->mode = known->mode;
	orphan->tmpfile = known->flags & RT_ORPHAN_TMPFILE;
	orphan->cgroup_id = known->cgroup_id;
	orphan->unattributed = true;
	orphan->unlinker = unlinker_of(known);
	return true;
}

/* An entry of the map of orphans. */
struct entry {
	uint64_t key;
	struct rt_orphan known;
};

static bool map_is_empty(int orphans_fd)
{
	uint64_t key;

	return bpf_map_get_next_key(orphans_fd, NULL, &key) == -ENOENT;
}

/* All entries, *@out owned by the caller. Entries that come or go meanwhile may be missed
 * or repeated: the caller looks again at those that matter. */
static int read_entries(int orphans_fd, struct entry **out, size_t *n)
{
	AUTO_FREE struct entry *entries = NULL;
	size_t count = 0, room = 0;
	uint64_t key, *previous = NULL, last;

	while (!bpf_map_get_next_key(orphans_fd, previous, &key)) {
		if (count == room) {
			struct entry *more;

			room = room ? room * 2 : 64;
			more = reallocarray(entries, room, sizeof(*entries));
			if (!more)
				return -ENOMEM;
			entries = more;
		}
		entries[count].key = key;
		if (!bpf_map_lookup_elem(orphans_fd, &key, &entries[count].known))
			count++;
		last = key;
		previous = &last;
		/* A walk that is restarted by deletions for ever is no walk. */
		if (count > 2 * RT_MAX_ORPHANS)
			return -EAGAIN;
	}
	*out = TAKE_PTR(entries);
	*n = count;
	return 0;
}

/* What the map holds and the pass has found nowhere: held in a way that no enumeration
 * shows (in flight, io_uring, loop, …), and so its unlinker's. */
static int join_unattributed(const struct scan_source *source,
			     const struct target *target, const struct entry *entries,
			     size_t n, struct orphan_set *set)
{
	for (size_t i = 0; i < n; i++) {
		const struct rt_orphan *known = &entries[i].known;
		struct orphan found = {.mnt_id = -1}, *orphan;
		struct rt_orphan now;

		if (orphan_set_find(set, kernel_major(known->dev),
				    kernel_minor(known->dev), known->ino))
			continue;
		/* Released, and perhaps another one's address, since the pass began. */
		if (bpf_map_lookup_elem(source->orphans_fd, &entries[i].key, &now) ||
		    memcmp(&now, known, sizeof(now)) ||
		    !scan_fill_unlinked(known, target, &found))
			continue;
		orphan = orphan_set_at(set, found.dev_major, found.dev_minor, found.ino);
		if (!orphan)
			return -ENOMEM;
		*orphan = found;
		if (orphan_add_key(orphan, entries[i].key))
			return -ENOMEM;
	}
	return 0;
}

static int collect(const struct scan_source *source, const struct target *target,
		   struct orphan_set *set)
{
	struct records_context context = {
		.set = set,
		.key_is_inode = source->backend == BACKEND_TP_BTF,
	};
	int err;

	set->by_iterator = source->iterators;
	if (!source->iterators)
		return procwalk_scan(target, set);
	err = tracker_holders(source->iterators, records_collect, &context);
	if (!err && source->maps_by_proc)
		err = procwalk_scan_maps(target, set);
	return err;
}

int scan_with(const struct scan_source *source, const struct target *target,
	      struct orphan_set *set)
{
	bool exact = backend_is_exact(source->backend);
	AUTO_FREE struct entry *entries = NULL;
	size_t n = 0;
	int err;

	set->backend = source->backend;
	set->lost = scan_lost(source->stats_fd);
	if (set->lost)
		set->complete = false;
	/* Before the pass: what is orphaned during it is found with its holder. */
	err = exact ? read_entries(source->orphans_fd, &entries, &n) : 0;
	if (err)
		return err;
	mount_cache_drop();
	err = collect(source, target, set);
	/* Without the iterators nobody knows what tasks outside the target hold. */
	if (!err && exact && source->iterators)
		err = join_unattributed(source, target, entries, n, set);
	if (err)
		return err;
	orphan_set_prune(set);
	for (size_t i = 0; i < set->n && source->backend != BACKEND_NONE; i++)
		join_known(&set->orphans[i], source->orphans_fd);
	details_fill(set);
	orphan_set_sort(set);
	return 0;
}

int scan_open_iterators(const struct target *target, struct tracker **out,
			bool *maps_by_proc, char **why)
{
	struct tracker_options options = {.target = target, .iterators = true};
	struct kernel kernel;
	int err = kernel_read(&kernel);

	*why = NULL;
	if (err) {
		*why = strdup("the kernel's types are not at /sys/kernel/btf/vmlinux");
		return err;
	}
	*maps_by_proc = !kernel.iter_task_vma;
	return tracker_open(&options, &kernel, out, why);
}

int scan(const struct target *target, struct orphan_set *set)
{
	struct scan_source source = {.orphans_fd = -1, .stats_fd = -1};
	AUTO(tracker_closep) struct tracker *iterators = NULL;
	AUTO(pins_close) struct pins pins = PINS_INIT;
	AUTO_FREE char *why = NULL;

	if (!pins_open(&pins)) {
		source.backend = pins.backend;
		source.orphans_fd = pins.orphans_fd;
		source.stats_fd = pins.stats_fd;
	}
	if (backend_is_exact(source.backend) && map_is_empty(source.orphans_fd) &&
	    !scan_lost(source.stats_fd)) {
		set->backend = source.backend;
		set->by_iterator = true;
		return 0;
	}
	/* Whatever the reason, /proc gives the same answer; doctor tells the reason. */
	if (!scan_open_iterators(target, &iterators, &source.maps_by_proc, &why))
		source.iterators = iterators;
	return scan_with(&source, target, set);
}

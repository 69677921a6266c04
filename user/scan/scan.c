// SPDX-License-Identifier: GPL-2.0-only
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "details.h"
#include "base/log.h"
#include "proc/mount.h"
#include "bpf/known.h"
#include "bpf/pins.h"
#include "proc/procwalk.h"
#include "bpf/records.h"
#include "bpf/tracker.h"
#include "proc/cgroup.h"
#include "unlinked.h"
#include "unseen.h"

static bool has_iterators(const struct scan_source *source)
{
	return source->iterators.files_fd >= 0;
}

static bool read_counters(const struct scan_source *source, uint32_t place,
			  struct rt_stats *stats)
{
	return source->stats_fd >= 0 &&
	       !bpf_map_lookup_elem(source->stats_fd, &place, stats);
}

/* Whether nothing is in the map. To ask it for its first is to have the kernel pass over all of
 * its buckets; as many released as were born a moment later say the same. */
static bool map_is_empty(const struct scan_source *source)
{
	struct rt_stats before, now;

	return (read_counters(source, RT_STATS_NOW, &before) &&
		read_counters(source, RT_STATS_NOW, &now) &&
		before.released == now.born) ||
	       known_is_empty(source->orphans_fd);
}

static struct rt_stats read_stats(const struct scan_source *source, uint32_t place)
{
	struct rt_stats stats;

	if (!read_counters(source, place, &stats))
		return (struct rt_stats){};
	/* Tracepoints know little, and whoever is asked for them knows: that they were
	 * called at each event adds nothing. */
	if (place == RT_STATS_NOW && backend_is_exact(source->backend))
		hooks_read(&source->hooks, stats.skipped);
	return stats;
}

static bool skipped_the_same(const struct rt_stats *a, const struct rt_stats *b)
{
	return a->seen_alone == b->seen_alone &&
	       !memcmp(a->skipped, b->skipped, sizeof(a->skipped));
}

/* Of RT_STATS_NOW, what belongs together: the counters are read one after the other, and
 * what a hook's first program was skipped for may be about to be seen by another.
 * What was lost is so after a while too. */
static struct rt_stats read_stats_at_rest(const struct scan_source *source,
					  const struct rt_stats *settled)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	struct rt_stats now = read_stats(source, RT_STATS_NOW);
	bool rests = skipped_the_same(&now, settled);

	for (int i = 0; !rests && i < 50; i++) {
		struct rt_stats last = now;

		if (i)
			nanosleep(&pause, NULL);
		now = read_stats(source, RT_STATS_NOW);
		rests = skipped_the_same(&now, &last) &&
			!hooks_between(&source->hooks, settled, &now);
	}
	return now;
}

uint64_t scan_missed(const struct scan_source *source)
{
	struct rt_stats settled = read_stats(source, RT_STATS_SETTLED);
	struct rt_stats now = read_stats_at_rest(source, &settled);

	return hooks_missed(&source->hooks, &settled, &now);
}

uint64_t scan_lost(const struct scan_source *source)
{
	struct rt_stats settled = read_stats(source, RT_STATS_SETTLED);
	struct rt_stats now = read_stats_at_rest(source, &settled);

	return now.lost_full + now.lost_nested - settled.lost_full - settled.lost_nested +
	       hooks_missed(&source->hooks, &settled, &now);
}

void scan_tell_lost(const struct orphan_set *set)
{
	if (set->lost)
		log_warning("%llu records were lost in the kernel: orphans that no "
			    "process shows may be missing; attach again to find the "
			    "others, detach first for a larger --max-orphans",
			    (unsigned long long)set->lost);
}

/* What was lost until @before is in the map by now: a bootstrap has gone over all holders
 * since. */
static int settle(const struct scan_source *source, const struct rt_stats *before)
{
	struct rt_stats settled = *before;
	uint32_t place = RT_STATS_SETTLED;

	settled.abi = RT_ABI;
	return bpf_map_update_elem(source->stats_fd, &place, &settled, BPF_ANY);
}

/* What no hook was called for until @before is in the map by now; what found no room may
 * not be. Who may not write the map leaves it to others. */
static void settle_missed(const struct scan_source *source, const struct rt_stats *before)
{
	struct rt_stats settled = read_stats(source, RT_STATS_SETTLED);
	uint32_t place = RT_STATS_SETTLED;

	memcpy(settled.skipped, before->skipped, sizeof(settled.skipped));
	settled.seen_alone = before->seen_alone;
	settled.marks_lost = before->marks_lost;
	bpf_map_update_elem(source->stats_fd, &place, &settled, BPF_ANY);
}

/* What the map knows of @key: as it was read before the pass, or, where it would know of
 * all, by now. */
static const struct rt_orphan *known_by(const struct scan_source *source,
					const struct known *known, uint64_t key,
					struct rt_orphan *now)
{
	const struct rt_orphan *found = known_find(known, key);

	if (found || !backend_is_exact(source->backend))
		return found;
	return bpf_map_lookup_elem(source->orphans_fd, &key, now) ? NULL : now;
}

/* What the map knows of @orphan: its unlinker, the latest where it lost several names. An
 * address can be another file's by now: identity decides. */
static void join_known(const struct scan_source *source, const struct known *known,
		       struct orphan *orphan)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < orphan->n_keys; i++) {
		struct rt_orphan now;
		const struct rt_orphan *entry =
			known_by(source, known, orphan->keys[i], &now);

		if (!entry || entry->ino != orphan->ino ||
		    entry->generation != orphan->generation)
			continue;
		if (entry->flags & RT_ORPHAN_TMPFILE)
			orphan->tmpfile = true;
		if (entry->unlinked_ns <= latest)
			continue;
		latest = entry->unlinked_ns;
		orphan->unlinker = unlinked_by(entry);
	}
}

/* Notes what only mappings outside of the target hold: where there is no iterator of
 * mappings, those of the target alone were read. */
static int join_mapped_elsewhere(struct orphan_set *set)
{
	AUTO(orphan_set_fini) struct orphan_set all;
	struct target everybody;
	int err;

	orphan_set_init(&all);
	target_init(&everybody);
	err = procwalk_scan_parts(&everybody, PROCWALK_MAPS, &all);
	for (size_t i = 0; i < all.n && !err; i++) {
		const struct orphan *found = &all.orphans[i];
		struct orphan *orphan = orphan_set_at(set, found->dev_major,
						      found->dev_minor, found->ino);

		if (orphan)
			orphan->elsewhere = true;
		else
			err = -ENOMEM;
	}
	return err;
}

/* What the map holds and the pass has found nowhere: held in a way that no enumeration
 * shows (in flight, io_uring, loop, …), and so its unlinker's. */
static int join_unattributed(const struct scan_source *source,
			     const struct target *target, const struct known *map,
			     struct orphan_set *set)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct rt_orphan *known = &map->entries[i].orphan;
		struct orphan found = {.mnt_id = -1}, *orphan;
		struct rt_orphan now;

		if (orphan_set_find_inode(set, kernel_major(known->dev),
					  kernel_minor(known->dev), known->ino,
					  known->inode))
			continue;
		/* Released, and perhaps another one's address, since the pass began. */
		if (bpf_map_lookup_elem(source->orphans_fd, &map->entries[i].key, &now) ||
		    memcmp(&now, known, sizeof(now)) ||
		    !unlinked_fill(known, target, &found))
			continue;
		orphan = orphan_set_at_inode(set, found.dev_major, found.dev_minor,
					     found.ino, found.inode);
		if (!orphan)
			return -ENOMEM;
		*orphan = found;
		if (orphan_add_key(orphan, map->entries[i].key))
			return -ENOMEM;
	}
	return 0;
}

/* Whether records are of the target, one cgroup after the other: neighbours mostly share
 * one. */
struct wanted {
	const struct target *target;
	uint64_t cgroup_id;
	bool known, answer; /* of that cgroup */
};

static bool is_wanted(const struct rt_holder *record, void *data)
{
	struct wanted *wanted = data;
	AUTO_FREE char *path = NULL;

	if (wanted->target->kind != TARGET_CGROUPS)
		return target_has(wanted->target, record->pid, NULL);
	if (!wanted->known || wanted->cgroup_id != record->cgroup_id) {
		wanted->known = true;
		wanted->cgroup_id = record->cgroup_id;
		/* One that is gone has no tasks any more, and is nobody's target. */
		wanted->answer =
			!cgroup_path_seen(record->cgroup_id, record->pid, &path) &&
			target_has(wanted->target, record->pid, path);
	}
	return wanted->answer;
}

static int collect(const struct scan_source *source, const struct target *target,
		   struct orphan_set *set)
{
	struct wanted wanted = {.target = target};
	struct records_context context = {
		.set = set,
		.self = getpid(),
		.key_is_inode = source->backend == BACKEND_TP_BTF,
		.is_wanted = is_wanted,
		.data = &wanted,
	};
	unsigned int parts = 0;
	int err;

	set->by_iterator = has_iterators(source);
	if (!set->by_iterator)
		return procwalk_scan(target, set);
	err = iterators_run(&source->iterators, records_collect, &context);
	if (source->iterators.maps_fd < 0)
		parts |= PROCWALK_MAPS;
	/* An exact map has them all the same, as their unlinker's. */
	if (source->iterators.tables_fd < 0 && !backend_is_exact(source->backend))
		parts |= PROCWALK_HIDDEN;
	if (!err && parts)
		err = procwalk_scan_parts(target, parts, set);
	return err;
}

/* Whether the map has an orphan that the pass has found nowhere. */
static bool has_unexplained(const struct known *known, const struct orphan_set *set)
{
	for (size_t i = 0; i < known->n; i++) {
		const struct rt_orphan *orphan = &known->entries[i].orphan;

		if (!orphan_set_find_inode(set, kernel_major(orphan->dev),
					   kernel_minor(orphan->dev), orphan->ino,
					   orphan->inode))
			return true;
	}
	return false;
}

/* Adds what no task holds. An exact map that the pass explains leaves nothing to look
 * for. */
static int join_unseen(const struct scan_source *source, const struct target *target,
		       const struct known *known, struct orphan_set *set)
{
	struct unseen unseen = {source, target, known, set};

	if (backend_is_exact(source->backend) && !source->settles && !set->lost &&
	    !has_unexplained(known, set))
		return 0;
	return unseen_join(&unseen);
}

int scan_with(const struct scan_source *source, const struct target *target,
	      struct orphan_set *set)
{
	bool exact = backend_is_exact(source->backend);
	AUTO(known_fini) struct known known = {0};
	struct rt_stats before = read_stats(source, RT_STATS_SETTLED);
	int err = 0;

	set->backend = source->backend;
	before = read_stats_at_rest(source, &before);
	/* Before the pass: what is orphaned during it is found with its holder. */
	if (source->backend != BACKEND_NONE)
		err = known_read(source->orphans_fd, &known);
	if (err)
		return err;
	mount_cache_drop();
	/* Nobody's fd leads to what is not held by one: it is put into the map first. */
	if (source->settles && exact)
		err = unseen_bootstrap(source);
	err = err ?: collect(source, target, set);
	if (!err && source->settles)
		err = settle(source, &before);
	set->lost = scan_lost(source);
	/* Otherwise the map tells who unlinked, and no more. */
	if (set->lost && exact)
		set->complete = false;
	if (!err && source->fills)
		settle_missed(source, &before);
	/* Without the iterators nobody knows what tasks outside the target hold. */
	if (!err && exact && has_iterators(source) && source->iterators.maps_fd < 0 &&
	    known.n > set->n)
		err = join_mapped_elsewhere(set);
	if (!err)
		err = join_unseen(source, target, &known, set);
	if (!err && exact && has_iterators(source))
		err = join_unattributed(source, target, &known, set);
	if (err)
		return err;
	orphan_set_prune(set);
	for (size_t i = 0; i < set->n && source->backend != BACKEND_NONE; i++)
		join_known(source, &known, &set->orphans[i]);
	/* Before what takes the most room at its peak. */
	known_fini(&known);
	details_fill(set);
	orphan_set_sort(set);
	return 0;
}

/* Our own iterators. Whatever the reason why there are none, /proc gives the same answer;
 * doctor tells the reason. Of the many fds that loading takes these alone stay open: where
 * there are enough for that, there are for what is done with them, too. */
static void load_iterators(struct scanner *scanner)
{
	struct tracker_options options = {.iterators = true};
	AUTO(tracker_closep) struct tracker *tracker = NULL;
	AUTO_FREE char *why = NULL;
	AUTO(kernel_fini) struct kernel kernel = KERNEL_INIT;

	if (!kernel_read(&kernel) && !tracker_open(&options, &kernel, &tracker, &why))
		tracker_keep_iterators(tracker, &scanner->iterators);
}

void scanner_open(struct scanner *out)
{
	AUTO(pins_close) struct pins pins = PINS_INIT;

	*out = (struct scanner)SCANNER_INIT;
	if (pins_open(&pins) || pins_open_iterators(&pins, false))
		load_iterators(out);
}

void scanner_close(struct scanner *scanner)
{
	iterators_close(&scanner->iterators);
}

static void source_of_pins(const struct pins *pins, struct scan_source *source)
{
	source->backend = pins->backend;
	source->orphans_fd = pins->orphans_fd;
	source->stats_fd = pins->stats_fd;
	source->hooks = pins->hooks;
}

bool scan_is_quiet(uint64_t *born)
{
	struct scan_source source = SCAN_SOURCE_INIT;
	AUTO(pins_close) struct pins pins = PINS_INIT;
	struct rt_stats now;

	if (pins_open(&pins))
		return false;
	source_of_pins(&pins, &source);
	if (!backend_is_exact(source.backend) ||
	    !read_counters(&source, RT_STATS_NOW, &now) || !map_is_empty(&source) ||
	    scan_lost(&source))
		return false;
	*born = now.born;
	return true;
}

int scan(const struct target *target, const struct scanner *scanner,
	 struct orphan_set *set)
{
	AUTO(scanner_close) struct scanner own = SCANNER_INIT;
	struct scan_source source = SCAN_SOURCE_INIT;
	AUTO(pins_close) struct pins pins = PINS_INIT;
	int err = pins_open(&pins);

	if (err == -EPROTO)
		log_warning("%s", pins_strerror(err));
	if (!err)
		source_of_pins(&pins, &source);
	if (backend_is_exact(source.backend) && map_is_empty(&source) &&
	    !scan_lost(&source)) {
		set->backend = source.backend;
		set->by_iterator = true;
		return 0;
	}
	/* Already verified, and nothing of the kernel's types has to be read. Those of another
	 * version write other records. */
	if (err != -EPROTO && !pins_open_iterators(&pins, false))
		source.iterators = pins.iterators;
	source.fills = has_iterators(&source) && backend_is_exact(source.backend);
	if (!has_iterators(&source) && scanner)
		source.iterators = scanner->iterators;
	if (!has_iterators(&source)) {
		load_iterators(&own);
		source.iterators = own.iterators;
	}
	return scan_with(&source, target, set);
}

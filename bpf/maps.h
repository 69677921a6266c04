/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps, each size with its reason, and the switches that the loader sets. */
#ifndef RELINKTRACE_MAPS_H
#define RELINKTRACE_MAPS_H

/* Orphans of the whole machine: who holds a file is not known when it is unlinked, so it
 * cannot be left out then. Sized by the loader, see RT_MAX_ORPHANS. Allocated whole: an unlink
 * neither pays for an allocation, nor loses an orphan because there is no memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RT_MAX_ORPHANS);
	__type(key, __u64);
	__type(value, struct rt_orphan);
} rt_orphans SEC(".maps");

/* Calls that are under way, by thread: with fentry those of stacked filesystems only,
 * with kprobes all, since a return probe does not see the arguments. As many as there
 * can be threads inside unlink, rename, rmdir and O_TMPFILE at one moment. With fentry a call
 * that failed stays, and the loader makes it a map that drops the oldest. */
struct rt_call {
	__u64 object; /* the dentry, or the file of an O_TMPFILE */
	__u64 sp;     /* kprobe: the stack pointer at entry, tells nested calls apart */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct rt_call);
} rt_calls SEC(".maps");

/* Births and releases for whoever streams them. 1 MiB is 10,900 of them, which is what a
 * reader can be behind before it is told of a loss. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} rt_events SEC(".maps");

/* The cgroups that an attach is for; read by user space only, so that a later list or
 * checkpoint knows them. Pinned with the rest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RT_MAX_TARGETS);
	__type(key, __u64);
	__type(value, struct rt_target_info);
} rt_targets SEC(".maps");

/* One for the machine, since the counters are touched on rare paths only; and as it was
 * when user space last found all that had been lost (RT_STATS_SETTLED). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct rt_stats);
} rt_stats_map SEC(".maps");

/* A record with its path is too large for the 512 bytes of stack; one for each CPU,
 * since an iterator's program does not migrate while it runs. */
struct rt_record {
	struct rt_holder holder;
	char path[RT_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rt_record);
} rt_scratch SEC(".maps");

/* Iterators also put what they find into the map of orphans. */
const volatile bool rt_bootstrap = false;

/* Of struct file, among the kernel's types. */
const volatile __u32 rt_id_file = 0;

/* Somebody reads the ring buffer. */
bool rt_streaming = false;

/* fentry: each hook has three programs; and so has that of releases. */
const volatile bool rt_looks_again = false;
const volatile bool rt_releases_again = false;

/* fentry: a stacked filesystem was called once, so that rt_calls has to be asked: one that makes
 * its own calls by other credentials than its caller's, or one that does not. */
enum { RT_STACKED_AS_OTHER = 1, RT_STACKED_AS_CALLER = 2 };
__u8 rt_stacked = 0;

/* tp_btf: a change was announced and not yet looked at. */
bool rt_change_pending = false;

/* fentry: what a hook's first program has looked at, until the last comes; by thread. One is
 * in use for the time between the two: that threads with the same lower 14 bits are
 * there at once is rare, and counted. */
#define RT_MARKS 16384
__u64 rt_marks[RT_MARKS];

/* The last orphan that found no room in the map. */
__u64 rt_lost_key = 0, rt_lost_task = 0, rt_lost_ns = 0;

static __always_inline struct rt_stats *stats(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&rt_stats_map, &zero);
}

#define RT_COUNT(counter)                                                                \
	do {                                                                             \
		struct rt_stats *stats_ = stats();                                       \
		if (stats_)                                                              \
			__sync_fetch_and_add(&stats_->counter, 1);                       \
	} while (0)

#endif

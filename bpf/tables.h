/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The quick way to the fds: one call walks a whole table, where iter/task_file makes a
 * call for each fd, and takes and gives back a reference. Programs, of which one is
 * loaded at the most:
 *
 *   iter/task   rt_iter_tables       bpf_loop() (5.17, e6f2dd0f8067) and iterators of a
 *                                    single task (6.1, f0d74c4da1f0)
 *   iter/task   rt_iter_tables_cast  with bpf_rdonly_cast() (6.2, a35b9af4ec2c), by which
 *                                    a member is a load and not a call
 *
 * No reference is held on what is read: files and dentries are freed after an RCU grace
 * period, or stay files (SLAB_TYPESAFE_BY_RCU, 0ede61d8589c), and an iterator's program
 * runs inside of one. A slot is looked at again when its record is made.
 *
 * What a task writes has to fit into the iterator's buffer (32 KiB, bpf_iter_open), since
 * the kernel would start the task over. A table with more than RT_MAX_HITS orphans is
 * therefore named and not told, and the loader asks rt_iter_files for it.
 */
#ifndef RELINKTRACE_TABLES_H
#define RELINKTRACE_TABLES_H

/* Slots that one word of fdtable.open_fds tells of; max_fds is a multiple of it
 * (alloc_fdtable, fs/file.c). */
#define RT_WORD 64

/* Places for the hits of one table; with the records of mappings and the like a task
 * stays below 32 KiB. */
#define RT_MAX_HITS 128

struct rt_walk {
	struct file *slots[RT_WORD];
	__u32 hits[RT_MAX_HITS];
	__u32 n_hits;
};

/* One for each CPU, as rt_scratch. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rt_walk);
} rt_walks SEC(".maps");

/* Of the table that is walked; on the stack of the program that walks it. */
struct rt_table {
	struct file **slots;
	unsigned long *open_fds;
};

extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

enum rt_slot { RT_SLOT_DULL, RT_SLOT_ORPHAN, RT_SLOT_PSEUDO };

/* Whether @file is an orphan, or one of the files without any name, among which sockets
 * are, or neither. */
static __always_inline enum rt_slot slot_look(struct file *file, bool cast)
{
	struct dentry *dentry, *parent;

	if (cast) {
		file = bpf_rdonly_cast(file, rt_id_file);
		dentry = file->f_path.dentry;
		if (!dentry || dentry->d_hash.pprev)
			return RT_SLOT_DULL;
		parent = dentry->d_parent;
	} else {
		dentry = BPF_CORE_READ(file, f_path.dentry);
		if (!dentry || BPF_CORE_READ(dentry, d_hash.pprev))
			return RT_SLOT_DULL;
		parent = BPF_CORE_READ(dentry, d_parent);
	}
	return parent == dentry ? RT_SLOT_PSEUDO : RT_SLOT_ORPHAN;
}

/* What is to be told about a file without a name: sent over it, or registered with it. */
static __always_inline __u32 walk_pseudo(struct file *file, struct task_struct *task,
					 struct seq_file *seq, __u32 fd)
{
	__u32 found = walk_queue(file, task, seq, fd);

	return found ? found : walk_ring(file, task, seq, fd);
}

/* Whether the file without a name at @address has something to be told. A global function:
 * verified once, and not again for each slot of a word. */
__noinline __u32 pseudo_is_hit(__u64 address)
{
	return walk_pseudo((struct file *)address, NULL, NULL, 0);
}

/* Whether there is something to be told about @file. */
static __always_inline bool slot_is_hit(struct file *file, bool cast)
{
	switch (slot_look(file, cast)) {
	case RT_SLOT_DULL:
		return false;
	case RT_SLOT_ORPHAN:
		return true;
	case RT_SLOT_PSEUDO:
		break;
	}
	return pseudo_is_hit((__u64)file);
}

/* Notes the orphans among the slots of word @index. 1 ends the walk. */
static __always_inline long walk_word(__u32 index, const struct rt_table *table,
				      bool cast)
{
	struct rt_walk *walk;
	unsigned long open = 0;
	__u32 zero = 0;

	bpf_probe_read_kernel(&open, sizeof(open), table->open_fds + index);
	walk = bpf_map_lookup_elem(&rt_walks, &zero);
	if (!open || !walk)
		return 0;
	if (bpf_probe_read_kernel(walk->slots, sizeof(walk->slots),
				  table->slots + index * RT_WORD))
		return 0;
	for (__u32 i = 0; i < RT_WORD; i++) {
		if (!walk->slots[i] || !slot_is_hit(walk->slots[i], cast))
			continue;
		if (walk->n_hits >= RT_MAX_HITS) {
			walk->n_hits = RT_MAX_HITS + 1;
			return 1;
		}
		walk->hits[walk->n_hits & (RT_MAX_HITS - 1)] = index * RT_WORD + i;
		walk->n_hits++;
	}
	return 0;
}

static long walk_by_read(__u32 index, void *table)
{
	return walk_word(index, table, false);
}

static long walk_by_cast(__u32 index, void *table)
{
	return walk_word(index, table, true);
}

/* What tell_hit() needs besides the index. */
struct rt_teller {
	struct task_struct *task;
	struct seq_file *seq;
	struct file **slots;
};

/* The record of the hit @index. */
static __always_inline long tell_hit(__u32 index, const struct rt_teller *teller,
				     bool cast)
{
	struct file *file = NULL, *again = NULL;
	struct rt_record *record;
	struct rt_walk *walk;
	__u32 fd, zero = 0;

	walk = bpf_map_lookup_elem(&rt_walks, &zero);
	if (!walk)
		return 1;
	fd = walk->hits[index & (RT_MAX_HITS - 1)];
	bpf_probe_read_kernel(&file, sizeof(file), teller->slots + fd);
	if (!file)
		return 0;
	if (slot_look(file, false) != RT_SLOT_ORPHAN) {
		walk_pseudo(file, teller->task, teller->seq, fd);
		return 0;
	}
	if (cast) {
		file = bpf_rdonly_cast(file, rt_id_file);
		record = record_start(teller->task, false, file->f_path.dentry, true,
				      file->f_path.mnt, RT_HOLDER_FD);
	} else {
		record = record_begin(teller->task, BPF_CORE_READ(file, f_path.dentry),
				      BPF_CORE_READ(file, f_path.mnt), RT_HOLDER_FD);
	}
	if (!record)
		return 0;
	record_file(&record->holder, file, cast);
	record->holder.fd = fd;
	if (fd_is_cloexec(teller->task, fd, false))
		record->holder.flags |= RT_HOLDER_CLOEXEC;
	bpf_probe_read_kernel(&again, sizeof(again), teller->slots + fd);
	if (again == file)
		record_send(teller->seq, record);
	return 0;
}

static long tell_by_read(__u32 index, void *teller)
{
	return tell_hit(index, teller, false);
}

static long tell_by_cast(__u32 index, void *teller)
{
	return tell_hit(index, teller, true);
}

/* The record that names a table with too many. */
static __always_inline void tell_crowded(struct seq_file *seq, struct task_struct *task)
{
	struct rt_record *record;
	__u32 zero = 0;

	record = bpf_map_lookup_elem(&rt_scratch, &zero);
	if (!record)
		return;
	__builtin_memset(&record->holder, 0, sizeof(record->holder));
	record->holder.kind = RT_HOLDER_CROWDED;
	record->holder.pid = task_pid_in_ns(BPF_CORE_READ(task, group_leader), false);
	record->holder.tid = task_pid_in_ns(task, false);
	record_send(seq, record);
}

static __always_inline int walk_table(struct bpf_iter__task *ctx, bool cast)
{
	struct task_struct *task = ctx->task;
	struct files_struct *files;
	struct rt_teller teller;
	struct rt_table table;
	struct fdtable *fdt;
	struct rt_walk *walk;
	__u32 zero = 0, words;

	if (!task)
		return 0;
	files = BPF_CORE_READ(task, files);
	if (!files || (task != task->group_leader &&
		       files == BPF_CORE_READ(task, group_leader, files)))
		return 0;
	walk = bpf_map_lookup_elem(&rt_walks, &zero);
	if (!walk)
		return 0;
	walk->n_hits = 0;
	fdt = BPF_CORE_READ(files, fdt);
	table.slots = BPF_CORE_READ(fdt, fd);
	table.open_fds = BPF_CORE_READ(fdt, open_fds);
	words = BPF_CORE_READ(fdt, max_fds) / RT_WORD;
	if (cast)
		bpf_loop(words, walk_by_cast, &table, 0);
	else
		bpf_loop(words, walk_by_read, &table, 0);
	if (walk->n_hits > RT_MAX_HITS) {
		tell_crowded(ctx->meta->seq, task);
		return 0;
	}
	if (!walk->n_hits)
		return 0;
	teller.task = task;
	teller.seq = ctx->meta->seq;
	teller.slots = table.slots;
	if (cast)
		bpf_loop(walk->n_hits, tell_by_cast, &teller, 0);
	else
		bpf_loop(walk->n_hits, tell_by_read, &teller, 0);
	return 0;
}

SEC("iter/task")
int rt_iter_tables(struct bpf_iter__task *ctx)
{
	return walk_table(ctx, false);
}

SEC("iter/task")
int rt_iter_tables_cast(struct bpf_iter__task *ctx)
{
	return walk_table(ctx, true);
}

#endif

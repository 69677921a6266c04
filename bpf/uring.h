/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are registered with an io_uring (IORING_REGISTER_FILES): the ring holds them
 * when their fds are closed. They are found behind the ring's own fd, by the walk of
 * bpf/tables.h.
 */
#ifndef RELINKTRACE_URING_H
#define RELINKTRACE_URING_H

/* What the kernel calls a ring's dentry (io_uring_get_file). */
#define RT_URING_NAME "[io_uring]"

/* The low bits of file_ptr are flags (FFS_MASK and io_slot_file(), io_uring/filetable.h). */
#define RT_URING_FLAGS 7UL

/* IORING_MAX_FIXED_FILES, io_uring/rsrc.h. */
#define RT_MAX_REGISTERED (1U << 20)

/* An array of pointers with flags until 6.12; from 6.13 nodes have them (7029acd8a950
 * "io_uring/rsrc: get rid of per-ring io_rsrc_node list", a85f31052bce). */
struct io_fixed_file___slots {
	unsigned long file_ptr;
} __attribute__((preserve_access_index));

struct io_file_table___slots {
	struct io_fixed_file___slots *files;
} __attribute__((preserve_access_index));

struct io_ring_ctx___slots {
	struct io_file_table___slots file_table;
	unsigned int nr_user_files;
} __attribute__((preserve_access_index));

struct rt_ring {
	struct task_struct *task;
	struct seq_file *seq; /* NULL: only find out whether there is an orphan */
	void *slots;	      /* of 8 bytes each */
	bool has_nodes;	      /* what they point to */
	__u32 fd;
	__u32 found;
};

static __always_inline bool file_is_ring(struct file *file)
{
	char name[sizeof(RT_URING_NAME)] = {};

	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (__u32 i = 0; i < sizeof(name); i++)
		if (name[i] != RT_URING_NAME[i])
			return false;
	return true;
}

static long ring_slot(__u32 index, void *data)
{
	struct rt_ring *ring = data;
	unsigned long pointer = 0;
	struct rt_record *record;
	struct dentry *dentry;
	struct file *file;

	bpf_probe_read_kernel(&pointer, sizeof(pointer),
			      ring->slots + (__u64)index * sizeof(pointer));
	/* The first is a constant to every verifier: 6.12 does not know has_nodes for one,
	 * and its nodes have no such member. */
	if (bpf_core_field_exists(struct io_rsrc_node, file_ptr) && ring->has_nodes &&
	    pointer)
		pointer = BPF_CORE_READ((struct io_rsrc_node *)pointer, file_ptr);
	file = (struct file *)(pointer & ~RT_URING_FLAGS);
	if (!file)
		return 0;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	if (!dentry || !dentry_is_unlinked(dentry))
		return 0;
	ring->found++;
	if (!ring->seq)
		return 1;
	record = record_begin(ring->task, dentry, BPF_CORE_READ(file, f_path.mnt),
			      RT_HOLDER_URING);
	if (!record)
		return 0;
	record->holder.file = (__u64)file;
	record->holder.fd = ring->fd;
	record->holder.open_flags = BPF_CORE_READ(file, f_flags);
	record->holder.pos = BPF_CORE_READ(file, f_pos);
	record_send(ring->seq, record);
	return 0;
}

/* As walk_queue(), for what is registered with the ring @file. */
static __always_inline __u32 walk_ring(struct file *file, struct task_struct *task,
				       struct seq_file *seq, __u32 fd)
{
	struct rt_ring ring;
	void *ctx;
	__u32 n = 0;

	if (!file_is_ring(file))
		return 0;
	__builtin_memset(&ring, 0, sizeof(ring));
	ring.task = task;
	ring.seq = seq;
	ring.fd = fd;
	ctx = BPF_CORE_READ(file, private_data);
	if (bpf_core_field_exists(struct io_ring_ctx, file_table.data.nodes)) {
		n = BPF_CORE_READ((struct io_ring_ctx *)ctx, file_table.data.nr);
		ring.slots =
			BPF_CORE_READ((struct io_ring_ctx *)ctx, file_table.data.nodes);
		ring.has_nodes = true;
	} else if (bpf_core_field_exists(struct io_ring_ctx___slots, nr_user_files)) {
		n = BPF_CORE_READ((struct io_ring_ctx___slots *)ctx, nr_user_files);
		ring.slots = BPF_CORE_READ((struct io_ring_ctx___slots *)ctx,
					   file_table.files);
	}
	if (n && n <= RT_MAX_REGISTERED && ring.slots)
		bpf_loop(n, ring_slot, &ring, 0);
	return ring.found;
}

#endif

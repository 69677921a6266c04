/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What no task holds, told through an fd that the reader has opened on it for that
 * purpose: the file behind a loop device, and an unlinked file that is mounted. Program:
 *
 *   iter/task_file  rt_iter_ours   the reader's own fds
 */
#ifndef RELINKTRACE_OURS_H
#define RELINKTRACE_OURS_H

/* include/uapi/linux/stat.h, include/uapi/linux/major.h, include/linux/kdev_t.h */
#define RT_S_IFBLK    0060000
#define RT_LOOP_MAJOR 7
#define RT_MINORBITS  20

/* O_PATH, include/uapi/asm-generic/fcntl.h: such an fd is of the node, no device is open
 * behind it. */
#define RT_O_PATH 010000000

/* drivers/block/loop.c; a module's on many kernels, which before 5.11 have no types of
 * modules (36e68442d1af "bpf: Load and verify kernel module BTFs"). */
struct loop_device {
	struct file *lo_backing_file;
} __attribute__((preserve_access_index));

static __always_inline bool file_is_loop(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	return (BPF_CORE_READ(inode, i_mode) & RT_S_IFMT) == RT_S_IFBLK &&
	       BPF_CORE_READ(inode, i_rdev) >> RT_MINORBITS == RT_LOOP_MAJOR &&
	       !(BPF_CORE_READ(file, f_flags) & RT_O_PATH);
}

/* The file behind the loop device that @file is open on; NULL. */
static __always_inline struct file *loop_backing_file(struct file *file)
{
	/* I_BDEV(), block/bdev.c: the inode is a member beside the device. */
	struct bdev_inode *inode = (void *)BPF_CORE_READ(file, f_mapping, host) -
				   bpf_core_field_offset(struct bdev_inode, vfs_inode);
	struct loop_device *loop;

	if (!bpf_core_type_exists(struct loop_device))
		return NULL;
	loop = BPF_CORE_READ(inode, bdev.bd_disk, private_data);
	return BPF_CORE_READ(loop, lo_backing_file);
}

SEC("iter/task_file")
int rt_iter_ours(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file, *held;
	struct rt_record *record;
	struct dentry *dentry;
	bool is_loop;

	if (!task || !file || task->tgid != bpf_get_current_pid_tgid() >> 32)
		return 0;
	is_loop = file_is_loop(file);
	held = is_loop ? loop_backing_file(file) : file;
	dentry = BPF_CORE_READ(held, f_path.dentry);
	if (!dentry || !dentry_is_unlinked(dentry))
		return 0;
	record = record_begin(task, dentry, BPF_CORE_READ(held, f_path.mnt),
			      is_loop ? RT_HOLDER_LOOP : RT_HOLDER_MOUNT);
	if (!record)
		return 0;
	record->holder.fd = ctx->fd;
	record_send(ctx->meta->seq, record);
	return 0;
}

#endif

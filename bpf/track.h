/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Births and releases. Hooks, the same set by fentry/fexit and by kprobe/kretprobe:
 *
 *   vfs_unlink              after a successful call the dentry is unhashed, and it still
 *                           has its inode exactly when somebody uses it (d_delete,
 *                           fs/dcache.c): one look tells an orphan from any other file
 *   d_delete                the same for directories, at its entry: in use is what has
 *                           more than the caller's reference. vfs_rmdir itself, which
 *                           calls it last, is hooked for stacked filesystems only, since
 *                           compilers split it (5.10 has vfs_rmdir.part.0, and whole
 *                           calls that never pass vfs_rmdir). Deleted btrfs subvolumes
 *                           come this way too.
 *   vfs_rename              the replaced target is unhashed by d_move and keeps its inode
 *   vfs_tmpfile             O_TMPFILE makes a file that never had a name
 *   dentry_unlink_inode     the last reference to an unlinked dentry goes: that is the
 *                           release, whoever held it and whatever nlink says
 *
 * Nothing is hooked on open, read, write or plain close.
 *
 * Entry hooks are there for stacked filesystems (overlay): their own call is the event,
 * the call that they make on the filesystem below is not. What decides at return is the
 * dentry's state, not the returned value, whose place differs between kernels.
 */
#ifndef RELINKTRACE_TRACK_H
#define RELINKTRACE_TRACK_H

/* include/uapi/asm-generic/fcntl.h, include/uapi/linux/stat.h */
#define RT_O_TMPFILE 020000000
#define RT_S_IFMT    0170000
#define RT_S_IFDIR   0040000

static __always_inline void event_send(__u32 type, __u64 key,
				       const struct rt_orphan *orphan)
{
	struct rt_event *event;

	if (!rt_streaming)
		return;
	event = bpf_ringbuf_reserve(&rt_events, sizeof(*event), 0);
	if (!event) {
		RT_COUNT(lost_events);
		return;
	}
	event->type = type;
	event->pad = 0;
	event->when_ns = bpf_ktime_get_boot_ns();
	event->key = key;
	__builtin_memcpy(&event->orphan, orphan, sizeof(event->orphan));
	bpf_ringbuf_submit(event, 0);
}

/* Puts an orphan of the current task's making into the map. Its name is that of its
 * process, as pid is: a worker of an io_uring (iou-wrk-PID) is a thread of the process
 * that asked for it. */
static __always_inline void orphan_record(__u64 key, struct inode *inode, __u16 flags)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct rt_orphan orphan;

	__builtin_memset(&orphan, 0, sizeof(orphan));
	orphan_identify(&orphan, inode);
	orphan.unlinked_ns = bpf_ktime_get_boot_ns();
	orphan.cgroup_id = bpf_get_current_cgroup_id();
	orphan.pid = bpf_get_current_pid_tgid() >> 32;
	orphan.flags = flags;
	BPF_CORE_READ_STR_INTO(&orphan.comm, task, group_leader, comm);
	if (bpf_map_update_elem(&rt_orphans, &key, &orphan, BPF_ANY)) {
		RT_COUNT(lost_full);
		/* Wakes whoever streams: its look finds the orphan by its holders. */
		event_send(RT_EVENT_CHANGED, key, &orphan);
		return;
	}
	RT_COUNT(born);
	event_send(RT_EVENT_BORN, key, &orphan);
}

static __always_inline void orphan_release(__u64 key)
{
	struct rt_orphan *known, orphan;

	known = bpf_map_lookup_elem(&rt_orphans, &key);
	if (!known)
		return;
	__builtin_memcpy(&orphan, known, sizeof(orphan));
	if (bpf_map_delete_elem(&rt_orphans, &key))
		return;
	RT_COUNT(released);
	event_send(RT_EVENT_RELEASED, key, &orphan);
}

/* After unlink, rmdir or rename: an orphan when the name is gone, and somebody besides
 * the caller, who still has a reference, uses the dentry. */
static __always_inline bool dentry_is_orphaned(struct dentry *dentry)
{
	return dentry_is_unlinked(dentry) && BPF_CORE_READ(dentry, d_inode) &&
	       BPF_CORE_READ(dentry, d_lockref.count) > 1 && dentry_is_counted(dentry);
}

static __always_inline void dentry_lost_name(struct dentry *dentry)
{
	if (dentry_is_orphaned(dentry))
		orphan_record((__u64)dentry, BPF_CORE_READ(dentry, d_inode), 0);
}

static __always_inline void tmpfile_made(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	if (inode && dentry_is_unlinked(dentry))
		orphan_record((__u64)dentry, inode, RT_ORPHAN_TMPFILE);
}

/* The file that vfs_tmpfile filled: only those that a program asked for. */
static __always_inline void tmpfile_opened(struct file *file)
{
	if (!(BPF_CORE_READ(file, f_flags) & RT_O_TMPFILE) ||
	    (BPF_CORE_READ(file, f_mode) & RT_FMODE_NOACCOUNT))
		return;
	tmpfile_made(BPF_CORE_READ(file, f_path.dentry));
}

/* Errors are returned as pointers (include/linux/err.h). */
static __always_inline bool is_error(__u64 pointer)
{
	return !pointer || pointer >= (__u64)-4095;
}

/* ---- fentry and fexit ---- */

static __always_inline void fentry_enter(struct dentry *dentry)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call call = {.object = (__u64)dentry};

	if (!dentry || !dentry_is_stacked(dentry))
		return;
	/* Overlay on overlay: the outermost call stays. */
	if (bpf_map_lookup_elem(&rt_calls, &tid))
		return;
	if (bpf_map_update_elem(&rt_calls, &tid, &call, BPF_NOEXIST))
		RT_COUNT(lost_nested);
}

static __always_inline void fexit_leave(struct dentry *dentry)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call *call;

	if (!dentry)
		return;
	if (dentry_is_stacked(dentry)) {
		call = bpf_map_lookup_elem(&rt_calls, &tid);
		if (call && call->object != (__u64)dentry)
			return;
		bpf_map_delete_elem(&rt_calls, &tid);
		dentry_lost_name(dentry);
		return;
	}
	/* Few files are in use when they are unlinked: look at the dentry first. */
	if (dentry_is_orphaned(dentry) && !bpf_map_lookup_elem(&rt_calls, &tid))
		dentry_lost_name(dentry);
}

/* The end of a call that was only remembered. */
static __always_inline void fexit_forget(struct dentry *dentry)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call *call;

	if (!dentry || !dentry_is_stacked(dentry))
		return;
	call = bpf_map_lookup_elem(&rt_calls, &tid);
	if (call && call->object == (__u64)dentry)
		bpf_map_delete_elem(&rt_calls, &tid);
}

/* d_delete() is about to unhash what is used by others, and to release what is not. When
 * the others let go meanwhile, the release hook follows and takes the entry out again. */
static __always_inline void directory_deleted(struct dentry *dentry)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call *call;
	struct inode *inode;

	if (!dentry || BPF_CORE_READ(dentry, d_lockref.count) <= 1)
		return;
	inode = BPF_CORE_READ(dentry, d_inode);
	if (!inode || (BPF_CORE_READ(inode, i_mode) & RT_S_IFMT) != RT_S_IFDIR ||
	    !dentry_is_counted(dentry))
		return;
	call = bpf_map_lookup_elem(&rt_calls, &tid);
	if (call && call->object != (__u64)dentry)
		return;
	orphan_record((__u64)dentry, inode,
		      rt_rmdir_is_split ? RT_ORPHAN_MAYBE_LOWER : 0);
}

static __always_inline struct dentry *rename_target(const void *ctx)
{
	if (rt_rename_has_data) {
		struct renamedata *data = (void *)ctx_arg(ctx, 0);

		return BPF_CORE_READ(data, new_dentry);
	}
	return (void *)ctx_arg(ctx, rt_arg_rename);
}

SEC("fentry/vfs_unlink")
int rt_fe_unlink(void *ctx)
{
	fentry_enter((void *)ctx_arg(ctx, rt_arg_unlink));
	return 0;
}

SEC("fexit/vfs_unlink")
int rt_fx_unlink(void *ctx)
{
	fexit_leave((void *)ctx_arg(ctx, rt_arg_unlink));
	return 0;
}

SEC("fentry/vfs_rmdir")
int rt_fe_rmdir(void *ctx)
{
	fentry_enter((void *)ctx_arg(ctx, rt_arg_rmdir));
	return 0;
}

SEC("fexit/vfs_rmdir")
int rt_fx_rmdir(void *ctx)
{
	fexit_forget((void *)ctx_arg(ctx, rt_arg_rmdir));
	return 0;
}

SEC("fentry/d_delete")
int rt_fe_delete(void *ctx)
{
	directory_deleted((void *)ctx_arg(ctx, 0));
	return 0;
}

SEC("fentry/vfs_rename")
int rt_fe_rename(void *ctx)
{
	fentry_enter(rename_target(ctx));
	return 0;
}

SEC("fexit/vfs_rename")
int rt_fx_rename(void *ctx)
{
	fexit_leave(rename_target(ctx));
	return 0;
}

SEC("fexit/vfs_tmpfile")
int rt_fx_tmpfile(void *ctx)
{
	if (rt_arg_tmpfile != RT_ARG_NONE) {
		tmpfile_opened((void *)ctx_arg(ctx, rt_arg_tmpfile));
	} else {
		__u64 dentry = ctx_arg(ctx, rt_ret_tmpfile);

		if ((ctx_arg(ctx, rt_arg_tmpfile_flags) & RT_O_TMPFILE) &&
		    !is_error(dentry))
			tmpfile_made((void *)dentry);
	}
	return 0;
}

SEC("fentry/dentry_unlink_inode")
int rt_fe_release(void *ctx)
{
	orphan_release(ctx_arg(ctx, 0));
	return 0;
}

/* ---- kprobe and kretprobe ---- */

/* Remembers a call for its return. A call inside another of the same thread runs on a
 * lower stack; a record that is not above us was left by a return that was missed. */
static __always_inline void kprobe_enter(const struct pt_regs *regs, __u64 object)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call call = {.object = object, .sp = regs_sp(regs)};
	struct rt_call *outer = bpf_map_lookup_elem(&rt_calls, &tid);

	if (outer && outer->sp > call.sp)
		return;
	if (bpf_map_update_elem(&rt_calls, &tid, &call, BPF_ANY))
		RT_COUNT(lost_nested);
}

/* The object of the outermost call when it is that one which returns, else 0. A return
 * probe sees the stack pointer within a few words of what it was at entry; a nested call
 * is further away by whole frames. */
static __always_inline __u64 kprobe_leave(const struct pt_regs *regs)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call *call = bpf_map_lookup_elem(&rt_calls, &tid);
	__u64 object;

	if (!call || regs_sp(regs) + 64 < call->sp)
		return 0;
	object = call->object;
	bpf_map_delete_elem(&rt_calls, &tid);
	return object;
}

static __always_inline void kretprobe_lost_name(const struct pt_regs *regs)
{
	struct dentry *dentry = (void *)kprobe_leave(regs);

	if (dentry)
		dentry_lost_name(dentry);
}

SEC("kprobe/vfs_unlink")
int rt_kp_unlink(struct pt_regs *regs)
{
	kprobe_enter(regs, regs_arg(regs, rt_arg_unlink));
	return 0;
}

SEC("kretprobe/vfs_unlink")
int rt_kr_unlink(struct pt_regs *regs)
{
	kretprobe_lost_name(regs);
	return 0;
}

SEC("kprobe/vfs_rmdir")
int rt_kp_rmdir(struct pt_regs *regs)
{
	kprobe_enter(regs, regs_arg(regs, rt_arg_rmdir));
	return 0;
}

SEC("kretprobe/vfs_rmdir")
int rt_kr_rmdir(struct pt_regs *regs)
{
	kprobe_leave(regs);
	return 0;
}

SEC("kprobe/d_delete")
int rt_kp_delete(struct pt_regs *regs)
{
	directory_deleted((void *)regs_arg(regs, 0));
	return 0;
}

SEC("kprobe/vfs_rename")
int rt_kp_rename(struct pt_regs *regs)
{
	if (rt_rename_has_data) {
		struct renamedata *data = (void *)regs_arg(regs, 0);

		kprobe_enter(regs, (__u64)BPF_CORE_READ(data, new_dentry));
	} else {
		kprobe_enter(regs, regs_arg(regs, rt_arg_rename));
	}
	return 0;
}

SEC("kretprobe/vfs_rename")
int rt_kr_rename(struct pt_regs *regs)
{
	kretprobe_lost_name(regs);
	return 0;
}

SEC("kprobe/vfs_tmpfile")
int rt_kp_tmpfile(struct pt_regs *regs)
{
	__u8 index =
		rt_arg_tmpfile != RT_ARG_NONE ? rt_arg_tmpfile : rt_arg_tmpfile_flags;

	kprobe_enter(regs, regs_arg(regs, index));
	return 0;
}

SEC("kretprobe/vfs_tmpfile")
int rt_kr_tmpfile(struct pt_regs *regs)
{
	__u64 object = kprobe_leave(regs);
	__u64 returned = regs_return(regs);

	if (!object)
		return 0;
	if (rt_arg_tmpfile != RT_ARG_NONE)
		tmpfile_opened((void *)object);
	else if ((object & RT_O_TMPFILE) && !is_error(returned))
		tmpfile_made((void *)returned);
	return 0;
}

SEC("kprobe/dentry_unlink_inode")
int rt_kp_release(struct pt_regs *regs)
{
	orphan_release(regs_arg(regs, 0));
	return 0;
}

#endif

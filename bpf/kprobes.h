/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The same as fentry.h by kprobe and kretprobe. A return probe is not to be relied on: the
 * kernel has a fixed number of calls that it can wait for (register_kretprobe() in
 * kernel/kprobes.c: one a processor before 6.0 without CONFIG_PREEMPTION, else 10 or two a
 * processor), and does not tell of those that it left out. Therefore what has to be seen is
 * seen at an entry, just before it happens:
 *
 *   d_delete     called last by vfs_unlink and vfs_rmdir
 *   d_move       of vfs_rename: its second argument is the replaced target
 *   d_tmpfile    of most filesystems' O_TMPFILE; of FUSE and overlay vfs_tmpfile's return
 *
 * What nobody uses then may be opened before it is unhashed, and is recorded as well, as
 * RT_ORPHAN_IDLE: mostly it is released a moment later. The returns look again, and tell
 * what was idle and stayed.
 */
#ifndef RELINKTRACE_KPROBES_H
#define RELINKTRACE_KPROBES_H

/* Key of an O_TMPFILE in the map of calls: it can have other calls inside of it. */
#define RT_CALL_TMPFILE (1U << 31)

/* Remembers a call for its return, and for what is called inside of it. */
static __always_inline void kprobe_enter(const struct pt_regs *regs, __u64 object)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call call = {.object = object, .sp = regs_sp(regs)};

	if (is_beneath((void *)object))
		return;
	if (bpf_map_update_elem(&rt_calls, &tid, &call, BPF_ANY))
		RT_COUNT(lost_nested);
}

/* The object of the outermost call when it is that one which returns, else NULL. A return
 * probe sees the stack pointer within a few words of what it was at entry; a nested call
 * is further away by whole frames. */
static __always_inline struct dentry *kprobe_leave(const struct pt_regs *regs)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct rt_call *call = bpf_map_lookup_elem(&rt_calls, &tid);
	__u64 object;

	if (!call || regs_sp(regs) + 64 < call->sp)
		return NULL;
	object = call->object;
	bpf_map_delete_elem(&rt_calls, &tid);
	return (void *)object;
}

/* @dentry is about to lose its name. */
static __always_inline void dentry_loses_name(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	__u16 flags = 0;

	if (!inode || !dentry_is_counted(dentry) || is_beneath(dentry))
		return;
	if (rt_rmdir_is_split && inode_is_directory(inode))
		flags |= RT_ORPHAN_MAYBE_LOWER;
	if (BPF_CORE_READ(dentry, d_lockref.count) <= 1)
		flags |= RT_ORPHAN_IDLE;
	orphan_record((__u64)dentry, inode, flags);
}

static __always_inline void kretprobe_lost_name(const struct pt_regs *regs)
{
	struct dentry *dentry = kprobe_leave(regs);
	struct rt_orphan *known;

	if (!dentry || !dentry_is_orphaned(dentry))
		return;
	known = orphan_known((__u64)dentry, BPF_CORE_READ(dentry, d_inode));
	if (!known) {
		dentry_lost_name(dentry, 0);
	} else if (known->flags & RT_ORPHAN_IDLE) {
		known->flags &= ~RT_ORPHAN_IDLE;
		event_send(RT_EVENT_BORN, (__u64)dentry, known);
	}
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
	dentry_loses_name((void *)regs_arg(regs, 0));
	return 0;
}

SEC("kprobe/d_move")
int rt_kp_move(struct pt_regs *regs)
{
	dentry_loses_name((void *)regs_arg(regs, 1));
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

/* Of a program's own O_TMPFILE: what overlay makes for itself inside of it, or while it
 * copies a file up, is none. */
SEC("kprobe/vfs_tmpfile")
int rt_kp_tmpfile(struct pt_regs *regs)
{
	bool has_file = rt_arg_tmpfile != RT_ARG_NONE;
	__u64 object = regs_arg(regs, has_file ? rt_arg_tmpfile : rt_arg_tmpfile_flags);
	__u32 key = (__u32)bpf_get_current_pid_tgid() | RT_CALL_TMPFILE;
	struct rt_call call = {.object = object};

	if (has_file ? file_is_tmpfile((void *)object) : (object & RT_O_TMPFILE)) {
		if (bpf_map_update_elem(&rt_calls, &key, &call, BPF_ANY))
			RT_COUNT(lost_nested);
	} else if (!has_file) {
		bpf_map_delete_elem(&rt_calls, &key);
	}
	return 0;
}

SEC("kretprobe/vfs_tmpfile")
int rt_kr_tmpfile(struct pt_regs *regs)
{
	__u32 key = (__u32)bpf_get_current_pid_tgid() | RT_CALL_TMPFILE;
	struct rt_call *call = bpf_map_lookup_elem(&rt_calls, &key);
	__u64 returned = regs_return(regs);

	if (!call)
		return 0;
	if (rt_arg_tmpfile != RT_ARG_NONE) {
		/* Nothing yet where it is a call inside of it that returns. */
		if (!tmpfile_opened((void *)call->object))
			return 0;
	} else if (!is_error(returned)) {
		tmpfile_made((void *)returned);
	}
	bpf_map_delete_elem(&rt_calls, &key);
	return 0;
}

/* Should the filesystem fail after this, the dentry is released with what it has. */
SEC("kprobe/d_tmpfile")
int rt_kp_filled(struct pt_regs *regs)
{
	__u32 key = (__u32)bpf_get_current_pid_tgid() | RT_CALL_TMPFILE;
	struct inode *inode = (void *)regs_arg(regs, 1);
	__u64 dentry = regs_arg(regs, 0);

	if (rt_arg_tmpfile != RT_ARG_NONE) {
		struct file *file = (void *)dentry;

		if (!file_is_tmpfile(file))
			return 0;
		dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
	} else if (!bpf_map_lookup_elem(&rt_calls, &key)) {
		return 0;
	}
	orphan_record(dentry, inode, RT_ORPHAN_TMPFILE);
	return 0;
}

SEC("kprobe/dentry_unlink_inode")
int rt_kp_release(struct pt_regs *regs)
{
	orphan_release(regs_arg(regs, 0));
	return 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Births and releases by fentry/fexit. Hooks:
 *
 *   d_delete                called last by vfs_unlink and vfs_rmdir, and by what removes a
 *                           name without them, as a btrfs subvolume. At return the dentry
 *                           is unhashed, and it still has its inode exactly when somebody
 *                           uses it (fs/dcache.c): one look tells an orphan from any other
 *                           file
 *   vfs_rename              the replaced target is unhashed by d_move and keeps its inode
 *   vfs_tmpfile             O_TMPFILE makes a file that never had a name
 *   dentry_unlink_inode     the last reference to an unlinked dentry goes: that is the
 *                           release, whoever held it and whatever nlink says
 *
 * Nothing is hooked on open, read, write or plain close.
 *
 * The entries of vfs_unlink, vfs_rmdir and vfs_rename are hooked for stacked filesystems
 * (overlay): their own call is the event, the call that they make on the filesystem below is
 * not. What decides at return is the dentry's state, not the returned value, whose place
 * differs between kernels.
 */
#ifndef RELINKTRACE_FENTRY_H
#define RELINKTRACE_FENTRY_H

/* Every unlink and rename passes these. The verifier knows what their arguments are, so
 * that a member is a load, where those of track.h call a helper. */

/* As dentry_is_stacked(). Both have operations for their dentries, which most filesystems have
 * not: then one load tells. */
static __always_inline bool typed_is_stacked(struct dentry *dentry)
{
	unsigned long magic;

	if (!dentry->d_op)
		return false;
	magic = dentry->d_sb->s_magic;
	return magic == OVERLAYFS_SUPER_MAGIC || magic == ECRYPTFS_SUPER_MAGIC;
}

/* As dentry_is_orphaned(), of one that has an inode, and was removed or replaced: none of
 * /proc is, and no root. */
static __always_inline bool typed_is_orphaned(struct dentry *dentry)
{
	return !dentry->d_hash.pprev && (int)dentry->d_lockref.count > 1;
}

/* Whether the current thread may be inside of a call of a stacked filesystem. Overlay makes its
 * calls on the layers as whoever mounted it (ovl_override_creds()), by credentials that no
 * task has for its own; eCryptfs as its caller. */
static __always_inline bool may_be_beneath(void)
{
	struct task_struct *task;

	if (!rt_stacked)
		return false;
	if (!rt_have_task_btf || rt_stacked == RT_STACKED_AS_CALLER)
		return true;
	task = bpf_get_current_task_btf();
	return task->cred != task->real_cred;
}

/* As orphan_record(), of @dentry, whose inode is @inode. */
static __always_inline void typed_record(struct dentry *dentry, struct inode *inode,
					 __u16 flags)
{
	struct task_struct *task;
	struct rt_orphan orphan;

	__builtin_memset(&orphan, 0, sizeof(orphan));
	orphan.inode = (__u64)inode;
	orphan.ino = inode->i_ino;
	orphan.dev = inode->i_sb->s_dev;
	orphan.generation = inode->i_generation;
	orphan.mode = inode->i_mode;
	orphan.unlinked_ns = bpf_ktime_get_boot_ns();
	orphan.flags = flags;
	if (rt_have_task_btf) {
		task = bpf_get_current_task_btf();
		orphan.pid = task->tgid;
		/* The helper is quicker than the loads that it takes. */
		orphan.cgroup_id = bpf_get_current_cgroup_id();
		__builtin_memcpy(orphan.comm, task->group_leader->comm, RT_COMM_LEN);
	} else {
		orphan_unlinker(&orphan);
	}
	orphan_put((__u64)dentry, inode, &orphan);
}

/* As dentry_lost_name(), unless it is of a filesystem below another. */
static __always_inline void typed_lost_name(struct dentry *dentry, bool is_rmdir_split)
{
	struct inode *inode = dentry->d_inode;
	__u16 flags = 0;

	if (!inode || !typed_is_orphaned(dentry) ||
	    (may_be_beneath() && is_beneath(dentry)))
		return;
	if (is_rmdir_split && (inode->i_mode & RT_S_IFMT) == RT_S_IFDIR)
		flags |= RT_ORPHAN_MAYBE_LOWER;
	typed_record(dentry, inode, flags);
}

/* Nobody takes out what fails, or is skipped at its end: what is there does not count without
 * the lock of its directory, and gives way to others, see rt_calls. */
static __always_inline void fentry_enter(struct dentry *dentry)
{
	struct rt_call call = {};
	__u32 tid;

	/* Overlay on overlay: the outermost call stays. */
	if (!dentry || !typed_is_stacked(dentry) || is_beneath(dentry))
		return;
	if (dentry->d_sb->s_magic == ECRYPTFS_SUPER_MAGIC)
		rt_stacked = RT_STACKED_AS_CALLER;
	else if (!rt_stacked)
		rt_stacked = RT_STACKED_AS_OTHER;
	tid = bpf_get_current_pid_tgid();
	call.object = (__u64)dentry;
	if (bpf_map_update_elem(&rt_calls, &tid, &call, BPF_ANY))
		RT_COUNT(lost_nested);
}

/* The end of a call that was remembered. */
static __always_inline void fexit_forget(struct dentry *dentry)
{
	struct rt_call *call;
	__u32 tid;

	if (!typed_is_stacked(dentry))
		return;
	tid = bpf_get_current_pid_tgid();
	call = bpf_map_lookup_elem(&rt_calls, &tid);
	if (call && call->object == (__u64)dentry)
		bpf_map_delete_elem(&rt_calls, &tid);
}

/* After a call by which @dentry may have lost its name. */
static __always_inline void fexit_leave(struct dentry *dentry, bool is_rmdir_split)
{
	if (!dentry)
		return;
	typed_lost_name(dentry, is_rmdir_split);
	if (rt_stacked)
		fexit_forget(dentry);
}

static __always_inline struct dentry *rename_target(const void *ctx)
{
	if (rt_rename_has_data) {
		struct renamedata *data = (void *)ctx_arg(ctx, 0);

		return data->new_dentry;
	}
	return (void *)ctx_arg(ctx, rt_arg_rename);
}

/* Whose dentry is the argument @arg. */
#define RT_THRICE_ARG(section, name, arg, look)                                          \
	RT_THRICE(section, name, event_of((void *)ctx_arg(ctx, arg)),                    \
		  look((void *)ctx_arg(ctx, arg)))

RT_THRICE_ARG("fentry/vfs_unlink", rt_fe_unlink, rt_arg_unlink, fentry_enter)

RT_THRICE_ARG("fentry/vfs_rmdir", rt_fe_rmdir, rt_arg_rmdir, fentry_enter)

RT_THRICE("fentry/vfs_rename", rt_fe_rename, event_of(rename_target(ctx)),
	  fentry_enter(rename_target(ctx)))

/* d_delete() has unhashed what is used by others, and released what is not. */
RT_THRICE("fexit/d_delete", rt_fx_delete, event_of((void *)ctx_arg(ctx, 0)),
	  fexit_leave((void *)ctx_arg(ctx, 0), rt_rmdir_is_split))

RT_THRICE("fexit/vfs_rename", rt_fx_rename, event_of(rename_target(ctx)),
	  fexit_leave(rename_target(ctx), false))

static __always_inline void fexit_tmpfile(const void *ctx)
{
	if (rt_arg_tmpfile != RT_ARG_NONE) {
		tmpfile_opened((void *)ctx_arg(ctx, rt_arg_tmpfile));
	} else {
		__u64 dentry = ctx_arg(ctx, rt_ret_tmpfile);

		if ((ctx_arg(ctx, rt_arg_tmpfile_flags) & RT_O_TMPFILE) &&
		    !is_error(dentry))
			tmpfile_made((void *)dentry);
	}
}

static __always_inline __u32 tmpfile_event(const void *ctx)
{
	struct file *file;

	/* Before there were preemptible kernels that skip programs. */
	if (rt_arg_tmpfile == RT_ARG_NONE)
		return 0;
	file = (void *)ctx_arg(ctx, rt_arg_tmpfile);
	return event_of(file->f_path.dentry);
}

RT_THRICE("fexit/vfs_tmpfile", rt_fx_tmpfile, tmpfile_event(ctx), fexit_tmpfile(ctx))

/* d_delete() calls it for what nobody else uses, which has its name still; the dentry of an
 * orphan has none. An inode without any name is looked for by deleting it at once. */
static __always_inline void fentry_release(struct dentry *dentry)
{
	__u64 key = (__u64)dentry;
	struct inode *inode;

	if (!dentry || dentry->d_hash.pprev)
		return;
	inode = dentry->d_inode;
	if (rt_streaming || !inode || inode->i_nlink)
		orphan_release(key);
	else if (!bpf_map_delete_elem(&rt_orphans, &key))
		RT_COUNT(released);
}

/* Called with the locks of dentry and inode, under which no task is held up, but by
 * PREEMPT_RT. */
RT_THRICE_IF(rt_releases_again, "fentry/dentry_unlink_inode", rt_fe_release,
	     event_of((void *)ctx_arg(ctx, 0)), fentry_release((void *)ctx_arg(ctx, 0)))

#endif

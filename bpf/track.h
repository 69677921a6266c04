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

/* What was recorded of @key already, if that is the same file. */
static __always_inline struct rt_orphan *orphan_known(__u64 key, struct inode *inode)
{
	struct rt_orphan *known = bpf_map_lookup_elem(&rt_orphans, &key);

	if (!known || known->inode != (__u64)inode ||
	    known->ino != BPF_CORE_READ(inode, i_ino) ||
	    known->generation != BPF_CORE_READ(inode, i_generation))
		return NULL;
	return known;
}

/* Who the current process is. Its name is as its pid is: a worker of an io_uring
 * (iou-wrk-PID) is a thread of the process that asked for it. @typed: loads will do. */
static __always_inline void orphan_unlinker(struct rt_orphan *orphan, bool typed)
{
	struct task_struct *task;

	if (typed && rt_have_task_btf) {
		task = bpf_get_current_task_btf();
		orphan->pid = task->tgid;
		__builtin_memcpy(orphan->comm, task->group_leader->comm, RT_COMM_LEN);
		return;
	}
	task = (void *)bpf_get_current_task();
	orphan->pid = bpf_get_current_pid_tgid() >> 32;
	task = BPF_CORE_READ(task, group_leader);
	bpf_probe_read_kernel_str(orphan->comm, RT_COMM_LEN, &task->comm);
}

/* Whether another program has counted the loss of @key, which the thread @task made at
 * @now: two look at each event, within 10 ms. To count it twice harms less than to leave
 * out the next one. */
static __always_inline bool loss_is_counted(__u64 key, __u64 task, __u64 now)
{
	bool counted = rt_lost_key == key && rt_lost_task == task &&
		       now - rt_lost_ns < 10 * 1000000;

	rt_lost_key = key;
	rt_lost_task = task;
	rt_lost_ns = now;
	return counted;
}

/* Puts an orphan of the current task's making into the map, if it is not there. @typed: see
 * orphan_identify(). */
static __always_inline void orphan_put(__u64 key, struct inode *inode, __u16 flags,
				       bool typed)
{
	bool counted = false;
	struct rt_orphan orphan;
	int err;

	__builtin_memset(&orphan, 0, sizeof(orphan));
	orphan_identify(&orphan, inode, typed);
	orphan.unlinked_ns = bpf_ktime_get_boot_ns();
	orphan.cgroup_id = bpf_get_current_cgroup_id();
	orphan.flags = flags;
	orphan_unlinker(&orphan, typed);
	err = bpf_map_update_elem(&rt_orphans, &key, &orphan, BPF_NOEXIST);
	if (err == -RT_EEXIST) {
		if (orphan_known(key, inode))
			return;
		/* Another file's, whose release was missed: it was counted. */
		counted = true;
		err = bpf_map_update_elem(&rt_orphans, &key, &orphan, BPF_ANY);
	}
	if (err) {
		if ((flags & RT_ORPHAN_IDLE) ||
		    loss_is_counted(key, bpf_get_current_pid_tgid(), orphan.unlinked_ns))
			return;
		RT_COUNT(lost_full);
		/* Wakes whoever streams: its look finds the orphan by its holders. */
		event_send(RT_EVENT_CHANGED, key, &orphan);
		return;
	}
	if (!counted)
		RT_COUNT(born);
	if (!(flags & RT_ORPHAN_IDLE))
		event_send(RT_EVENT_BORN, key, &orphan);
}

static __always_inline void orphan_record(__u64 key, struct inode *inode, __u16 flags)
{
	orphan_put(key, inode, flags, false);
}

static __always_inline void orphan_release(__u64 key)
{
	struct rt_orphan *known, orphan;

	known = bpf_map_lookup_elem(&rt_orphans, &key);
	if (!known)
		return;
	if (rt_streaming)
		__builtin_memcpy(&orphan, known, sizeof(orphan));
	else
		__builtin_memset(&orphan, 0, sizeof(orphan));
	if (bpf_map_delete_elem(&rt_orphans, &key))
		return;
	RT_COUNT(released);
	if (!(orphan.flags & RT_ORPHAN_IDLE))
		event_send(RT_EVENT_RELEASED, key, &orphan);
}

/* After unlink, rmdir or rename: an orphan when the name is gone, and somebody besides
 * the caller, who still has a reference, uses the dentry. */
static __always_inline bool dentry_is_orphaned(struct dentry *dentry)
{
	return dentry_is_unlinked(dentry) && BPF_CORE_READ(dentry, d_inode) &&
	       BPF_CORE_READ(dentry, d_lockref.count) > 1 && dentry_is_counted(dentry);
}

static __always_inline void dentry_lost_name(struct dentry *dentry, __u16 flags)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	if (dentry_is_orphaned(dentry) && !orphan_known((__u64)dentry, inode))
		orphan_record((__u64)dentry, inode, flags);
}

static __always_inline bool inode_is_directory(struct inode *inode)
{
	return (BPF_CORE_READ(inode, i_mode) & RT_S_IFMT) == RT_S_IFDIR;
}

static __always_inline bool tmpfile_made(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	if (!inode || !dentry_is_unlinked(dentry))
		return false;
	if (!orphan_known((__u64)dentry, inode))
		orphan_record((__u64)dentry, inode, RT_ORPHAN_TMPFILE);
	return true;
}

/* Whether a program asked for the file that vfs_tmpfile fills. */
static __always_inline bool file_is_tmpfile(struct file *file)
{
	return (BPF_CORE_READ(file, f_flags) & RT_O_TMPFILE) &&
	       !(BPF_CORE_READ(file, f_mode) & RT_FMODE_NOACCOUNT);
}

static __always_inline bool tmpfile_opened(struct file *file)
{
	return file_is_tmpfile(file) && tmpfile_made(BPF_CORE_READ(file, f_path.dentry));
}

/* Errors are returned as pointers (include/linux/err.h). */
static __always_inline bool is_error(__u64 pointer)
{
	return !pointer || pointer >= (__u64)-4095;
}

/* Whether the current thread removes @dentry on behalf of @call, of a filesystem above.
 * Each has the lock of its directory as long as it lasts: a record whose end was missed is
 * of none. */
static __always_inline bool call_is_around(const struct rt_call *call,
					   struct dentry *dentry)
{
	struct dentry *outer;
	struct inode *dir;

	if (!call || call->object == (__u64)dentry)
		return false;
	outer = (void *)call->object;
	if (BPF_CORE_READ(outer, d_sb) == BPF_CORE_READ(dentry, d_sb))
		return false;
	dir = BPF_CORE_READ(outer, d_parent, d_inode);
	return inode_is_locked_by_us(dir);
}

static __always_inline bool is_beneath(struct dentry *dentry)
{
	__u32 tid = bpf_get_current_pid_tgid();

	return call_is_around(bpf_map_lookup_elem(&rt_calls, &tid), dentry);
}

/*
 * ---- fentry and fexit ----
 *
 * From 5.12 on a program is skipped where a task comes to it while another is held up in it
 * on the same processor (ca06f55b9002 "bpf: Add per-program recursion prevention
 * mechanism"), as a preemptible kernel can have it (all of 7.x, others by preempt=full).
 * There each hook has two programs. What is attached last runs first (bpf_trampoline_link_prog()
 * adds it at the head): that is the one whose name ends in _2. It looks, and leaves a mark.
 * The other looks where it finds none, because the first was skipped, and counts that. So
 * nobody has seen what the first was skipped for, by the kernel's count, and the second not
 * alone: user/bpf/hooks.h. (To forbid that a program is held up, by bpf_preempt_disable(),
 * only moves that to where it is allowed again, which is still inside of the program.)
 */
#define RT_LOOK(section, name, look)                                                     \
	SEC(section)                                                                     \
	int name(void *ctx)                                                              \
	{                                                                                \
		look;                                                                    \
		return 0;                                                                \
	}

#define RT_TWICE(section, name, event, look)                                             \
	RT_LOOK(section, name, if (!take_mark(__LINE__, event)) look)                    \
	RT_LOOK(section, name##_2, look; leave_mark(__LINE__, event))

/* What tells @dentry from others that a thread comes to: not its address, which is the last
 * one's where that is gone. */
static __always_inline __u32 event_of(struct dentry *dentry)
{
	struct inode *inode = dentry ? dentry->d_inode : NULL;

	if (!inode)
		return 0;
	return inode->i_ino ^ inode->i_generation ^ dentry->d_name.hash;
}

/* A mark: the thread, and above it what it came to, since the mark of an event stays that the
 * other program was skipped for. @hook is one's own of each. */
static __always_inline __u64 mark_of(__u32 tid, __u32 hook, __u32 event)
{
	return (__u64)(event ^ hook) << 32 | tid;
}

static __always_inline void leave_mark(__u32 hook, __u32 event)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *mark = &rt_marks[tid % RT_MARKS];

	if (*mark && (__u32)*mark != tid)
		RT_COUNT(marks_lost);
	*mark = mark_of(tid, hook, event);
}

/* Whether the first program has looked at this event. */
static __always_inline bool take_mark(__u32 hook, __u32 event)
{
	__u64 *mark;
	__u32 tid;

	if (!rt_looks_twice)
		return false;
	tid = bpf_get_current_pid_tgid();
	mark = &rt_marks[tid % RT_MARKS];
	if (*mark != mark_of(tid, hook, event)) {
		RT_COUNT(seen_alone);
		return false;
	}
	*mark = 0;
	return true;
}

/* Every unlink and rename passes these. The verifier knows what their arguments are, so
 * that a member is a load, where the functions above call a helper. */

/* As dentry_is_stacked(). */
static __always_inline bool typed_is_stacked(struct dentry *dentry)
{
	unsigned long magic = dentry->d_sb->s_magic;

	return magic == OVERLAYFS_SUPER_MAGIC || magic == ECRYPTFS_SUPER_MAGIC;
}

/* As dentry_is_orphaned(). */
static __always_inline bool typed_is_orphaned(struct dentry *dentry)
{
	return !dentry->d_hash.pprev && dentry->d_parent != dentry && dentry->d_inode &&
	       (int)dentry->d_lockref.count > 1 &&
	       dentry->d_sb->s_magic != PROC_SUPER_MAGIC;
}

/* As dentry_lost_name(), unless it is of a filesystem below another. */
static __always_inline void typed_lost_name(struct dentry *dentry, __u16 flags)
{
	if (typed_is_orphaned(dentry) && !(rt_has_stacked && is_beneath(dentry)))
		orphan_put((__u64)dentry, dentry->d_inode, flags, true);
}

static __always_inline void fentry_enter(struct dentry *dentry)
{
	struct rt_call call = {};
	__u32 tid;

	/* Overlay on overlay: the outermost call stays. */
	if (!dentry || !typed_is_stacked(dentry) || is_beneath(dentry))
		return;
	rt_has_stacked = true;
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

	if (!dentry || !typed_is_stacked(dentry))
		return;
	tid = bpf_get_current_pid_tgid();
	call = bpf_map_lookup_elem(&rt_calls, &tid);
	if (call && call->object == (__u64)dentry)
		bpf_map_delete_elem(&rt_calls, &tid);
}

static __always_inline void fexit_leave(struct dentry *dentry)
{
	if (dentry)
		typed_lost_name(dentry, 0);
	fexit_forget(dentry);
}

/* d_delete() has unhashed what is used by others, and released what is not. */
static __always_inline void directory_deleted(struct dentry *dentry)
{
	if (dentry && dentry->d_inode &&
	    (dentry->d_inode->i_mode & RT_S_IFMT) == RT_S_IFDIR)
		typed_lost_name(dentry, rt_rmdir_is_split ? RT_ORPHAN_MAYBE_LOWER : 0);
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
#define RT_TWICE_ARG(section, name, arg, look)                                           \
	RT_TWICE(section, name, event_of((void *)ctx_arg(ctx, arg)),                     \
		 look((void *)ctx_arg(ctx, arg)))

RT_TWICE_ARG("fentry/vfs_unlink", rt_fe_unlink, rt_arg_unlink, fentry_enter)

RT_TWICE_ARG("fexit/vfs_unlink", rt_fx_unlink, rt_arg_unlink, fexit_leave)

RT_TWICE_ARG("fentry/vfs_rmdir", rt_fe_rmdir, rt_arg_rmdir, fentry_enter)

RT_TWICE_ARG("fexit/vfs_rmdir", rt_fx_rmdir, rt_arg_rmdir, fexit_forget)

RT_TWICE_ARG("fexit/d_delete", rt_fx_delete, 0, directory_deleted)

RT_TWICE("fentry/vfs_rename", rt_fe_rename, event_of(rename_target(ctx)),
	 fentry_enter(rename_target(ctx)))

RT_TWICE("fexit/vfs_rename", rt_fx_rename, event_of(rename_target(ctx)),
	 fexit_leave(rename_target(ctx)))

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

RT_TWICE("fexit/vfs_tmpfile", rt_fx_tmpfile, tmpfile_event(ctx), fexit_tmpfile(ctx))

/* d_delete() calls it for what nobody else uses, which has its name still; the dentry of an
 * orphan has none. An inode without any name is looked for by deleting it at once. */
static __always_inline void fentry_release(struct dentry *dentry)
{
	__u64 key = (__u64)dentry;

	if (!dentry || dentry->d_hash.pprev)
		return;
	if (rt_streaming || !dentry->d_inode || dentry->d_inode->i_nlink)
		orphan_release(key);
	else if (!bpf_map_delete_elem(&rt_orphans, &key))
		RT_COUNT(released);
}

RT_TWICE_ARG("fentry/dentry_unlink_inode", rt_fe_release, 0, fentry_release)

#endif

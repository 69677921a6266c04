/* SPDX-License-Identifier: GPL-2.0-only */
/* Births and releases, however they are hooked: fentry.h, kprobes.h, fallback.h. */
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
 * (iou-wrk-PID) is a thread of the process that asked for it. */
static __always_inline void orphan_unlinker(struct rt_orphan *orphan)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	orphan->pid = bpf_get_current_pid_tgid() >> 32;
	orphan->cgroup_id = bpf_get_current_cgroup_id();
	task = BPF_CORE_READ(task, group_leader);
	bpf_probe_read_kernel_str(orphan->comm, RT_COMM_LEN, &task->comm);
}

/* Whether another program has counted the loss of @key, which the thread @task made at
 * @now: three may look at each event, within 10 ms. To count it twice harms less than to leave
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

/* Puts @orphan, which is @inode's and of the current task's making, into the map, if it is not
 * there. */
static __always_inline void orphan_put(__u64 key, struct inode *inode,
				       const struct rt_orphan *orphan)
{
	bool idle = orphan->flags & RT_ORPHAN_IDLE;
	bool counted = false;
	int err;

	err = bpf_map_update_elem(&rt_orphans, &key, orphan, BPF_NOEXIST);
	if (err == -RT_EEXIST) {
		if (orphan_known(key, inode))
			return;
		/* Another file's, whose release was missed: it was counted. */
		counted = true;
		err = bpf_map_update_elem(&rt_orphans, &key, orphan, BPF_ANY);
	}
	if (err) {
		if (idle ||
		    loss_is_counted(key, bpf_get_current_pid_tgid(), orphan->unlinked_ns))
			return;
		RT_COUNT(lost_full);
		/* Wakes whoever streams: its look finds the orphan by its holders. */
		event_send(RT_EVENT_CHANGED, key, orphan);
		return;
	}
	if (!counted)
		RT_COUNT(born);
	if (!idle)
		event_send(RT_EVENT_BORN, key, orphan);
}

static __always_inline void orphan_record(__u64 key, struct inode *inode, __u16 flags)
{
	struct rt_orphan orphan;

	__builtin_memset(&orphan, 0, sizeof(orphan));
	orphan_identify(&orphan, inode);
	orphan.unlinked_ns = bpf_ktime_get_boot_ns();
	orphan.flags = flags;
	orphan_unlinker(&orphan);
	orphan_put(key, inode, &orphan);
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

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who holds which unlinked dentry: one record for each holding, in one pass over the
 * tasks. Programs:
 *
 *   iter/task_file  fds of every distinct table (5.8)
 *   iter/task_vma   mappings (5.12, 3a7b35b899de; before, user space reads map_files)
 *   iter/task       executable, cwd and root
 *
 * A look at two members tells nearly every file as linked; all else is done for orphans
 * only. With rt_bootstrap what is found also goes into the map, so that orphans that are
 * older than the hooks are in it.
 */
#ifndef RELINKTRACE_HOLDERS_H
#define RELINKTRACE_HOLDERS_H

/* How deep the pid namespace of whoever reads is. */
static __always_inline __u32 reader_level(void)
{
	struct task_struct *reader;

	if (rt_have_task_btf && !rt_loads_cost)
		return bpf_get_current_task_btf()->thread_pid->level;
	reader = (void *)bpf_get_current_task();
	return BPF_CORE_READ(reader, thread_pid, level);
}

/* Pid of @task in the pid namespace of whoever reads; 0 when it has none there. */
static __always_inline __u32 task_pid_in_ns(struct task_struct *task, bool typed)
{
	__u32 level = reader_level();
	struct pid *pid = RT_READ(typed, task, thread_pid);
	struct upid upid = {};

	if (!pid || RT_READ(typed, pid, level) < level)
		return 0;
	bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return upid.nr;
}

static __always_inline void record_task(struct rt_holder *record,
					struct task_struct *task, bool typed)
{
	struct task_struct *leader = RT_READ(typed, task, group_leader);
	struct cgroup *cgroup =
		typed ? task->cgroups->dfl_cgrp : BPF_CORE_READ(task, cgroups, dfl_cgrp);

	record->pid = task_pid_in_ns(leader, typed);
	record->tid = task == leader ? 0 : task_pid_in_ns(task, typed);
	record->start_ns = RT_READ(typed, leader, start_boottime);
	record->files = (__u64)RT_READ(typed, task, files);
	record->cgroup_id = typed ? cgroup->kn->id : BPF_CORE_READ(cgroup, kn, id);
	BPF_CORE_READ_STR_INTO(&record->comm, leader, comm);
}

static __always_inline void record_inode(struct rt_holder *record, struct inode *inode,
					 bool typed)
{
	struct super_block *sb = RT_READ(typed, inode, i_sb);
	struct file_system_type *type = RT_READ(typed, sb, s_type);

	record->inode = (__u64)inode;
	record->ino = RT_READ(typed, inode, i_ino);
	record->generation = RT_READ(typed, inode, i_generation);
	record->nlink = RT_READ(typed, inode, i_nlink);
	record->mode = RT_READ(typed, inode, i_mode);
	record->uid = RT_READ(typed, inode, i_uid.val);
	record->gid = RT_READ(typed, inode, i_gid.val);
	record->rdev = RT_READ(typed, inode, i_rdev);
	record->size = RT_READ(typed, inode, i_size);
	record->blocks = RT_READ(typed, inode, i_blocks);
	record->dev = RT_READ(typed, sb, s_dev);
	record->magic = RT_READ(typed, sb, s_magic);
	/* Made with the first lock, and not before the inode goes (fs/locks.c,
	 * locks_get_lock_context); not there without CONFIG_FILE_LOCKING. */
	if (bpf_core_field_exists(inode->i_flctx))
		record->lock_context = (__u64)RT_READ(typed, inode, i_flctx);
	bpf_probe_read_kernel_str(record->fstype, sizeof(record->fstype),
				  RT_READ(typed, type, name));
}

static __always_inline void record_mount(struct rt_holder *record,
					 struct vfsmount *vfsmount)
{
	/* real_mount() (fs/mount.h): the vfsmount is a member of struct mount. */
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	struct mnt_namespace *ns = BPF_CORE_READ(mount, mnt_ns);

	record->mnt_id = BPF_CORE_READ(mount, mnt_id);
	/* Detached mounts have none, internal ones an error pointer. */
	if ((__s64)ns < -4095 && ns)
		record->mnt_ns = BPF_CORE_READ(ns, ns.inum);
}

/* Adds an orphan that is older than the hooks. The release hook may have run for it just
 * before: then its count is gone, and so must the entry be, since no other release will
 * come (__dentry_kill, fs/dcache.c). */
static __always_inline void orphan_bootstrap(const struct rt_holder *record)
{
	struct dentry *dentry = (void *)record->dentry;
	__u64 key = record->dentry;
	struct rt_orphan orphan;
	int err;

	__builtin_memset(&orphan, 0, sizeof(orphan));
	orphan.ino = record->ino;
	orphan.inode = record->inode;
	orphan.dev = record->dev;
	orphan.generation = record->generation;
	orphan.mode = record->mode;
	orphan.flags = RT_ORPHAN_BOOTSTRAP;
	if (bpf_map_lookup_elem(&rt_orphans, &key))
		return;
	err = bpf_map_update_elem(&rt_orphans, &key, &orphan, BPF_NOEXIST);
	if (err) {
		/* Else the unlink hook was quicker, and knows more. */
		if (err != -RT_EEXIST)
			RT_COUNT(lost_full);
		return;
	}
	RT_COUNT(born);
	if (BPF_CORE_READ(dentry, d_lockref.count) <= 0 &&
	    !bpf_map_delete_elem(&rt_orphans, &key))
		RT_COUNT(released);
}

/* A record for @task's holding of @dentry by way of @mnt, without what belongs to its kind.
 * NULL when there is nothing to say. @typed, @typed_task: the verifier knows the types of
 * @dentry and @task. */
static __always_inline struct rt_record *record_start(struct task_struct *task,
						      bool typed_task,
						      struct dentry *dentry, bool typed,
						      struct vfsmount *mnt, __u8 kind)
{
	struct inode *inode = RT_READ(typed, dentry, d_inode);
	struct rt_record *record;
	__u32 zero = 0;

	record = bpf_map_lookup_elem(&rt_scratch, &zero);
	if (!record || !inode)
		return NULL;
	__builtin_memset(&record->holder, 0, sizeof(record->holder));
	record->holder.dentry = (__u64)dentry;
	record->holder.kind = kind;
	record->holder.fd = -1;
	record_inode(&record->holder, inode, typed);
	if (!magic_is_counted(record->holder.magic))
		return NULL;
	record_task(&record->holder, task, typed_task);
	if (!record->holder.pid)
		return NULL;
	record_mount(&record->holder, mnt);
	if (rt_bootstrap)
		orphan_bootstrap(&record->holder);
	return record;
}

/* The same of what was read. A call, and not inlined: all frames from a program to the
 * innermost of its loops have 512 bytes (MAX_BPF_STACK, check_max_stack_depth), and what is
 * read here would be in those of two loops of bpf/flight.h at once. */
static __noinline struct rt_record *record_begin(struct task_struct *task,
						 struct dentry *dentry,
						 struct vfsmount *mnt, __u8 kind)
{
	return record_start(task, false, dentry, false, mnt, kind);
}

/* What the record of an fd tells of the description @file. */
static __always_inline void record_file(struct rt_holder *record, struct file *file,
					bool typed)
{
	record->file = (__u64)file;
	record->open_flags = RT_READ(typed, file, f_flags);
	record->pos = RT_READ(typed, file, f_pos);
	record->owner = file_owner(file, typed);
}

static __always_inline void record_send(struct seq_file *seq, struct rt_record *record)
{
	__u32 length = record->holder.path_len;

	if (length > RT_PATH_MAX)
		length = 0;
	record->holder.path_len = length;
	length += sizeof(record->holder);
	record->holder.record_len = length;
	if (length <= sizeof(*record))
		bpf_seq_write(seq, record, length);
}

/* d_path's result counts its terminating NUL. */
static __always_inline void record_path(struct rt_record *record, struct path *path)
{
	long length;

	if (!rt_have_d_path)
		return;
	length = bpf_d_path(path, record->path, sizeof(record->path));
	if (length > 1 && length <= RT_PATH_MAX)
		record->holder.path_len = length - 1;
}

static __always_inline bool fd_is_cloexec(struct task_struct *task, __u32 fd, bool typed)
{
	unsigned long *bits = typed ? task->files->fdt->close_on_exec
				    : BPF_CORE_READ(task, files, fdt, close_on_exec);
	unsigned long word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), bits + fd / 64);
	return word >> (fd & 63) & 1;
}

SEC("iter/task_file")
int rt_iter_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct rt_record *record;
	struct dentry *dentry;

	if (!task || !file)
		return 0;
	dentry = file->f_path.dentry;
	if (!dentry || dentry->d_hash.pprev || dentry->d_parent == dentry)
		return 0;
	record = rt_loads_cost
			 ? record_begin(task, dentry, file->f_path.mnt, RT_HOLDER_FD)
			 : record_start(task, true, dentry, true, file->f_path.mnt,
					RT_HOLDER_FD);
	if (!record)
		return 0;
	record_file(&record->holder, file, !rt_loads_cost);
	record->holder.fd = ctx->fd;
	if (fd_is_cloexec(task, ctx->fd, !rt_loads_cost))
		record->holder.flags |= RT_HOLDER_CLOEXEC;
	record_path(record, &file->f_path);
	record_send(ctx->meta->seq, record);
	return 0;
}

SEC("iter/task_vma")
int rt_iter_maps(struct bpf_iter__task_vma *ctx)
{
	struct task_struct *task = ctx->task;
	struct vm_area_struct *vma = ctx->vma;
	struct rt_record *record;
	struct dentry *dentry;
	struct path *path;
	struct file *file;

	if (!task || !vma)
		return 0;
	file = vma->vm_file;
	if (!file)
		return 0;
	path = file_user_path(file);
	dentry = BPF_CORE_READ(path, dentry);
	if (!dentry || !dentry_is_unlinked(dentry))
		return 0;
	record = record_begin(task, dentry, BPF_CORE_READ(path, mnt), RT_HOLDER_MAP);
	if (!record)
		return 0;
	record->holder.file = (__u64)file;
	record->holder.map_start = vma->vm_start;
	record->holder.map_end = vma->vm_end;
	record->holder.open_flags = file->f_flags;
	/* Of an overlay's mapping this would be the path below: then /proc has it. */
	if (dentry == file->f_path.dentry)
		record_path(record, &file->f_path);
	record_send(ctx->meta->seq, record);
	return 0;
}

/* No reference is held on what these read, so that paths are left to user space, which
 * reads the links of /proc. */
static __always_inline void task_holds(struct seq_file *seq, struct task_struct *task,
				       struct path *path, __u8 kind)
{
	struct dentry *dentry = BPF_CORE_READ(path, dentry);
	struct rt_record *record;

	if (!dentry || !dentry_is_unlinked(dentry))
		return;
	record = record_begin(task, dentry, BPF_CORE_READ(path, mnt), kind);
	if (record)
		record_send(seq, record);
}

SEC("iter/task")
int rt_iter_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct file *exe;

	if (!task)
		return 0;
	leader = task->group_leader;
	mm = task->mm;
	if (mm && (task == leader || !BPF_CORE_READ(leader, mm))) {
		exe = BPF_CORE_READ(mm, exe_file);
		if (exe)
			task_holds(ctx->meta->seq, task,
				   __builtin_preserve_access_index(&exe->f_path),
				   RT_HOLDER_EXE);
	}
	fs = task->fs;
	if (fs && (task == leader || fs != BPF_CORE_READ(leader, fs))) {
		task_holds(ctx->meta->seq, task,
			   __builtin_preserve_access_index(&fs->pwd), RT_HOLDER_CWD);
		task_holds(ctx->meta->seq, task,
			   __builtin_preserve_access_index(&fs->root), RT_HOLDER_ROOT);
	}
	return 0;
}

#endif

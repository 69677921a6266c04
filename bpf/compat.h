/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that is more than a member's offset, each with the
 * commit that made it. Nothing here needs a version number: the loader or CO-RE looks at
 * the running kernel's types.
 */
#ifndef RELINKTRACE_COMPAT_H
#define RELINKTRACE_COMPAT_H

/*
 * Places of arguments, found by the loader in the kernel's BTF by their types (see
 * user/bpf/kernel.c). They are constants to the verifier, which then drops the branches
 * that would read an argument that is not there.
 *
 * vfs_unlink, vfs_rmdir: (dir, dentry, …) until 5.11; a user namespace first from 5.12
 *   (6521f8917082 "namei: prepare for idmapped mounts"), an idmap from 6.3 (abf08576afe3).
 *
 * vfs_rename: six arguments until 5.11, the fourth being the target; one struct renamedata
 *   from 5.12 (9fe61450972d "namei: introduce struct renamedata").
 *
 * vfs_tmpfile: returns a dentry until 6.0, its last argument being the open flags; fills
 *   a struct file from 6.1 (863f144f12ad "vfs: open inside ->tmpfile()").
 */
#define RT_ARG_NONE 255

const volatile __u8 rt_arg_unlink = RT_ARG_NONE;	/* the dentry */
const volatile __u8 rt_arg_rmdir = RT_ARG_NONE;		/* the dentry */
const volatile __u8 rt_arg_rename = RT_ARG_NONE;	/* the target dentry, or … */
const volatile bool rt_rename_has_data = false;		/* … argument 0 is renamedata */
const volatile __u8 rt_arg_tmpfile = RT_ARG_NONE;	/* the file, or … */
const volatile __u8 rt_arg_tmpfile_flags = RT_ARG_NONE; /* … the open flags, and */
const volatile __u8 rt_ret_tmpfile = RT_ARG_NONE; /* … the place of the returned dentry */

/* The compiler has split vfs_rmdir, so that not every call passes it (kallsyms has a
 * vfs_rmdir.part.0): then overlay's call on the directory below cannot be told from a
 * call of a program. */
const volatile bool rt_rmdir_is_split = false;

/* bpf_d_path() in iterators: 5.12 (3d06f34aa89e "bpf: Allow bpf_d_path in bpf_iter
 * program"). */
const volatile bool rt_have_d_path = false;

/* bpf_get_current_task_btf() in tracing programs: 5.11 (3ca1032ab7ab "bpf: Implement
 * get_current_task_btf and RET_PTR_TO_BTF_ID"). */
const volatile bool rt_have_task_btf = false;

/* From 6.2 on the verifier looks through all of the kernel's types for each load of a pointer
 * from one that it trusts (6fcd486b3a0a "bpf: Refactor RCU enforcement in the verifier"): to load
 * a record so took longer than all else of loading the programs. What was cast, it does not
 * trust. */
const volatile bool rt_loads_cost = false;

/* include/uapi/asm-generic/errno-base.h. What bpf_map_update_elem() and its kin return is an
 * int: until 6.3 the calls that the verifier makes of them (map_ops) leave the upper half of
 * the register as it comes, so that -EEXIST is no negative long (d7ba4cc900bf "bpf: return
 * long from bpf_map_ops funcs"). */
#define RT_EEXIST 17

/* The file below an overlay's that is mapped in its place (ovl_mmap) says the path that
 * was opened: in f_path until 6.7, beside it from 6.8 (def3ae83da02 "fs: store real path
 * instead of fake path in backing file f_path"). */
struct backing_file___user_path {
	struct path user_path;
} __attribute__((preserve_access_index));

/* include/linux/fs.h: opened by the kernel for itself, as overlay opens the file below an
 * O_TMPFILE of its own. */
#define RT_FMODE_NOACCOUNT (1U << 29)

/* FMODE_BACKING is bit 25, and bit 24 from 6.14; each has had another meaning in the
 * other's time, but not on files that are FMODE_NOACCOUNT, bit 29, as backing files are
 * (alloc_empty_backing_file) and no other that can be mapped. */
#define RT_FMODE_BACKING (3U << 24)

/* Who is sent a description's signals: in the file until 6.11, behind a pointer of its own,
 * which the first to ask for them makes, from 6.12 (1934b212615d "file: reclaim 24 bytes from
 * f_owner"). */
struct file___with_owner {
	struct fown_struct f_owner;
} __attribute__((preserve_access_index));

struct file___to_owner {
	struct fown_struct *f_owner;
} __attribute__((preserve_access_index));

/* Semaphores under PREEMPT_RT, from 5.15 on (943f0edb754f "locking/rt: Add base code for RT
 * rw_semaphore and rwlock"). */
struct rt_mutex_base___rt {
	struct task_struct *owner;
} __attribute__((preserve_access_index));

struct rwbase_rt___rt {
	struct rt_mutex_base___rt rtmutex;
} __attribute__((preserve_access_index));

struct rw_semaphore___rt {
	struct rwbase_rt___rt rwbase;
} __attribute__((preserve_access_index));

struct inode___rt {
	struct rw_semaphore___rt i_rwsem;
} __attribute__((preserve_access_index));

/* A member of *@from, or of what that points to, and so on: loads where the verifier knows the
 * type of @from (@typed, a constant), and else calls, of which each takes as long as some
 * hundred loads. */
#define RT_READ(typed, from, member)                                                     \
	((typed) ? (from)->member : BPF_CORE_READ(from, member))

/* The path that @file, which is mapped, was opened by. */
static __always_inline struct path *file_user_path(struct file *file)
{
	u32 mode = file->f_mode;
	u64 offset;

	if ((mode & RT_FMODE_BACKING) && (mode & RT_FMODE_NOACCOUNT) &&
	    bpf_core_field_exists(struct backing_file___user_path, user_path)) {
		offset =
			bpf_core_field_offset(struct backing_file___user_path, user_path);
		asm volatile("" : "+r"(offset));
	} else {
		offset = bpf_core_field_offset(struct file, f_path);
		asm volatile("" : "+r"(offset));
	}
	return (void *)file + offset;
}

/* 0 when nobody is sent signals for @file, and no other than SIGIO is asked for. */
static __always_inline __u64 file_owner(struct file *file, bool typed)
{
	struct file___with_owner *with = (void *)file;
	struct file___to_owner *to = (void *)file;

	if (bpf_core_field_exists(to->f_owner))
		return (__u64)RT_READ(typed, to, f_owner);
	if (bpf_core_field_exists(with->f_owner))
		/* read, since the verifier lets nobody calculate with a pointer that it knows */
		return (__u64)BPF_CORE_READ(with, f_owner.pid) |
		       RT_READ(typed, with, f_owner.signum);
	return 1;
}

/* Argument @index of a tracing program's context. Written out, because the compiler may
 * turn a switch into an indexed load, and the verifier wants constant offsets. */
#define RT_LOAD_ARG(n)                                                                   \
	if (index == (n))                                                                \
		asm volatile("%0 = *(u64 *)(%1 + " #n " * 8)" : "=r"(value) : "r"(ctx));

static __always_inline __u64 ctx_arg(const void *ctx, __u8 index)
{
	__u64 value = 0;

	RT_LOAD_ARG(0)
	RT_LOAD_ARG(1)
	RT_LOAD_ARG(2)
	RT_LOAD_ARG(3)
	RT_LOAD_ARG(4)
	return value;
}

/* Argument @index of a function entered by a kprobe. */
static __always_inline __u64 regs_arg(const struct pt_regs *regs, __u8 index)
{
#if defined(__TARGET_ARCH_x86)
	switch (index) {
	case 0:
		return BPF_CORE_READ(regs, di);
	case 1:
		return BPF_CORE_READ(regs, si);
	case 2:
		return BPF_CORE_READ(regs, dx);
	case 3:
		return BPF_CORE_READ(regs, cx);
	}
	return 0;
#elif defined(__TARGET_ARCH_arm64)
	__u64 value = 0;

	bpf_core_read(&value, sizeof(value), &regs->regs[index & 7]);
	return value;
#else
#error "registers of this architecture are not known here"
#endif
}

static __always_inline __u64 regs_sp(const struct pt_regs *regs)
{
	return BPF_CORE_READ(regs, sp);
}

static __always_inline __u64 regs_return(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, ax);
#else
	__u64 value = 0;

	bpf_core_read(&value, sizeof(value), &regs->regs[0]);
	return value;
#endif
}

static __always_inline long regs_syscall(const struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, orig_ax);
#else
	return BPF_CORE_READ(regs, syscallno);
#endif
}

#endif

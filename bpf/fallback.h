/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For kernels that refuse hooks on functions: tracepoints, by tp_btf. Hooks:
 *
 *   ext4_unlink_exit          an inode in use lost a name: who did it, and when
 *   ext4_evict_inode          the inode is gone
 *   xfs_iunlink               the inode has no name left (nlink 0)
 *   xfs_iunlink_remove        the inode is gone
 *   sys_exit                  a call of the unlink family succeeded: somebody should look
 *
 * Their arguments may be NULL for all that newer verifiers know (838a10bd2ebf, in 6.12.y
 * too: "bpf: Augment raw_tp arguments with PTR_MAYBE_NULL"), so they are checked.
 *
 * They cannot tell the set of orphans (no tracepoint sees the release of an inode that
 * has another link, none exists on tmpfs or overlay): that always comes from the holder
 * iterators. They add the unlinker where they know it, and say when a look is due.
 */
#ifndef RELINKTRACE_FALLBACK_H
#define RELINKTRACE_FALLBACK_H

struct xfs_inode {
	struct inode i_vnode;
} __attribute__((preserve_access_index));

/* System calls that can make an orphan, as <asm/unistd.h> numbers them. An
 * O_TMPFILE is not among them: it is found at the next look. */
#if defined(__TARGET_ARCH_x86)
#define NR_RENAME    82
#define NR_RMDIR     84
#define NR_UNLINK    87
#define NR_UNLINKAT  263
#define NR_RENAMEAT  264
#define NR_RENAMEAT2 316
#elif defined(__TARGET_ARCH_arm64)
#define NR_UNLINKAT  35
#define NR_RENAMEAT  38
#define NR_RENAMEAT2 276
#endif

static __always_inline bool syscall_unlinks(long nr)
{
	switch (nr) {
#if defined(NR_UNLINK)
	case NR_RENAME:
	case NR_RMDIR:
	case NR_UNLINK:
#endif
	case NR_UNLINKAT:
	case NR_RENAMEAT:
	case NR_RENAMEAT2:
		return true;
	}
	return false;
}

SEC("tp_btf/ext4_unlink_exit")
int rt_tp_ext4_unlink(void *ctx)
{
	struct dentry *dentry = (void *)ctx_arg(ctx, 0);
	struct inode *inode;

	if (!dentry)
		return 0;
	inode = BPF_CORE_READ(dentry, d_inode);
	/* d_delete is still to come: in use is more than the caller's own reference. */
	if (!(int)ctx_arg(ctx, 1) && inode && BPF_CORE_READ(dentry, d_lockref.count) > 1)
		orphan_record((__u64)inode, inode, 0);
	return 0;
}

SEC("tp_btf/ext4_evict_inode")
int rt_tp_ext4_evict(void *ctx)
{
	orphan_release(ctx_arg(ctx, 0));
	return 0;
}

SEC("tp_btf/xfs_iunlink")
int rt_tp_xfs_unlink(void *ctx)
{
	struct xfs_inode *ip = (void *)ctx_arg(ctx, 0);
	struct inode *inode;

	if (!ip)
		return 0;
	inode = __builtin_preserve_access_index(&ip->i_vnode);
	orphan_record((__u64)inode, inode, 0);
	return 0;
}

SEC("tp_btf/xfs_iunlink_remove")
int rt_tp_xfs_evict(void *ctx)
{
	struct xfs_inode *ip = (void *)ctx_arg(ctx, 0);

	if (ip)
		orphan_release((__u64)__builtin_preserve_access_index(&ip->i_vnode));
	return 0;
}

SEC("tp_btf/sys_exit")
int rt_tp_sys_exit(void *ctx)
{
	struct pt_regs *regs = (void *)ctx_arg(ctx, 0);
	struct rt_orphan who;

	if (!regs || (long)ctx_arg(ctx, 1) || !syscall_unlinks(regs_syscall(regs)))
		return 0;
	RT_COUNT(changes);
	if (!rt_streaming || rt_change_pending)
		return 0;
	/* One message until the reader has looked: a burst costs one look. */
	rt_change_pending = true;
	__builtin_memset(&who, 0, sizeof(who));
	event_send(RT_EVENT_CHANGED, 0, &who);
	return 0;
}

#endif

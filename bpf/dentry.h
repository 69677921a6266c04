/* SPDX-License-Identifier: GPL-2.0-only */
/* What a dentry tells: whether it is unlinked, and of what. */
#ifndef RELINKTRACE_DENTRY_H
#define RELINKTRACE_DENTRY_H

/* include/uapi/linux/magic.h, fs/ecryptfs/super.c */
#define PROC_SUPER_MAGIC      0x9fa0
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define ECRYPTFS_SUPER_MAGIC  0xf15f

/* d_unlinked() (include/linux/dcache.h): unhashed, and not a root. The latter leaves out
 * memfd, SysV shm, pipes, sockets: their dentries are roots of their own. */
static __always_inline bool dentry_is_unlinked(struct dentry *dentry)
{
	return !BPF_CORE_READ(dentry, d_hash.pprev) &&
	       BPF_CORE_READ(dentry, d_parent) != dentry;
}

/* Filesystems that call vfs_unlink and its kin on another filesystem from inside their
 * own: the inner call is no orphan of anybody. */
static __always_inline bool dentry_is_stacked(struct dentry *dentry)
{
	unsigned long magic = BPF_CORE_READ(dentry, d_sb, s_magic);

	return magic == OVERLAYFS_SUPER_MAGIC || magic == ECRYPTFS_SUPER_MAGIC;
}

/* The entries of /proc lose their names when their task ends, without any unlink. */
static __always_inline bool magic_is_counted(unsigned long magic)
{
	return magic != PROC_SUPER_MAGIC;
}

static __always_inline bool dentry_is_counted(struct dentry *dentry)
{
	return magic_is_counted(BPF_CORE_READ(dentry, d_sb, s_magic));
}

/* Whether the current task has locked the directory @dir for writing. The owner's low bits are
 * flags (kernel/locking/rwsem.c, kernel/locking/rtmutex_common.h), the lowest of which says of
 * a semaphore that it is a reader, and of the mutex in its place under PREEMPT_RT that
 * somebody waits. Where neither is known it is taken for granted. */
#define RWSEM_READER_OWNED 1UL
#define RWSEM_OWNER_FLAGS  7UL

static __always_inline bool inode_is_locked_by_us(struct inode *dir)
{
	struct inode___rt *rt = (void *)dir;
	__u64 owner;

	if (bpf_core_field_exists(dir->i_rwsem.owner)) {
		owner = BPF_CORE_READ(dir, i_rwsem.owner.counter);
		if (owner & RWSEM_READER_OWNED)
			return false;
	} else if (bpf_core_field_exists(rt->i_rwsem.rwbase.rtmutex.owner)) {
		owner = (__u64)BPF_CORE_READ(rt, i_rwsem.rwbase.rtmutex.owner);
	} else {
		return true;
	}
	return (owner & ~RWSEM_OWNER_FLAGS) == bpf_get_current_task();
}

/* Who the orphan is; the rest of @orphan must be zeroed. */
static __always_inline void orphan_identify(struct rt_orphan *orphan, struct inode *inode)
{
	orphan->inode = (__u64)inode;
	orphan->ino = BPF_CORE_READ(inode, i_ino);
	orphan->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	orphan->generation = BPF_CORE_READ(inode, i_generation);
	orphan->mode = BPF_CORE_READ(inode, i_mode);
}

#endif

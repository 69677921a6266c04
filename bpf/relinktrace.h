/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both halves share: the records that cross from the kernel to user space, the
 * keys and values of the maps, and the limits. Included by bpf/ after vmlinux.h and by
 * user/ after <linux/types.h>; fixed-width kernel types only.
 */
#ifndef RELINKTRACE_SHARED_H
#define RELINKTRACE_SHARED_H

#define RT_COMM_LEN   16
#define RT_FSTYPE_LEN 16
#define RT_PATH_MAX   4096

/* Targets that one attach can carry. 64 is far above the cgroups that a node agent
 * names one by one; a subtree needs a single entry. */
#define RT_MAX_TARGETS 64

/* Orphans that the map can hold before births are counted as lost, if attach is not told
 * otherwise: one for each 128 KiB of the machine's memory, within these. An element takes 120
 * bytes, a thousandth of that. */
#define RT_MAX_ORPHANS	   (1U << 17)
#define RT_MIN_ORPHANS	   (1U << 13)
#define RT_BYTES_AN_ORPHAN (1U << 17)

/* Programs of one way to attach, at most. */
#define RT_MAX_HOOKS 24

enum rt_orphan_flags {
	RT_ORPHAN_TMPFILE = 1 << 0,   /* made by O_TMPFILE, never had a name */
	RT_ORPHAN_BOOTSTRAP = 1 << 1, /* older than the attach: unlinker unknown */
	/* Perhaps overlay's own, of the layer below: counts only when somebody is found to
	 * hold it. */
	RT_ORPHAN_MAYBE_LOWER = 1 << 2,
	/* Nobody used it just before it lost its name: counts only when somebody is found to
	 * hold it. */
	RT_ORPHAN_IDLE = 1 << 3,
};

/* Value of the map of orphans. The key is an address, used as an identity only: the
 * dentry's with fentry and kprobe, since that is what the release hook is given; the
 * inode's with tp_btf, whose tracepoints know no more. */
struct rt_orphan {
	__u64 unlinked_ns; /* CLOCK_BOOTTIME; 0 when not seen */
	__u64 ino;
	__u64 inode; /* address, an identity only: btrfs uses a number in each subvolume */
	__u64 cgroup_id; /* the unlinker's, in the v2 tree */
	__u32 dev;	 /* super_block.s_dev, in the kernel's own encoding (12:20) */
	__u32 generation;
	__u32 pid; /* the unlinker's tgid, in the initial pid namespace */
	__u16 mode;
	__u16 flags; /* enum rt_orphan_flags */
	char comm[RT_COMM_LEN];
};

enum rt_event_type {
	RT_EVENT_BORN = 1,
	RT_EVENT_RELEASED = 2,
	/* Something may have become an orphan: with tp_btf, or there was no room for it. */
	RT_EVENT_CHANGED = 3,
};

/* One message of the ring buffer. */
struct rt_event {
	__u32 type; /* enum rt_event_type */
	__u32 pad;
	__u64 when_ns; /* CLOCK_BOOTTIME */
	__u64 key;     /* of the map of orphans */
	struct rt_orphan orphan;
};

enum rt_holder_kind {
	RT_HOLDER_FD = 1,
	RT_HOLDER_MAP = 2,
	RT_HOLDER_EXE = 3,
	RT_HOLDER_CWD = 4,
	RT_HOLDER_ROOT = 5,
	RT_HOLDER_FLIGHT = 6, /* sent over a Unix socket; fd is that of the socket */
	RT_HOLDER_URING = 7,  /* registered with an io_uring; fd is that of the ring */
	/* Held by no task: */
	RT_HOLDER_LOOP = 8,  /* behind a loop device; fd is the reader's own, of it */
	RT_HOLDER_MOUNT = 9, /* mounted; fd is the reader's own, of the mount point */
};

/* In place of a kind: no holding, but a table of open files that rt_iter_files has to be
 * asked about. pid and tid are set, tid for the leader too. */
#define RT_HOLDER_CROWDED 255

enum rt_holder_flags {
	RT_HOLDER_CLOEXEC = 1 << 0,
};

/* One record of a holder iterator: a task holds an unlinked dentry. Followed by path_len
 * bytes of d_path (with its " (deleted)"), not terminated; path_len is 0 where the kernel
 * could not tell. Addresses serve as identities only. */
struct rt_holder {
	__u64 dentry;
	__u64 inode;
	__u64 file;  /* struct file: one address, one open file description */
	__u64 files; /* struct files_struct: threads that share a table show one */
	__u64 ino;
	__u64 size;
	__u64 blocks; /* inode.i_blocks, 512 bytes each; what the VFS knows */
	__u64 pos;
	__u64 start_ns;	 /* group leader's start_boottime */
	__u64 cgroup_id; /* of the task, in the v2 tree */
	__u64 map_start; /* kind map: the mapping's first address, and the one past it */
	__u64 map_end;
	__u64 lock_context; /* 0: of the inode nobody has, or had, a lock or a lease */
	__u64 owner; /* kind fd: 0 when nobody is named to be sent signals, and no signal */
	__u32 record_len; /* sizeof(struct rt_holder) + path_len */
	__u32 path_len;
	__u32 dev;
	__u32 generation;
	__u32 nlink;
	__u32 uid;
	__u32 gid;
	__u32 rdev;
	__u32 pid; /* tgid in the reader's pid namespace */
	__u32 tid;
	__s32 fd;
	__u32 open_flags; /* file.f_flags */
	__s32 mnt_id;
	__u32 mnt_ns; /* inode number of the mount's namespace; 0 when it has none */
	__u32 magic;  /* super_block.s_magic */
	__u16 mode;
	__u8 kind;  /* enum rt_holder_kind */
	__u8 flags; /* enum rt_holder_flags */
	char comm[RT_COMM_LEN];
	char fstype[RT_FSTYPE_LEN];
};

/* Value of the map of targets, keyed by cgroup id. */
struct rt_target_info {
	__u32 level;
	__u32 pad;
};

/* Raised with every change of what is in this file: programs that are pinned outlive the
 * command that pinned them, and may meet a newer one. */
#define RT_ABI 8

/* Places in the map of counters: the kernel's own, and a copy of it that user space makes
 * after a bootstrap. What the first has more was lost since. */
enum { RT_STATS_NOW = 0, RT_STATS_SETTLED = 1 };

/* Counters that only grow; a difference is what was lost since. */
struct rt_stats {
	__u64 born;
	__u64 released;
	__u64 lost_full;   /* the map of orphans took no more */
	__u64 lost_events; /* the ring buffer took no more */
	__u64 lost_nested; /* no room for a stacked call: inner ones may be listed */
	__u64 changes;	   /* tp_btf: successful calls of the unlink family */
	__u64 seen_alone;  /* events whose first program was skipped, see bpf/marks.h */
	__u64 marks_lost;  /* marks overwritten: as many of seen_alone may be wrong */
	__u64 abi;	   /* RT_ABI, where it is settled */
	__u32 skipped[RT_MAX_HOOKS]; /* where it is settled, see user/bpf/hooks.h */
};

_Static_assert(sizeof(struct rt_orphan) == 64, "map value is part of the contract");
_Static_assert(sizeof(struct rt_event) == 88, "event is part of the contract");
_Static_assert(sizeof(struct rt_holder) == 208, "record is part of the contract");
_Static_assert(sizeof(struct rt_stats) == 168, "stats are part of the contract");

#endif

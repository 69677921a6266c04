/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The set of orphans: what a scan finds, list prints and checkpoint preserves. One
 * orphan an inode, however many names it lost and however many tasks hold it.
 */
#ifndef RELINKTRACE_ORPHAN_H
#define RELINKTRACE_ORPHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <linux/types.h>
#include "../../bpf/relinktrace.h"

struct holder {
	/* In our pid namespace. Kind mount: a task that has the mount in its namespace;
	 * kind loop: 0, as nobody's. */
	pid_t pid;
	pid_t tid;		/* 0 where it is the leader's own table */
	uint64_t start_time;	/* clock ticks since boot, as in /proc/PID/stat */
	char comm[RT_COMM_LEN]; /* NUL at its end, as everywhere */
	enum rt_holder_kind kind;
	int fd;		/* -1 unless kind is fd */
	uint32_t flags; /* open(2) flags of the description, without O_CLOEXEC; kind fd */
	uint64_t pos;	/* bytes; kind fd */
	bool cloexec;	/* kind fd */
	bool ownerless; /* nobody is named by F_SETOWN, nor a signal by F_SETSIG; kind fd; false:
			 * not known */
	uint64_t ofd; /* equal for one open file description; 0 unknown. Any number until
		       * orphan_set_sort(), which counts from 1 */
	union {
		/* Kind map: names /proc/PID/map_files/START-END. */
		struct {
			uint64_t map_start, map_end;
		};
		uint64_t loop; /* kind loop: N of /dev/loopN */
		/* Kind mount: as in mountinfo. */
		struct {
			uint64_t mnt_id;
			char *mnt_point; /* owned by the orphan; NULL unknown */
		};
	};
	/* The mount that it has the file through; of the kinds with a file of the task's. */
	struct {
		int id;	     /* as in mountinfo; 0 as the orphan's */
		char *point; /* owned by the orphan, as is root; as the task sees it; both
			      * are NULL where unknown, or where the mount is the orphan's */
		char *root;  /* the subtree of the filesystem that is mounted */
	} via;
	uint64_t cgroup_id; /* 0 unknown */
	uint64_t table; /* identity of the fd table, while it is collected; 0 unknown */
};

struct unlinker {
	bool known;
	uint64_t when_ns; /* CLOCK_REALTIME, ns since the epoch */
	pid_t pid;
	char comm[RT_COMM_LEN];
	uint64_t cgroup_id;
};

struct orphan {
	uint32_t dev_major, dev_minor; /* the superblock's, as in mountinfo */
	uint64_t ino;
	uint64_t inode; /* tells files of one number apart, which btrfs has in each of its
			 * subvolumes: the inode's address in the kernel, or in a walk of
			 * /proc the device that stat shows; 0 unknown, and like any */
	bool has_generation;
	uint32_t generation;
	uint32_t mode; /* type and permissions */
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t rdev_major, rdev_minor;
	uint64_t size;	    /* bytes */
	uint64_t allocated; /* bytes */
	char fstype[RT_FSTYPE_LEN];
	char *path; /* owned; raw bytes as it was, without " (deleted)"; NULL unknown */
	bool tmpfile;
	bool lockless; /* no lock or lease is, or was, on it; false: not known */
	int mnt_id; /* as in mountinfo; -1 unknown; a holder may have another, see via */
	uint32_t mnt_ns; /* inode number of the mount namespace; 0 unknown */
	char *mnt_point; /* owned; in the holder's mount namespace; NULL unknown */
	uint64_t cgroup_id;
	char *cgroup; /* owned; path below the v2 root, "/…"; NULL unknown */
	bool unattributed;
	struct unlinker unlinker;
	struct holder *holders; /* owned */
	size_t n_holders;
	uint64_t *keys; /* owned; what the map of orphans knows it by, one for each lost
			   name */
	size_t n_keys;
	/* Held by a task that is not of the target, but for what this process reads it by. */
	bool elsewhere;
};

enum backend { BACKEND_NONE, BACKEND_TP_BTF, BACKEND_KPROBE, BACKEND_FENTRY };

struct orphan_set {
	struct orphan *orphans; /* owned */
	size_t n;
	enum backend backend;
	bool by_iterator; /* else by a walk of /proc */
	bool complete;	  /* false: something may be missing; said in the log */
	uint64_t lost;	  /* records that the kernel half could not keep */
	uint64_t unread;  /* processes that could not be read */
	/* Each will be opened: path and exact size of a small file are known then only. */
	bool opened;
	uint32_t *index; /* owned; hash of device and inode to place in orphans, plus 1 */
	size_t index_size; /* a power of two */
};

/* "fentry", "kprobe", "tp_btf" or "none". */
const char *backend_name(enum backend backend);

/* Whether the map of orphans of @backend is exact, births and releases alike, so that
 * nothing has to be read when it is empty. */
bool backend_is_exact(enum backend backend);

/* Whether what is held is behind the holder's fd and not the fd itself: in flight, or
 * registered with an io_uring. No link in /proc leads to it. */
static inline bool holder_is_behind(enum rt_holder_kind kind)
{
	return kind == RT_HOLDER_FLIGHT || kind == RT_HOLDER_URING;
}

/* Whether a link in /proc leads to what is held. */
static inline bool holder_has_link(enum rt_holder_kind kind)
{
	return kind <= RT_HOLDER_ROOT;
}

/* "fd", "map", "exe", "cwd", "root", "flight", "uring", "loop" or "mount". */
const char *holder_kind_name(enum rt_holder_kind kind);

/* "regular", "directory", "fifo", "socket", "chr", "blk" or "symlink"; of a st_mode. */
const char *orphan_type_name(uint32_t mode);

/* What stat tells of the inode of @orphan: from its mode to what is allocated. */
void orphan_fill_stat(struct orphan *orphan, const struct statx *stx);

/* Frees what @orphan owns, not @orphan itself, and zeroes it. */
void orphan_fini(struct orphan *orphan);

/* Zeroes @set and marks it complete. */
void orphan_set_init(struct orphan_set *set);

/* Frees what @set owns; for AUTO(). */
void orphan_set_fini(struct orphan_set *set);

/* The orphan of @dev_major:@dev_minor and @ino, added with zeroed fields (mnt_id -1) when
 * it is not there yet; NULL when memory is out. Valid until the next call. */
struct orphan *orphan_set_at(struct orphan_set *set, uint32_t dev_major,
			     uint32_t dev_minor, uint64_t ino);

/* The same where @inode (see struct orphan) is known. */
struct orphan *orphan_set_at_inode(struct orphan_set *set, uint32_t dev_major,
				   uint32_t dev_minor, uint64_t ino, uint64_t inode);

/* As orphan_set_at_inode() (@inode 0: unknown), but adds nothing: NULL when it is not
 * there. */
struct orphan *orphan_set_find_inode(const struct orphan_set *set, uint32_t dev_major,
				     uint32_t dev_minor, uint64_t ino, uint64_t inode);

/* Removes the orphans that @wanted, which is handed @data, does not return true for. */
void orphan_set_keep(struct orphan_set *set,
		     bool (*wanted)(const struct orphan *orphan, const void *data),
		     const void *data);

/* Removes the orphans that nobody of the target holds, unless they are unattributed. */
void orphan_set_prune(struct orphan_set *set);

/* Appends @key unless it is there. 0 or -ENOMEM. */
int orphan_add_key(struct orphan *orphan, uint64_t key);

/* The mount that @holder has @orphan through; -1 unknown. */
static inline int holder_mount(const struct orphan *orphan, const struct holder *holder)
{
	return holder->via.id ?: orphan->mnt_id;
}

/* Whether @holder has @orphan through a mount of its own, and not the orphan's. */
static inline bool holder_has_via(const struct orphan *orphan,
				  const struct holder *holder)
{
	return holder->via.id && holder->via.id != orphan->mnt_id;
}

/* Whether fd @fd of the table of process @pid (of its thread @tid, where not 0), one that
 * holds @orphan, is of the description that @holder, another of its holders, has. */
bool orphan_shares_fd(const struct orphan *orphan, pid_t pid, pid_t tid, int fd,
		      const struct holder *holder);

/* The first holder of @orphan that a link in /proc leads through, see
 * holder_has_link(); NULL. */
const struct holder *orphan_first_linked(const struct orphan *orphan);

/* What a copy of @orphan would move, about: 0 of what is no regular file. */
uint64_t orphan_bytes(const struct orphan *orphan);

/* The link in /proc that leads to what @holder holds, in @path of @size bytes; 64 are
 * enough for any. Of a kind that has one. */
void holder_proc_link(const struct holder *holder, char *path, size_t size);

/* The device of @holder, of kind loop, in @path of @size bytes; 32 are enough. */
void holder_device(const struct holder *holder, char *path, size_t size);

/* Frees what @holder owns until an orphan does; for AUTO(). */
void holder_fini(struct holder *holder);

/* Appends a copy of @holder; what that owns is the orphan's from then on. 0 or -ENOMEM. */
int orphan_add_holder(struct orphan *orphan, const struct holder *holder);

/* Orders orphans by device and inode, holders by pid, tid, kind, fd and address, and
 * numbers open file descriptions from 1 in that order. */
void orphan_set_sort(struct orphan_set *set);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts as a task sees them, and the way to the root of the very vfsmount that a file
 * was opened through: linkat refuses every other one, of the same filesystem too (EXDEV,
 * fs/namei.c, do_linkat). */
#ifndef RELINKTRACE_MOUNT_H
#define RELINKTRACE_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct mount {
	int id;	     /* mountinfo's first field */
	uint32_t ns; /* inode number of the mount namespace that it was found in */
	char *point; /* owned; as @pid sees it */
	char *root;  /* owned; the subtree of the filesystem that is mounted, "/" for all
		      */
	uint32_t dev_major, dev_minor; /* the superblock's */
	char *fstype;		       /* owned */
	bool idmapped; /* shows and takes other owners than the filesystem has (5.12) */
};

/* Frees what @mount owns; for AUTO(). */
void mount_fini(struct mount *mount);

/* The mount @id in /proc/@pid/mountinfo (that of a live thread where the main one has
 * exited: a zombie has no mounts, fs/proc_namespace.c). Tables are read once for each
 * mount namespace (by the inode of /proc/PID/ns/mnt and the task's root) and kept until
 * mount_cache_drop(). 0; -ENOENT when it is not in that table (internal, detached, out of
 * the task's root); -ESRCH when @pid has exited; -errno. */
int mount_find(pid_t pid, int id, struct mount *out);

/* The first mount in our own namespace on superblock @dev_major:@dev_minor, whose root
 * contains @path_in_fs ("/" matches any); for finding a filesystem again later. */
int mount_find_by_dev(uint32_t dev_major, uint32_t dev_minor, const char *path_in_fs,
		      struct mount *out);

/* What a path of the machine begins with that is only in the sight of its first process: we may
 * be in a container beside the others (a DaemonSet's), whose roots are mounted in no namespace
 * but that one. It leads there from every mount namespace in which /proc tells of that process,
 * its own too. */
#define MOUNT_MACHINE "/proc/1/root"

/* What *@path, which is absolute, is to be opened from: MOUNT_MACHINE where it begins so, else "/".
 * *@path becomes what is left behind that and slashes, inside of what it was. No magic link but
 * this one is for following then. Pure. */
const char *mount_base(const char **path);

/* Calls @take with each mount that mount_find_by_dev() would find, the first one first,
 * until it returns 0: one may be covered by another mount, and a later one open. Then with
 * those that the first process sees, where its mounts are others than ours (mount_is_ours());
 * mount_open_root() opens these too. @mount is not the callee's; @data is handed to it. 0;
 * -ENOENT when @take never returned 0; -errno. */
int mount_try_by_dev(uint32_t dev_major, uint32_t dev_minor, const char *path_in_fs,
		     int (*take)(const struct mount *mount, void *data), void *data);

/* The same with the mounts that @pid sees. */
int mount_try_seen_by(pid_t pid, uint32_t dev_major, uint32_t dev_minor,
		      const char *path_in_fs,
		      int (*take)(const struct mount *mount, void *data), void *data);

/* Whether @mount was found in our own namespace. */
bool mount_is_ours(const struct mount *mount);

/* Makes @to, which is not initialised, a copy of @from. 0 or -ENOMEM. */
int mount_copy(const struct mount *from, struct mount *to);

/* The first mount of type @fstype in our own namespace, one of the whole filesystem where
 * there is one. 0; -ENOENT; -errno. */
int mount_find_by_type(const char *fstype, struct mount *out);

/* The mount in our own namespace that @path, absolute, is on by its letters: no symbolic link
 * is followed and no filesystem asked, which may not answer. 0; -ENOENT; -errno. */
int mount_find_by_letters(const char *path, struct mount *out);

/* Calls @each with every mount that @pid sees of what has lost its name ("//deleted" in
 * mountinfo: a bind mount whose source was unlinked), until it returns other than 0.
 * @mount is not the callee's, and it must not ask for mounts itself; @data is handed to
 * it. What @each returned; -ESRCH when @pid has exited; -errno. */
int mount_each_deleted(pid_t pid, int (*each)(const struct mount *mount, void *data),
		       void *data);

/* Whether what is mounted has lost its name. */
bool mount_is_deleted(const struct mount *mount);

/* Whether @fstype is of filesystems whose server may never answer: who asks it, waits. */
bool mount_may_hang(const char *fstype);

/* Forgets the tables: mounts change. */
void mount_cache_drop(void);

/* Opens (O_PATH | O_DIRECTORY) the root directory of mount @id, reached through
 * /proc/@pid/root, and checks that it is on that very mount (STATX_MNT_ID, 5.8). Tries
 * @pid's root, then our own, then the first process's. Returns the fd; -ENOENT when the mount is not reachable,
 * -EXDEV when something is mounted over it, -ENOTDIR for the mount of a single file;
 * -errno. */
int mount_open_root(pid_t pid, int id);

/* As mount_open_root(), of what @pid sees, and whatever is mounted: also a single file.
 */
int mount_open_point(pid_t pid, int id);

/* The mount id of what @fd is on (statx, STATX_MNT_ID). 0 or -errno. */
int mount_id_of_fd(int fd, int *id);

#endif

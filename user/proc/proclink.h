/* SPDX-License-Identifier: GPL-2.0-only */
/* One magic link of /proc (fd/N, map_files/START-END, exe, cwd, root; proc(5)): whether
 * what it leads to is an unlinked dentry. */
#ifndef RELINKTRACE_PROCLINK_H
#define RELINKTRACE_PROCLINK_H

#include <stdbool.h>
#include <sys/stat.h>

struct proclink {
	char *path;	  /* owned; as it was, seen from our root; NULL: above PATH_MAX */
	struct statx stx; /* with STATX_MNT_ID; what the kernel knows, nobody is asked */
};

/* Frees what @link owns; for AUTO(). */
void proclink_fini(struct proclink *link);

/* Looks at link @name below @task_fd (/proc/PID or /proc/PID/task/TID, open). Never opens
 * the file itself, so that no FIFO, device or server can make it wait. Returns
 *   1, and *@out is filled: an unlinked name of a filesystem, nlink 0 or not;
 *   0: anything else. Memfds, SysV shm, shared anonymous memory and their like have
 *      "(deleted)" in their text as well, but never had a name: they live on mounts
 *      inside the kernel, known by their device;
 *   -ENAMETOOLONG: its path is above PATH_MAX and nlink is not 0, so nobody can tell;
 *   -errno: ENOENT, ESRCH when it is gone; EACCES, EPERM; ….
 * Where the text ends with " (deleted)" and nlink is not 0, the name is looked up below
 * the task's root: it is no orphan when the very inode is found there by this text, as
 * where " (deleted)" is part of the name. An unlinked "a" with a second link called
 * "a (deleted)" beside it is taken for that one; its contents have a name all the same.
 */
int proclink_read(int task_fd, const char *name, struct proclink *out);

/* Whether @path is how d_path(9) shows a file of a mount inside the kernel for which
 * there is no device to compare: aio rings, DMA buffers, GEM objects of some drivers. To
 * be asked only for what is on no mount that a mountinfo lists. */
bool proclink_is_internal(const char *path);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The root directory of an orphan's mount, reached by whatever leads there. */
#ifndef RELINKTRACE_MOUNTROOT_H
#define RELINKTRACE_MOUNTROOT_H

#include "proc/mount.h"

struct mountroot {
	struct mount mount; /* the orphan's; owned */
	int fd;		    /* O_PATH; owned */
	/* NULL where @fd is on that very vfsmount. Else it is the same directory on
	 * another mount of ours, where the kernel refuses links (EXDEV) and copies go
	 * their way: why it had to be. Static. */
	const char *detour;
};

#define MOUNTROOT_INIT                                                                   \
	{                                                                                \
		.fd = -1                                                                 \
	}

/* Frees what @root owns; for AUTO(). */
void mountroot_fini(struct mountroot *root);

/* Reaches the root of mount @id, through which @pid holds a file that the caller has open
 * (so that the id cannot become another mount's). Tried in this order: the mount point;
 * where another mount covers that, the cwd, the root and the open directories of @pid, and
 * up from there; where none leads there or the mount is read-only or idmapped, another
 * writable mount of the same filesystem, in our own namespace or the first process's, that has
 * the directory in it: never anything above it. 0; -ENOENT in no mountinfo (umount -l); -ENOTDIR the mount of a single file;
 * -EXDEV, -EROFS; -errno; and the reason with what to do in @why. */
int mountroot_open(pid_t pid, int id, struct mountroot *out, char **why);

#endif

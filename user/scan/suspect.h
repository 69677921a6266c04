/* SPDX-License-Identifier: GPL-2.0-only */
/* What may hold an orphan although no task does: loop devices whose file is deleted, and
 * mounts of what is deleted. Each is opened, so that its file can be told. */
#ifndef RELINKTRACE_SUSPECT_H
#define RELINKTRACE_SUSPECT_H

#include "orphan/orphan.h"
#include "proc/mount.h"
#include "proc/target.h"

struct suspect {
	enum rt_holder_kind kind; /* RT_HOLDER_LOOP or RT_HOLDER_MOUNT */
	int fd; /* owned; the device, readable, or the mount point, O_PATH; -1 not to be
		   had */
	char *path; /* owned; loop: the backing file's, without " (deleted)"; NULL unknown
		     */
	uint64_t loop;	    /* N of /dev/loopN */
	struct mount mount; /* kind mount */
	pid_t pid, tid;	    /* kind mount: a task in whose namespace it is, of the target
			   where there is one; tid 0 the main thread */
	bool wanted;	    /* kind mount: that task is of the target */
};

struct suspects {
	struct suspect *suspects; /* owned */
	size_t n;
};

/* Finds them all: every loop device, and the mounts in the mount namespaces of all tasks.
 * One that cannot be opened (a mount point that is covered, no device node) is there
 * with fd -1. 0 or -errno. */
int suspects_find(const struct target *target, struct suspects *out);

/* Whether there may be a mount among them that a task of @target has, some cgroups: those of
 * nobody else are looked at. */
bool suspects_in(const struct target *target);

/* Closes and frees what @suspects owns; for AUTO(). */
void suspects_fini(struct suspects *suspects);

#endif

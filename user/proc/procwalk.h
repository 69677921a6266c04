/* SPDX-License-Identifier: GPL-2.0-only */
/* Who holds which unlinked dentry, read from /proc alone: for kernels or users that the
 * holder iterators refuse. The same answer as theirs, at some 3 µs an fd. */
#ifndef RELINKTRACE_PROCWALK_H
#define RELINKTRACE_PROCWALK_H

#include "orphan/orphan.h"
#include "target.h"

/* Adds to @set every orphan that a task of @target holds (fds of every distinct table,
 * mappings, exe, cwd, root). Processes that vanish meanwhile are skipped; those that
 * cannot be read are counted in set->unread and clear set->complete; so do links that
 * cannot be decided, see proclink.h, and sockets and io_urings that have files. Each is logged
 * once, with its count. ofd is told by kcmp(2) where that is allowed, else 0. tid is set too for the mappings and the exe of a
 * process whose main thread has exited: they are in /proc/TID then. 0; -ESRCH when there
 * is no process target->pid; -errno; @set may then be in part filled. */
int procwalk_scan(const struct target *target, struct orphan_set *set);

/* What procwalk_scan() looks at. */
enum {
	PROCWALK_HELD = 1, /* fds, exe, cwd, root */
	/* For kernels without iter/task_vma (before 5.12, 3a7b35b899de "bpf: Introduce task_vma
	 * bpf_iter"). */
	PROCWALK_MAPS = 2,
	/* Adds nothing; logs, and clears set->complete, where sockets or io_urings have files: for
	 * iterators that do not walk whole tables (bpf/tables.h; before 6.1). */
	PROCWALK_HIDDEN = 4,
};

/* As procwalk_scan(), in one walk, for @parts of it. */
int procwalk_scan_parts(const struct target *target, unsigned int parts,
			struct orphan_set *set);

#endif

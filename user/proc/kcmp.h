/* SPDX-License-Identifier: GPL-2.0-only */
/* Which tasks and fds share one kernel object, told by kcmp(2). Both tasks must be
 * readable to the caller (PTRACE_MODE_READ_REALCREDS), as their fds in /proc must. */
#ifndef RELINKTRACE_KCMP_H
#define RELINKTRACE_KCMP_H

#include <stddef.h>
#include <sys/types.h>

#include <linux/kcmp.h>

#include "orphan/orphan.h"

/* Tasks that have different tables, of fds or of cwd and root. */
struct kcmp_tables {
	enum kcmp_type type; /* KCMP_FILES or KCMP_FS */
	pid_t *tids;	     /* owned */
	size_t n;
};

/* Frees what @tables owns; for AUTO(). */
void kcmp_tables_fini(struct kcmp_tables *tables);

/* Adds @tid unless its table is one of @tables. 1 added, 0 not; -EPERM, -ENOSYS when kcmp
 * is refused; -ENOMEM. A task that vanishes counts as different. */
int kcmp_tables_add(struct kcmp_tables *tables, pid_t tid);

/* Gives those fds of each orphan in @set that share an open file description equal ofd
 * numbers. Where kcmp is refused, or a holder vanishes, what could not be compared keeps
 * 0; the first fd of an inode needs no comparison. 0 or -ENOMEM. */
int kcmp_find_ofds(struct orphan_set *set);

#endif

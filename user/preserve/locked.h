/* SPDX-License-Identifier: GPL-2.0-only */
/* Which locks an orphan's holders have, as the kernel shows them. */
#ifndef RELINKTRACE_LOCKED_H
#define RELINKTRACE_LOCKED_H

#include "manifest/filelock.h"
#include "orphan/orphan.h"

/* Adds to @out the locks that are shown with each fd that holds @orphan
 * (proc_pid_fdinfo(5)); one of a description that several fds share once. A holder that is
 * gone has none. @orphan is from after they were frozen, if they are. 0 or -ENOMEM. */
int locked_read(const struct orphan *orphan, struct filelocks *out);

/* Whether @lock was of the description that @holder, one of @orphan, had; and for a posix
 * one, unless @whoever, also of its process. */
bool locked_is_of(const struct orphan *orphan, const struct filelock *lock,
		  const struct holder *holder, bool whoever);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking the locks again that were recorded. What cannot be taken is logged: the program
 * is better off with the file than without. */
#ifndef RELINKTRACE_RELOCK_H
#define RELINKTRACE_RELOCK_H

#include "manifest/manifest.h"

/* Takes on @fd, the new description of what @holder held of @entry, what is of a
 * description: flock, ofd and lease. Waits for nobody. */
void relock_description(int fd, const struct manifest_entry *entry,
			const struct holder *holder);

/* Takes the posix ones through @fd, for this process: those that @holder's process had, or
 * with @whoever any that shared the description. They go with the first close of any fd of
 * that file (fcntl_locking(2)). */
void relock_process(int fd, const struct manifest_entry *entry,
		    const struct holder *holder, bool whoever);

/* Logs each posix lock of @entry (with @holder other than 0, of that process): where no
 * program is executed nobody can be given it. */
void relock_report(const struct manifest_entry *entry, pid_t holder);

/* How @lock is told to people, as in "posix write lock of bytes 0-9"; in @text of @size
 * bytes, 96 are enough. */
void relock_describe(const struct filelock *lock, char *text, size_t size);

#endif

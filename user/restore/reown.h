/* SPDX-License-Identifier: GPL-2.0-only */
/* Naming the receiver of a description's signals again. What cannot be is logged: the
 * program is better off with the file than without. */
#ifndef RELINKTRACE_REOWN_H
#define RELINKTRACE_REOWN_H

#include "manifest/manifest.h"

/* For this process, which a program is executed in: has the signals of @fd, in place of what
 * @holder held of @entry, sent to it where they went to @holder's process (or its main
 * thread, or a group that it led while we lead ours). */
void reown_description(int fd, const struct manifest_entry *entry,
		       const struct holder *holder);

/* Logs each that @entry has (with @holder other than 0, of that process): where no program
 * is executed there is nobody to name. */
void reown_report(const struct manifest_entry *entry, pid_t holder);

#endif

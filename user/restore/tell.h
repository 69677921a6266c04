/* SPDX-License-Identifier: GPL-2.0-only */
/* What does not come back as it was is told. */
#ifndef RELINKTRACE_TELL_H
#define RELINKTRACE_TELL_H

#include "manifest/manifest.h"

/* What the description of @holder had and @fd, which is in its place, does not. */
void tell_flags(int fd, const struct manifest_entry *entry, const struct holder *holder);

/* What process @pid (0: nobody is followed) had otherwise than open comes back open: no other
 * program can be given mappings, or be moved into a root directory that has nothing to
 * execute. @opened: by an fd of its own, from which it can be mapped as before. */
void tell_unlike(const struct manifest_entry *entry, pid_t pid, bool opened);

#endif

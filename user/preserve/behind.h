/* SPDX-License-Identifier: GPL-2.0-only */
/* Getting at an orphan that no link in /proc leads to: by its mount point, by file handle,
 * or in the socket that it waits in. */
#ifndef RELINKTRACE_BEHIND_H
#define RELINKTRACE_BEHIND_H

#include "source.h"

/* Opens @orphan, whose mount (id and point) is from then on one that names can be made
 * on, as source->holder sees it: one of the orphan's holders, or this process itself.
 * @frozen as in peek.h. 0; -errno with all ways and why they failed in @why; -ENOMEM. */
int behind_open(struct orphan *orphan, bool frozen, struct source *out, char **why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel half does not tell of an orphan, asked from user space for the few that
 * there are. */
#ifndef RELINKTRACE_DETAILS_H
#define RELINKTRACE_DETAILS_H

#include "orphan/orphan.h"

/* Fills in, for every orphan of @set where it is not there yet: path (the holder's link
 * in /proc, or its file handle where no link leads to it), mount point, cgroup path, and
 * the size and allocated bytes as the filesystem itself counts them. A holder that is gone meanwhile leaves them as they are. */
void details_fill(struct orphan_set *set);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* How many bytes a checkpoint may keep allocated. */
#ifndef RELINKTRACE_BUDGET_H
#define RELINKTRACE_BUDGET_H

#include "preserve.h"

/* Whether the names of @set would keep no more than options.max_bytes. 0; -EDQUOT they
 * would, which is logged. */
int budget_check(struct preserve *preserve, const struct orphan_set *set);

#endif

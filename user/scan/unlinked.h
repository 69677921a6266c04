/* SPDX-License-Identifier: GPL-2.0-only */
/* What an entry of the map of orphans tells by itself: who unlinked it, and when. */
#ifndef RELINKTRACE_UNLINKED_H
#define RELINKTRACE_UNLINKED_H

#include "orphan/orphan.h"
#include "proc/target.h"

/* Who unlinked what @known is the entry of; known is false where no hook saw it. */
struct unlinker unlinked_by(const struct rt_orphan *known);

/* Fills the zeroed @orphan with what the map of orphans knew, as one that belongs to its
 * unlinker since no holder is known. False, and @orphan untouched, when the unlinker is
 * not of @target. */
bool unlinked_fill(const struct rt_orphan *known, const struct target *target,
		   struct orphan *orphan);

#endif

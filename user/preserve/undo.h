/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking back what a checkpoint made: all of it, or what turned out not to last. */
#ifndef RELINKTRACE_UNDO_H
#define RELINKTRACE_UNDO_H

#include "preserve.h"

/* Removes the name of @entry, which did not come into the manifest; one that is left is
 * logged and counted in @preserve. */
void undo_entry(struct preserve *preserve, const struct manifest_entry *entry);

/* Moves @entry's orphan to those that failed, with @error (-errno), @text and what can be
 * done. 0 or -ENOMEM. */
int undo_add_failed(struct manifest *manifest, struct manifest_entry *entry, int error,
		    const char *text);

/* Brings all names to the disk. Those that may not have come there are removed again, and
 * what had them has failed; one that cannot be removed stays in its entry, which says so,
 * for clean to find it, and is counted in preserve->n_volatile. 0 or -ENOMEM. */
int undo_volatile(struct preserve *preserve);

/* Brings preserve->unsynced to the disk; of those that may not have come there as
 * undo_volatile(). 0 or -ENOMEM. */
int undo_unsynced(struct preserve *preserve);

/* Moves @entry, which has no name, to those that failed, as undo_add_failed(); then
 * undo_drop_failed(). 0 or -ENOMEM. */
int undo_unnamed(struct manifest *manifest, struct manifest_entry *entry, int error,
		 const char *text);

/* Takes out of the entries those that have failed since they came there. */
void undo_drop_failed(struct manifest *manifest);

#endif

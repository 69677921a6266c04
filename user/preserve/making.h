/* SPDX-License-Identifier: GPL-2.0-only */
/* How the folders for names come into being, and who removes them: all checkpoints that put
 * names there record them, and the one that is cleaned last finds them empty. */
#ifndef RELINKTRACE_MAKING_H
#define RELINKTRACE_MAKING_H

#include "folder.h"

/* Makes what is missing of the folders on the way to @relink_path, below the root of
 * @folder's mount, which @holder sees (not used in a store); adds them to @manifest, and to
 * the journal of @set before they are there. 0; -EEXIST something else is in the way;
 * -errno; and the reason in @why. */
int making_all(struct folder_set *set, struct manifest *manifest,
	       const struct folder *folder, const struct holder *holder,
	       const char *relink_path, char **why);

/* When @folder is open: adds to both those on the way that other checkpoints made (mark.h).
 * They stay where their checkpoint is cleaned before this one. 0; -ENOENT it is not @folder
 * any more that @relink_path leads into; -errno; and the reason in @why. */
int making_adopt(struct folder_set *set, struct manifest *manifest,
		 const struct folder *folder, const struct holder *holder,
		 const char *relink_path, char **why);

#endif

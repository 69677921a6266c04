/* SPDX-License-Identifier: GPL-2.0-only */
/* What a checkpoint left that did not come to its end: found by its journal, and removed.
 */
#ifndef RELINKTRACE_UNFINISHED_H
#define RELINKTRACE_UNFINISHED_H

#include "clean.h"

enum unfinished_state {
	UNFINISHED_NONE,      /* there is no journal */
	UNFINISHED_CLEAN,     /* all that it made is gone, and so is the journal */
	UNFINISHED_LEFT,      /* something is left, each is logged; the journal stays */
	UNFINISHED_ABANDONED, /* it did finish by its deadline: what it had left half made is
				 gone, and the journal too */
	UNFINISHED_FINISHED, /* the checkpoint did finish: its manifest is what counts, and
				only the journal was removed */
};

/* Removes what the journal beside the manifest @path tells of, if it is that of checkpoint
 * @id (NULL: of any): names that are of the files
 * recorded, empty folders, the temporary manifest, the entry of the index, and in the end
 * the journal. Counts names in @result. An enum unfinished_state; -EWOULDBLOCK the
 * checkpoint is still at work; -EINVAL the journal is damaged; -errno; and the reason in
 * @why. */
int unfinished_clean(const char *path, const char *id, struct clean_result *result,
		     char **why);

#endif

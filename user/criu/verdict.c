/* SPDX-License-Identifier: GPL-2.0-only */
#include "verdict.h"

#include <sys/stat.h>

static const struct {
	const char *name;
	const char *text;
} verdicts[] = {
	[VERDICT_GHOST] = {"ghost", "copied into the image while the program is frozen"},
	[VERDICT_GHOST_SIZE] =
		{"ghost-or-abort",
		 "its size is above the ghost limit, what it has allocated is "
		 "not: aborts before criu 3.18"},
	[VERDICT_TOO_LARGE] = {"abort", "above the ghost limit of 1 MiB: the dump fails"},
	[VERDICT_LINK_REMAP] =
		{"link-remap",
		 "the dump fails without --link-remap, and with "
		 "--leave-running the name is gone before it can be archived"},
	[VERDICT_NOT_SEEN] = {"not-seen",
			      "no task's table has it: it is not in the image"},
};

const char *verdict_name(enum verdict verdict)
{
	return verdicts[verdict].name;
}

const char *verdict_text(enum verdict verdict)
{
	return verdicts[verdict].text;
}

enum verdict verdict_of(const struct orphan *orphan)
{
	if (!orphan_first_linked(orphan))
		return VERDICT_NOT_SEEN;
	if (orphan->nlink)
		return VERDICT_LINK_REMAP;
	if (orphan->allocated > CRIU_GHOST_LIMIT)
		return VERDICT_TOO_LARGE;
	if (S_ISREG(orphan->mode) && orphan->size > CRIU_GHOST_LIMIT)
		return VERDICT_GHOST_SIZE;
	return VERDICT_GHOST;
}

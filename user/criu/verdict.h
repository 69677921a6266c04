/* SPDX-License-Identifier: GPL-2.0-only */
/* What CRIU alone does with an unlinked file (criu/files-reg.c, check_path_remap). */
#ifndef RELINKTRACE_VERDICT_H
#define RELINKTRACE_VERDICT_H

#include "orphan/orphan.h"

/* Its default --ghost-limit. */
#define CRIU_GHOST_LIMIT (1U << 20)

enum verdict {
	VERDICT_GHOST, /* no link left: contents go into the image, under the freeze */
	VERDICT_GHOST_SIZE, /* as above from 3.18 on; older ones go by st_size, and abort */
	VERDICT_TOO_LARGE,  /* no link left, above the limit: the dump aborts */
	VERDICT_LINK_REMAP, /* another link: aborts, if not told --link-remap */
	VERDICT_NOT_SEEN,   /* held in a way that is no task's: not in the image */
};

/* "ghost", "ghost-or-abort", "abort", "link-remap" or "not-seen". */
const char *verdict_name(enum verdict verdict);

/* One sentence on why, and what would help. */
const char *verdict_text(enum verdict verdict);

/* The verdict on @orphan, whose nlink, size and allocated are the kernel's. Pure. */
enum verdict verdict_of(const struct orphan *orphan);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Many ladders a step further at a time: what comes before the names, one sync, the names. */
#ifndef RELINKTRACE_DESCENT_H
#define RELINKTRACE_DESCENT_H

#include "ladder.h"
#include "preserve.h"

/* One of them. */
struct descent {
	struct ladder ladder;	     /* owned */
	const struct holder *holder; /* by whom its folder is reached; not owned */
	bool pending;		     /* it has neither its name nor failed */
	int ret;		     /* 0 preserved; -errno, with the reason in why */
	char *why;		     /* owned; NULL none */
};

/* Frees what @descent owns, and removes what was made and has not its name; for AUTO(). */
void descent_fini(struct descent *descent);

/* Gets its folder again where that was not looked at in this round: it may have been removed since.
 * 0; -errno and the reason in @descent->why. */
int descent_renew(struct preserve *preserve, struct descent *descent);

/* Whether any of the @n of @descents is pending. */
bool descent_any_pending(struct descent *const *descents, size_t n);

/* Brings every pending one of the @n of @descents, which are not owned, a step further, and ends
 * this round of the folders. 0; what ends the whole: -EINTR, -ENOMEM, -errno of the journal, which
 * was logged. */
int descent_round(struct preserve *preserve, struct descent *const *descents, size_t n);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A checkpoint of a transaction while it is made: which orphans it is of, where its copies go,
 * and what CRIU is told. */
#ifndef RELINKTRACE_AGENT_MAKING_H
#define RELINKTRACE_AGENT_MAKING_H

#include "actions.h"
#include "criu/prepare.h"
#include "links.h"
#include "transaction.h"

/* What the callbacks of the checkpoint are handed. */
struct making {
	struct txn *txn;
	const char *dir;		 /* of its generation */
	const struct links_files *files; /* only these; NULL any */
	/* The checkpoint that this one is made in place of, and whose names are there; NULL
	 * none. */
	const struct manifest *earlier;
	const char *store; /* not owned; NULL none */
	char *storeless;   /* owned; why there is none where one is made by itself */
	/* Keys, owned; config NULL: nobody but the caller has to find them. */
	struct criu_prepare prepare;
};

/* Frees what @making owns; for AUTO(). */
void making_fini(struct making *making);

/* Whether there is to be a store where none was asked for. */
bool making_stores_by_itself(const struct action_wish *wish);

/* Finds where the store by itself will be, into @making->txn, whose state is to be on the disk
 * before making_open_store(). */
void making_find_store(struct making *making, const struct action_wish *wish);

/* Makes the store; where that cannot be, it goes without. */
void making_open_store(struct making *making, const struct action_wish *wish);

/* Whether there is a store where one is asked for. 0; -EAGAIN, which is told. */
int making_check_store(const struct making *making, const struct action_wish *wish,
		       struct report *report);

/* What came of the store that is made by itself. */
void making_settle_store(struct making *making, const struct action_wish *wish,
			 struct manifest *manifest);

/* Makes the checkpoint. As checkpoint_run(). */
int making_run(struct making *making, const struct action_wish *wish,
	       struct manifest *out);

#endif

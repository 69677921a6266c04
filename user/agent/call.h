/* SPDX-License-Identifier: GPL-2.0-only */
/* A call of an agent's: the action by its name, and what it takes. */
#ifndef RELINKTRACE_CALL_H
#define RELINKTRACE_CALL_H

#include "actions.h"

/* What an action may take, as letters. */
enum {
	CALL_STRICT = 's',
	CALL_IMAGES = 'I',
	CALL_EXTERNAL = 'e',
	CALL_CONFIG = 'f',
	CALL_TREE = 't',
	CALL_ROOT = 'r',
	CALL_KEEP = 'k',
	CALL_CGROUP = 'c',
	CALL_STORE = 'S',
	CALL_MOUNTS = 'M',
	CALL_NO_STORE = 'n',
	CALL_WAIT = 'w',
};

struct call_action {
	const char *name;
	void (*run)(struct txn *txn, const struct action_wish *wish,
		    struct report *report);
	bool create;	   /* the transaction, where it is not there */
	const char *takes; /* letters of the above */
	const char *doc;   /* for --help */
};

/* The action @name; NULL. */
const struct call_action *call_find(const char *name);

/* Opens transaction @id into @txn (TXN_INIT) and does @action; all that there is to say is in
 * @report, which has begun. */
void call_run(const struct call_action *action, const char *id,
	      const struct action_wish *wish, struct txn *txn, struct report *report);

/* "[POINT=]DIR" with an absolute DIR, for a later call; owned by the caller; NULL, and
 * errno. */
char *call_root(const char *spec);

#endif

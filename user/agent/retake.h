/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that a transaction is of once more, in place of what there is: the runtime pauses
 * after `prepare`, and only then a copy is of the moment of the dump.
 *
 * The names of both are there until the new ones are found by whoever looks, so that a dump that
 * comes at any time, or after we were killed, has what it was told of. */
#ifndef RELINKTRACE_RETAKE_H
#define RELINKTRACE_RETAKE_H

#include "actions.h"
#include "transaction.h"

/* Makes a new checkpoint of @txn, which was prepared with @wish, and whose cgroup
 * (@wish->target) is frozen and stays so. 0; -errno, logged: what was prepared before counts
 * (see undo_attempt()). */
int retake(struct txn *txn, const struct action_wish *wish);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The keeper: a process that waits, when `prepare` is through, for the pause that a runtime makes
 * for its checkpoint by itself, and takes everything again within it (retake.h).
 *
 * Whoever freezes a cgroup writes cgroup.freeze, and then reads in cgroup.events whether all have
 * stopped (runc: fs2/freezer.go, waitFrozen). The keeper is asked before the latter is opened
 * (fanotify(7), FAN_OPEN_PERM) and lets it be opened when the copies are there: so the pause has
 * not come to its end yet, and nothing is archived or dumped. Only who has written the one and
 * opens the other is kept waiting; cgroup.freeze itself can always be opened, so that thawing needs nobody. When the
 * keeper is killed the kernel lets everybody go on.
 */
#ifndef RELINKTRACE_KEEPER_H
#define RELINKTRACE_KEEPER_H

#include "actions.h"
#include "transaction.h"

/* Starts the keeper of @txn, which is prepared with @wish: in a session of its own, with nothing
 * of ours open. It ends by itself when @wish->wait is over, when @txn is not prepared any more, or
 * its cgroup is empty. 0 and its process id in *@pid, also of one that there is; -errno and the
 * reason in @why. */
int keeper_start(const struct txn *txn, const struct action_wish *wish, pid_t *pid,
		 char **why);

/* Whether @txn has a keeper, whose process id is *@pid then. */
bool keeper_is_there(const struct txn *txn, pid_t *pid);

/* Logs what the keeper of @txn had to say. Whether it had one. */
bool keeper_tell(const struct txn *txn);

#endif

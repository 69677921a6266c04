/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking back what a transaction made. */
#ifndef RELINKTRACE_UNDO_H
#define RELINKTRACE_UNDO_H

#include "restore/clean.h"
#include "restore/roots.h"
#include "transaction.h"

/* Removes what the checkpoints of @txn before generation @before left, finished or killed;
 * UINT_MAX for all. Counts in @result; one of which nothing is left is forgotten. */
void undo_checkpoints(struct txn *txn, unsigned int before, struct clean_result *result);

/* Ends the attempt to take all again that @txn tells of, and that nobody is at work at: where
 * it came so far that a dump may have been told of it, it counts; else what it made is removed,
 * and what there was before counts. 0, also where there is none; -errno and the reason in @why.
 */
int undo_attempt(struct txn *txn, char **why);

/* Opens the roots that @txn remembers. 0; -errno and the reason in @why. */
int undo_roots(const struct txn *txn, struct roots *out, char **why);

/* Removes the names that pre-restore made for CRIU, which removes them itself where it came
 * so far. 0; -errno: logged, and what is left is still to be removed. */
int undo_links(struct txn *txn);

/* Takes the options for the dump, which is over, out of the file that CRIU reads them from.
 * 0, also where there is none; -errno and the reason in @why. */
int undo_config(const struct txn *txn, char **why);

/* Reads the manifest of @txn. 0; -errno and the reason in @why. */
int undo_read(const struct txn *txn, struct manifest *out, char **why);

#endif

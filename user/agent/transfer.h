/* SPDX-License-Identifier: GPL-2.0-only */
/* A transaction that travels with CRIU's images, or in a folder beside an archive. */
#ifndef RELINKTRACE_TRANSFER_H
#define RELINKTRACE_TRANSFER_H

#include "transaction.h"

/* The state in a folder of images. */
#define TRANSFER_STATE "relinktrace-hook.json"

/* Copies manifest, keys and state of @txn into the folder @images, in place of another copy
 * that is there. 0; -EEXIST a manifest is there that is no copy; -errno; and the reason in
 * @why. */
int transfer_out(const struct txn *txn, const char *images, char **why);

/* Makes @txn, of which nothing is known here and whose directory is there, what the folder
 * @images tells of. 0; -ENOENT it tells of none; -errno; and the reason in @why. */
int transfer_in(struct txn *txn, const char *images, char **why);

#endif

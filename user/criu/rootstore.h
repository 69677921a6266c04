/* SPDX-License-Identifier: GPL-2.0-only */
/* The store in a container's own root: a runtime's archive carries it as all else that was
 * written there, and a restore finds it where the signposts lead (signposts.h), with nothing
 * else to be done. */
#ifndef RELINKTRACE_ROOTSTORE_H
#define RELINKTRACE_ROOTSTORE_H

#include <sys/types.h>

#include "manifest/manifest.h"

/* Finds where the store of the container whose first process is @tree would be, by a mount of
 * ours, or of the first process, that may be written to: a later call has to find it when no
 * process of the container is there. *@path, with MOUNT_MACHINE before it in the latter case, is
 * owned by the caller. 0; -ENOENT that root is in sight nowhere, or is no
 * container's but the machine's; -errno; and the reason in @why. */
int rootstore_find(pid_t tree, char **path, char **why);

/* Warns of how many of @manifest are in no store, and would be in that one if it were there, which
 * it is not by @why. */
void rootstore_tell_missed(const struct manifest *manifest, const char *why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Removed directories that were one inside the other are so again: ".." of one leads to the
 * other as it did, for whoever has the one as its working directory and the other open. */
#ifndef RELINKTRACE_NEST_H
#define RELINKTRACE_NEST_H

#include "manifest/manifest.h"

struct nest {
	int *fds; /* owned; O_PATH, one for each entry of the manifest, -1 none; NULL not
		   * asked for yet */
	size_t n;
};

/* Closes and frees what @nest holds; for AUTO(). */
void nest_fini(struct nest *nest);

/* Whether @entry is a directory that is to be made again, and another such one of @manifest
 * was in it, or around it. */
bool nest_has(const struct manifest *manifest, const struct manifest_entry *entry);

/* Warns where @entry was in a removed directory that is not to be made again, since nobody
 * held it: what it was like is in no manifest. */
void nest_tell_lost(const struct manifest *manifest, const struct manifest_entry *entry);

/* Opens (O_PATH) @entry, made again together with all that it is nested with, once for all
 * of them. The fd, owned by the caller; -ELOOP they are in each other; -errno; and the
 * reason in @why. */
int nest_open(struct nest *nest, const struct manifest *manifest,
	      const struct manifest_entry *entry, char **why);

#endif

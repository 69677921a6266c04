/* SPDX-License-Identifier: GPL-2.0-only */
/* Preserving: every orphan gets a name again by the cheapest true way, and what was done
 * goes into a manifest. */
#ifndef RELINKTRACE_PRESERVE_H
#define RELINKTRACE_PRESERVE_H

#include "folder.h"
#include "manifest/manifest.h"

struct preserve_options {
	enum method method; /* METHOD_AUTO, or the only one to be tried */
	bool stop; /* the holders end after this, so an O_TMPFILE may be linked */
};

struct preserve {
	struct preserve_options options;
	struct manifest *manifest; /* not owned; outlives this */
	struct folder_set folders;
	unsigned int next_n;
	bool kept;
};

/* For preserve_fini() from then on. @manifest has been begun and outlives @preserve. */
void preserve_begin(struct preserve *preserve, const struct preserve_options *options,
		    struct manifest *manifest);

/* Preserves every orphan of @set, and moves each into the manifest: to its entries, or
 * with the reason to those that failed. manifest->complete is set. 0, also when some
 * failed; -EINTR when interrupt_pending(); -errno: the reason is logged. */
int preserve_all(struct preserve *preserve, struct orphan_set *set);

/* The manifest is on disk: the names stay. */
void preserve_keep(struct preserve *preserve);

/* Removes every name and folder that was made, unless they are kept, and frees what
 * @preserve owns; for AUTO(). What cannot be removed is logged. */
void preserve_fini(struct preserve *preserve);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder in which files are made that are to lose their name at once: in the root of
 * their mount, 0700, with the checkpoint's id in its name, so that what a restore leaves that
 * is killed meanwhile is found. */
#ifndef RELINKTRACE_DEN_H
#define RELINKTRACE_DEN_H

#include "manifest/manifest.h"

/* What has a name in it; one at a time, but for directories inside of it. */
#define DEN_NAME "node"

/* So many of these one inside the other: a path has no more folders (PATH_MAX). */
#define DEN_DEPTH 2048

struct den {
	int parent; /* O_PATH; owned; -1 unset */
	int fd;	    /* of the folder, O_PATH; owned */
	char name[64];
};

#define DEN_INIT                                                                         \
	{                                                                                \
		.parent = -1, .fd = -1                                                   \
	}

/* Makes one on the mount of @entry. 0; -ESTALE it was replaced while it was made; -errno;
 * and the reason in @why. */
int den_make(const struct manifest *manifest, const struct manifest_entry *entry,
	     struct den *out, char **why);

/* Removes what is in it, and it, and closes it; for AUTO(). */
void den_fini(struct den *den);

/* Removes those that killed restores of @manifest left. How many could not be removed; each
 * is logged. */
size_t den_clean(const struct manifest *manifest);

#endif

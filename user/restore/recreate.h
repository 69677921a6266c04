/* SPDX-License-Identifier: GPL-2.0-only */
/* Making again what has no contents: directories, FIFOs, sockets, devices, symlinks. */
#ifndef RELINKTRACE_RECREATE_H
#define RELINKTRACE_RECREATE_H

#include "manifest/manifest.h"

/* Makes the file of @entry (method recreate) on its mount, with owner, permissions and
 * other attributes, under a name in a folder of its own (den.h); both are removed again.
 * The O_PATH fd of the file, which has no name any more, owned by the caller; -errno and
 * the reason in @why. */
int recreate(const struct manifest *manifest, const struct manifest_entry *entry,
	     char **why);

/* The two steps of recreate_at(): the node alone, mode 0700 or 0600, and all that makes it
 * the one of @entry. The O_PATH fd, owned by the caller; 0; -errno and the reason in @why. */
int recreate_bare(int dir_fd, const char *name, const struct manifest_entry *entry,
		  char **why);
int recreate_dress(int fd, const char *name, const struct manifest_entry *entry,
		   char **why);

/* The same as recreate() under @name in folder @dir_fd, which nobody else may write to, and it stays
 * there. */
int recreate_at(int dir_fd, const char *name, const struct manifest_entry *entry,
		char **why);

#endif

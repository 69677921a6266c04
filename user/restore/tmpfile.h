/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving back an O_TMPFILE that its program can still link. */
#ifndef RELINKTRACE_TMPFILE_H
#define RELINKTRACE_TMPFILE_H

#include "manifest/manifest.h"

/* Whether the file of @entry was an O_TMPFILE that nobody had linked: then the name that
 * leads to what was preserved cannot be removed without taking the program's own right to
 * link it away (I_LINKABLE goes with the first link and never comes back; fs/namei.c,
 * vfs_link). One opened with O_EXCL, or linked before, had no such right: linkat refused it
 * with ENOENT when it was preserved. */
bool tmpfile_is_wanted(const struct manifest_entry *entry);

/* Makes an O_TMPFILE with everything that the file behind @preserved (O_PATH, verified) has,
 * by FICLONE or else a copy, in the folder where the program had it, else in the one that
 * the relink name is in. The fd, owned by the caller, open for reading and writing;
 * -errno and the reason in @why. */
int tmpfile_make(const struct manifest *manifest, const struct manifest_entry *entry,
		 int preserved, char **why);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Removing what a checkpoint left, whether it came to its end or was killed. */
#ifndef RELINKTRACE_CLEANUP_H
#define RELINKTRACE_CLEANUP_H

#include "clean.h"

/* Removes what the checkpoint left that was to be written to manifest @path, with @id only
 * where it is that one (NULL: any); its store is @store now (NULL: found by the manifest).
 * Counts in @result. 0 or -errno: logged. */
int clean_checkpoint(const char *path, const char *id, const char *store,
		     struct clean_result *result);

#endif

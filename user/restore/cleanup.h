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

/* The same of the checkpoint whose manifest or journal is @path. Where there is a deadline
 * (interrupt_at()), here and below, see apart.h. */
int cleanup_path(const char *path, const char *store, struct clean_result *result);

/* The same of checkpoint @id, wherever its manifest is. Where it is not known that is logged,
 * and there is nothing to do. */
int cleanup_id(const char *id, struct clean_result *result);

/* The same of every checkpoint that is older than @age seconds. One that fails keeps none of
 * the others; the first error is returned. */
int cleanup_expired(long age, struct clean_result *result);

#endif

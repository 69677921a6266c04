/* SPDX-License-Identifier: GPL-2.0-only */
/* What every function of the library begins and ends with. */
#ifndef RELINKTRACE_HANDLE_H
#define RELINKTRACE_HANDLE_H

#include <jansson.h>

#include "preserve/depot.h"
#include "proc/target.h"
#include "relinktrace.h"
#include "restore/clean.h"

/* Takes the turn of the calls: the log goes to @rt's message, which is empty, and nothing
 * to stderr. */
void handle_enter(struct relinktrace *rt);

/* Gives the turn back. Returns @ret, and says its errno where nobody has said more. */
int handle_leave(struct relinktrace *rt, int ret);

/* A copy of the first @size bytes of @wish, a struct that begins with its size as the caller
 * knows it; what that does not have is zero. 0 or -EINVAL, where it is longer and the rest
 * is not zero: a later version's wishes are not to be ignored. */
int handle_wish(void *own, const void *wish, size_t size);

/* @root (NULL: memory is out), which is given back, as text in *@out, owned by the caller. 0
 * or -ENOMEM. */
int handle_text(json_t *root, char **out);

/* Adds each of @points (NULL: none), lists of mount points that end with NULL, to @mounts,
 * which the caller owns; without @store (NULL) there are to be none. 0 or -errno, logged. */
int handle_store_mounts(const char *store, const char *const *points,
			struct depot_mounts *mounts);

/* Adds each of @cgroups, names ended by NULL, to @target, which is initialised. 0 or -errno,
 * logged. */
int handle_cgroups(const char *const *cgroups, struct target *target);

/* What a cleaning that ended with @ret (0 or -errno) and @result is to its caller, who is told in
 * *@cleaned (NULL: is not). @ret where nothing came of it; 0; RELINKTRACE_PARTLY. */
int handle_cleaned(int ret, const struct clean_result *result,
		   struct relinktrace_cleaned *cleaned);

/* Whether @seconds can be a deadline, 0 being none. 0; -EINVAL, which is logged. */
int handle_deadline(double seconds);

#endif

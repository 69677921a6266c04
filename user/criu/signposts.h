/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that were taken off CRIU's hands, for a restore that nobody can hand fds to, as a
 * container runtime's. What was dumped as external and is not inherited is opened by the
 * name that it has in the image, "file[19:7f]", as any other file is: without its first
 * character, below the root of the mount namespace (criu/files-reg.c, collect_one_regfile
 * and open_path). A signpost is a symbolic link of that name, "ile[19:7f]", to the relink
 * name: it travels in the archive with the root, and the restore needs nothing else. */
#ifndef RELINKTRACE_SIGNPOSTS_H
#define RELINKTRACE_SIGNPOSTS_H

#include "keys.h"
#include "restore/clean.h"

/* Notes the root of process @tree, where the signposts will be, in @keys, and leaves what no
 * signpost can lead to CRIU: what has no relink name, or one that the process does not see.
 * 0; -errno and the reason in @why. */
int signposts_plan(pid_t tree, const struct manifest *manifest, struct criu_keys *keys,
		   char **why);

/* What is there already, and is to lead elsewhere from now on. */
struct signposts_earlier {
	const struct manifest *manifest;
	const struct criu_keys *keys;
};

/* Makes a signpost for each of @keys, in place of one of @earlier (NULL none) in one step. 0;
 * -EEXIST the root has such a name already; -errno; and the reason in @why: then those that were
 * made are signposts_remove()'s. */
int signposts_make(const struct manifest *manifest, const struct criu_keys *keys,
		   const struct signposts_earlier *earlier, char **why);

/* Removes those of @earlier that signposts_make() has not made to lead elsewhere. As
 * signposts_remove(). */
void signposts_drop(const struct signposts_earlier *earlier, const struct criu_keys *keys,
		    struct clean_result *result);

/* With manifest->roots: the store that was put into the root that they tell of counts, and not
 * the one that this came from. Opens it (O_PATH) and has manifest->store_at, in @path of 32
 * bytes, lead there for as long as it is open; where there is none, what is stored has no name
 * from then on. The fd, owned by the caller; -ENOENT there is none; -errno, logged. */
int signposts_take_store(struct manifest *manifest, char *path);

/* Removes the store from the root that manifest->roots tell of, when nothing is in it any
 * more. */
void signposts_drop_store(const struct manifest *manifest);

/* Removes what is left of @manifest, whose roots are given, in a container that was restored:
 * its names, and what was put there of the store. Counts in @result. */
void signposts_clean(struct manifest *manifest, struct clean_result *result);

/* Removes those that lead where they were made to lead, and no other name; where
 * manifest->roots are given, there. Counts in @result only what is left, and logs it. */
void signposts_remove(const struct manifest *manifest, const struct criu_keys *keys,
		      struct clean_result *result);

#endif

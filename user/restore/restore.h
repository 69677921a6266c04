/* SPDX-License-Identifier: GPL-2.0-only */
/* Restoring: a manifest's files opened as they were, for a program that is executed with
 * them. Nothing is removed before everything has been opened and verified. */
#ifndef RELINKTRACE_RESTORE_H
#define RELINKTRACE_RESTORE_H

#include <stdbool.h>
#include <sys/types.h>

#include "fdplan.h"
#include "manifest/manifest.h"
#include "nest.h"
#include "seal.h"

/* What an fd of the plan is. Nothing is owned. */
struct restore_file {
	const struct manifest_entry *entry;
	const struct holder *holder; /* of the description; NULL: no fd held it */
};

struct restore {
	const struct manifest *manifest; /* not owned */
	pid_t holder; /* only what it held, at its numbers; 0: everything */
	struct fdplan plan;
	struct restore_file *files; /* owned; one for each item of the plan */
	int cwd_fd;	  /* of the holder, where that was an orphan; owned; -1 none */
	struct nest nest; /* directories that were made again */
	struct seals seals;
};

#define RESTORE_INIT                                                                     \
	{                                                                                \
		.cwd_fd = -1                                                             \
	}

/* Closes and frees what @restore owns; for AUTO(). */
void restore_fini(struct restore *restore);

/* Opens every file of @manifest (which outlives @restore), or with @holder those that
 * this process held: the relink name, verified to be the file that was recorded, then one
 * description for each that there was. Chooses the numbers in the new program. 0; -ESRCH
 * when @holder held nothing; -errno; and the reason in @why. */
int restore_open(struct restore *restore, const struct manifest *manifest, pid_t holder,
		 char **why);

/* As restore_open(), but chooses no numbers: for whoever hands the fds on. */
int restore_open_files(struct restore *restore, const struct manifest *manifest,
		       pid_t holder, char **why);

/* Removes the relink names of what was opened, and folders that are empty then, and makes
 * files immutable or append-only again that were. How many stay: each is logged. */
size_t restore_unlink_names(const struct restore *restore);

/* The same for what @holder held, or for everything where it is 0. */
size_t restore_unlink(const struct manifest *manifest, pid_t holder);

/* Whether process @holder held @entry; for 0 anything is of it. */
bool restore_is_of(const struct manifest_entry *entry, pid_t holder);

/* Opens (O_PATH) the file behind the relink name of @entry, which has one, and verifies
 * that it is the one recorded. The fd, owned by the caller; -errno and the reason in
 * @why. */
int restore_open_name(const struct manifest *manifest, const struct manifest_entry *entry,
		      char **why);

/* Opens (O_PATH) @entry by its relink name, verified as above, or makes it again. The fd,
 * owned by the caller; -errno and the reason in @why. */
int restore_open_entry(const struct manifest *manifest,
		       const struct manifest_entry *entry, char **why);

/* Executes @path with @argv: the fds at their numbers, told by the environment
 * (RELINKTRACE_ORPHANS, and without a holder sd_listen_fds(3)'s), in the holder's
 * directory where that was an orphan. Returns only on failure, with -errno; the fds of
 * this process are not to be relied on then. */
int restore_execute(struct restore *restore, const char *path, char **argv);

/* Verifies that @entry could be restored, and changes nothing. 0; -errno and the reason
 * in
 * @why. */
int restore_check_entry(const struct manifest *manifest,
			const struct manifest_entry *entry, char **why);

#endif

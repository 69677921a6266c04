/* SPDX-License-Identifier: GPL-2.0-only */
/* What is written down while a checkpoint is made: the journal, the manifest, and the store
 * that copies go into. The journal is there first and goes last, so that whenever this ends,
 * it is known what was made. */
#ifndef RELINKTRACE_RECORD_H
#define RELINKTRACE_RECORD_H

#include "checkpoint.h"
#include "journal/journal_file.h"
#include "manifest/manifest_file.h"
#include "preserve/depot.h"

struct record {
	struct journal_file journal;
	struct manifest_file file;
	struct manifest manifest;
	struct depot depot;	   /* its fd is < 0 where there is no store */
	struct depot_mounts found; /* what does not travel by itself */
};

#define RECORD_INIT                                                                      \
	{                                                                                \
		.journal = JOURNAL_FILE_INIT, .file = MANIFEST_FILE_INIT,                \
		.depot = DEPOT_INIT,                                                     \
	}

/* Removes the temporary file of a manifest that was not committed, closes and frees what
 * @record owns; the journal stays where it was not removed. For AUTO(). */
void record_fini(struct record *record);

/* Everything that is written down before the first name is made, and the store; what an
 * earlier checkpoint to the same manifest left that was killed is removed before. 0 or an
 * error that was logged: then there is nothing of it. */
int record_begin(struct record *record, const struct checkpoint_wish *wish,
		 const struct target *target);

/* Adds to the mounts whose copies the store takes those that @set tells of, where that has to
 * be found out: see carried.h. 0 or an error that was logged. */
int record_find_mounts(struct record *record, const struct checkpoint_wish *wish,
		       const struct orphan_set *set);

/* Writes the manifest to @path, which record_begin() was told of; the names stay. 0 or an
 * error that was logged. */
int record_commit(struct record *record, const char *path);

/* What was made and is not in the manifest, @left of it at most, is in the journal, which is
 * to stay for that. 0 or -errno. */
int record_keep_journal(struct record *record, const char *path, size_t left);

/* Removes the journal, which nothing needs any more, unless it is for clean to find the
 * manifest's first name by. */
void record_forget_journal(struct record *record, const char *path);

/* Nothing of the checkpoint stays, unless @left says that names or folders do. */
void record_give_up(struct record *record, const char *path, size_t left);

#endif

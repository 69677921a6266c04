/* SPDX-License-Identifier: GPL-2.0-only */
/* Removing what a checkpoint left: exactly that, and nothing else. */
#ifndef RELINKTRACE_CLEAN_H
#define RELINKTRACE_CLEAN_H

#include "manifest/manifest.h"
#include "preserve/relink.h"

struct clean_result {
	size_t removed; /* names */
	size_t absent;	/* names that were gone already */
	size_t left; /* names that could not be removed, or belong to another file by now;
		      * each is logged */
};

/* What tells the file of @entry, which has a relink_path, from any other. */
struct relink_identity clean_identity(const struct manifest *manifest,
				      const struct manifest_entry *entry);

/* Removes the relink name of @entry, and counts in @result. @data is clean_by()'s. */
typedef void (*clean_fn)(const struct manifest *manifest,
			 const struct manifest_entry *entry, void *data,
			 struct clean_result *result);

/* The same of any entry, without data; does nothing where it has no name. */
void clean_entry(const struct manifest *manifest, const struct manifest_entry *entry,
		 struct clean_result *result);

/* The same where the name leads to the file of @identity. */
void clean_entry_of(const struct manifest *manifest, const struct manifest_entry *entry,
		    const struct relink_identity *identity, struct clean_result *result);

/* Calls @remove, with @data, for each entry that has a relink name, and removes the folders
 * that the checkpoint made and that are empty then: one that is gone, replaced or in use stays
 * as it is. What was removed is gone on the disk too, or counted as left. */
void clean_by(const struct manifest *manifest, clean_fn remove, void *data,
	      struct clean_result *result);

/* The same, of the names of what process @holder held (0: of all). */
void clean_held(const struct manifest *manifest, pid_t holder,
		struct clean_result *result);

/* The same of all of @manifest, and of what a restore has left half made. Where there is a
 * deadline (interrupt_at()), see apart.h. */
void clean_all(const struct manifest *manifest, struct clean_result *result);

/* Removes the store at @path when nothing is in it. */
void clean_store_folder(const char *path);

/* Removes @store itself where it was made by itself, and is empty by now. */
void clean_own_store(const struct store *store);

#endif

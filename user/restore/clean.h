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

/* Removes the relink name of @entry; does nothing where it has none. Counts in @result.
 */
void clean_entry(const struct manifest *manifest, const struct manifest_entry *entry,
		 struct clean_result *result);

/* The same where the name leads to the file of @identity. */
void clean_entry_of(const struct manifest *manifest, const struct manifest_entry *entry,
		    const struct relink_identity *identity, struct clean_result *result);

/* Removes the folders that the checkpoint made and that are empty now. One that is gone,
 * replaced or in use stays as it is. */
void clean_folders(const struct manifest *manifest);

/* Both, the names only of what process @holder held (0: of all); what was removed is gone on
 * the disk too, or counted as left. */
void clean_held(const struct manifest *manifest, pid_t holder,
		struct clean_result *result);

/* Both, and what a restore has left half made, for all of @manifest; what was removed is
 * gone on the disk too, or counted as left. Where there is a deadline (interrupt_at()), see
 * apart.h. */
void clean_all(const struct manifest *manifest, struct clean_result *result);

#endif

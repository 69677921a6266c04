/* SPDX-License-Identifier: GPL-2.0-only */
/* The names that CRIU gave files for the time of a dump (criu/images.h), and that a restore
 * needs again: which orphan each of them is, and making them once more. */
#ifndef RELINKTRACE_LINKS_H
#define RELINKTRACE_LINKS_H

#include "criu/images.h"
#include "restore/clean.h"
#include "restore/roots.h"
#include "transaction.h"

/* The files behind such names while they are there. */
struct links_file {
	const char *name; /* not owned */
	uint32_t dev_major, dev_minor;
	uint64_t ino;
};

struct links_files {
	struct criu_remaps remaps; /* owned */
	struct links_file *files;  /* owned */
	size_t n;
};

/* Frees what @files owns; for AUTO(). */
void links_files_fini(struct links_files *files);

/* Looks at what has the names that the images in the folder @images tell of, in the root of
 * process @pid, which is of the dumped tree. What is not there is left out. 0; -errno, also
 * where one could not be looked at, and the reason in @why. */
int links_files_find(struct links_files *out, const char *images, pid_t pid, char **why);

/* Whether @orphan is one of @files. */
bool links_files_have(const struct links_files *files, const struct orphan *orphan);

/* Adds to @txn a link for each of @files that is an entry of @manifest. 0 or -ENOMEM. */
int links_by_file(struct txn *txn, const struct links_files *files,
		  const struct manifest *manifest);

/* The same from the images alone, by the path that each file was opened by. What could be
 * several entries is left out, and logged. 0; -errno and the reason in @why. */
int links_by_path(struct txn *txn, const char *images, const struct manifest *manifest,
		  char **why);

/* Opens (O_PATH) the relink name of @entry, which was linked: where the manifest's mounts
 * have moved it is known by its mode and owner, as the program may have written to it since. The fd, owned by the caller; -errno and the
 * reason in @why. */
int links_open(const struct manifest *manifest, const struct manifest_entry *entry,
	       char **why);

enum links_state { LINKS_MADE, LINKS_THERE, LINKS_FAILED };

/* Gives the file of @entry the name of @link again, below @roots (not known: /). LINKS_THERE
 * it has it; LINKS_FAILED with the reason in @why. */
enum links_state links_make(const struct roots *roots, const struct manifest *manifest,
			    const struct manifest_entry *entry,
			    const struct txn_link *link, char **why);

/* Removes the name of @link where it is the file that links_make() gave it to. 0, also where it
 * is not; -errno: it may be left, which is logged. */
int links_take_away(const struct roots *roots, const struct txn_link *link);

/* Removes the relink name of @entry where it still is the file of @link. Counts in @result.
 */
void links_remove_entry(const struct manifest *manifest,
			const struct manifest_entry *entry, const struct txn_link *link,
			struct clean_result *result);

#endif

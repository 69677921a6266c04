/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding the filesystem of a manifest's name again: the mount may have moved, and may be
 * seen only by the container that it is in. */
#ifndef RELINKTRACE_LOCATE_H
#define RELINKTRACE_LOCATE_H

#include <limits.h>

#include "manifest/manifest.h"

struct located {
	int root_fd; /* O_PATH of a mount's root, or of what is in its place now; owned;
		      * -1 unset */
	char path[PATH_MAX]; /* of the name, below it; "" for the root itself */
};

#define LOCATED_INIT                                                                     \
	{                                                                                \
		.root_fd = -1                                                            \
	}

/* Closes what @located holds; for AUTO(). */
void located_fini(struct located *located);

/* The part of @path_in_fs that is below @root, both paths in one filesystem, "/" its
 * root; NULL when it is not below it. Inside @path_in_fs. Pure. */
const char *locate_below(const char *root, const char *path_in_fs);

/* Opens (O_PATH) @store, of a manifest that is in @directory (NULL unknown): where it was
 * from there, else where it was at all. No symbolic link is followed on either way. The fd,
 * owned by the caller; -errno and the reason with what to do in @why. */
int locate_store(const struct store *store, const char *directory, char **why);

/* Finds @path of @entry (a path below the root of the entry's mount, such as its
 * relink_path). Tried in this order, each verified by the superblock's device: the
 * recorded mount point in our own namespace; any mount of ours, or of the first process, that
 * has the path; the mount through one of the holders that were recorded, when it still lives. Where
 * manifest->roots are given, they alone decide, and no device is asked for. 0; -ENOENT
 * when none leads there; -errno; and the reason in @why. */
int locate_home(const struct manifest *manifest, const struct manifest_entry *entry,
		const char *path, struct located *out, char **why);

/* Finds @path where the name of @entry is: below the root of its mount, as above, or in the
 * manifest's store. What has no name and is to be made again is so on its mount, and in the
 * store only where that is not here. */
int locate_entry(const struct manifest *manifest, const struct manifest_entry *entry,
		 const char *path, struct located *out, char **why);

/* Whether a mount that is found is surely the one meant: a device's number may be another's
 * after a reboot, or on another machine. */
bool locate_knows_home(const struct manifest *manifest);

/* The same as locate_entry() for a folder that was made. */
int locate_folder(const struct manifest *manifest, const struct manifest_folder *folder,
		  struct located *out, char **why);

/* Finds the very mount that @holder had the orphan of @entry through, where that was one of
 * its own (holder_has_via()): of the recorded device and subtree, and by its number as seen
 * here or by a recorded holder that still lives, else at its mount point as seen here;
 * manifest->roots alone decide where they are given. @out->path is the relink name below
 * it, "" where that is not in sight of it, or there is none. 0; -ENOENT; -errno; and the
 * reason in @why. */
int locate_via(const struct manifest *manifest, const struct manifest_entry *entry,
	       const struct holder *holder, struct located *out, char **why);

#endif

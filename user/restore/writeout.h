/* SPDX-License-Identifier: GPL-2.0-only */
/* A manifest's files simply written into a directory, for eyes and backups. */
#ifndef RELINKTRACE_WRITEOUT_H
#define RELINKTRACE_WRITEOUT_H

#include "manifest/manifest.h"

/* The longest name with its NUL (NAME_MAX). */
#define WRITEOUT_NAME_LEN 256

/* The name that @entry gets: orphan<n>, and where a path is known, '-' and its last
 * component, control bytes in it as '_', cut to what a name can have. Pure. */
void writeout_name(const struct manifest_entry *entry,
		   char out[static WRITEOUT_NAME_LEN]);

struct writeout {
	int dir_fd;   /* owned; -1 unset */
	char **names; /* owned; of the files that are written, in the order of the
		       * manifest; NULL for one that was not wanted */
	size_t n;
	bool made; /* the directory, by us */
	bool kept;
	char *path; /* owned; of the directory */
};

#define WRITEOUT_INIT                                                                    \
	{                                                                                \
		.dir_fd = -1                                                             \
	}

/* Writes every file of @manifest, or with @holder those that this process held, into
 * directory @path, which is made (0700) where it is not there: cloned where that is
 * possible, else copied with its holes; what has no contents is made again; with owner,
 * permissions, extended attributes and times. Nothing is overwritten. All of it is on disk
 * then. 0; -EEXIST a name is taken; -ESRCH @holder held nothing; -EINTR; -errno; and the
 * reason in @why. */
int writeout_all(struct writeout *out, const struct manifest *manifest, pid_t holder,
		 const char *path, char **why);

/* The files stay. */
void writeout_keep(struct writeout *out);

/* Removes what was written, unless it is kept, and frees what @out owns; for AUTO(). */
void writeout_fini(struct writeout *out);

#endif

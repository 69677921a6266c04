/* SPDX-License-Identifier: GPL-2.0-only */
/* The manifest as a file: there completely or not at all, and never over another one. */
#ifndef RELINKTRACE_MANIFEST_FILE_H
#define RELINKTRACE_MANIFEST_FILE_H

#include "manifest.h"

struct manifest_file {
	int dir_fd;    /* the manifest's directory */
	int fd;	       /* of the temporary file */
	char *name;    /* owned; the manifest's, below dir_fd */
	char temp[64]; /* the temporary file's, while it is there */
};

#define MANIFEST_FILE_INIT                                                               \
	{                                                                                \
		.dir_fd = -1, .fd = -1                                                   \
	}

/* Makes a temporary file (mode 0600) beside @path, which must not exist: so it is known
 * that the manifest can be written before any name is made. Its name has the @id of the
 * manifest in it. 0; -EEXIST; -errno; and the reason with what to do in @why. */
int manifest_file_begin(struct manifest_file *file, const char *path, const char *id,
			char **why);

/* The name of the temporary file beside the manifest of @id. */
void manifest_file_temp(const char *id, char out[static 64]);

/* Writes @manifest and syncs it, still under its temporary name. 0 or -errno. */
int manifest_file_write(struct manifest_file *file, const struct manifest *manifest);

/* Gives what was written its name and syncs the directory. 0, and where @file->temp is not ""
 * then, that name could not be removed, which is logged; -EEXIST somebody else was quicker;
 * -errno, then no manifest is left. */
int manifest_file_commit(struct manifest_file *file);

/* Removes the temporary file where it is still there, and frees what @file owns; for
 * AUTO(). */
void manifest_file_fini(struct manifest_file *file);

/* Reads the manifest at @path into @out, owned by the caller. 0; -errno and the reason,
 * with @path in it, in @why. */
int manifest_file_read(const char *path, struct manifest *out, char **why);

#endif

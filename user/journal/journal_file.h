/* SPDX-License-Identifier: GPL-2.0-only */
/* The journal as a file beside the manifest, while a checkpoint writes it. */
#ifndef RELINKTRACE_JOURNAL_FILE_H
#define RELINKTRACE_JOURNAL_FILE_H

#include "journal.h"
#include "manifest/manifest.h"

struct journal_file {
	int fd;	    /* locked (F_SETLK, fcntl(2)) as long as the checkpoint lives */
	int dir_fd; /* the journal's directory */
	char *name; /* owned; below dir_fd; NULL when it is gone */
	char id[33];
	char *pending; /* owned; lines that are not in the file yet */
	size_t pending_len, pending_size;
	unsigned int n_places;
	unsigned int n_own; /* of journal_own_name() */
};

#define JOURNAL_FILE_INIT                                                                \
	{                                                                                \
		.fd = -1, .dir_fd = -1                                                   \
	}

/* The journal's path for a manifest at @path: "PATH.journal". Owned by the caller; NULL
 * when memory is out. */
char *journal_path(const char *path);

/* Makes the journal (mode 0600) of @manifest, to be written to @path, with its first line
 * on the disk. 0; -EEXIST there is one already; -EWOULDBLOCK somebody cleans it; -errno;
 * and the reason in @why. */
int journal_file_begin(struct journal_file *file, const char *path,
		       const struct manifest *manifest, char **why);

/* Adds a mount: *@number is what journal_file_name() names it by. Not on the disk before
 * journal_file_sync(). 0 or -ENOMEM. */
int journal_file_place(struct journal_file *file, const struct journal_place *place,
		       unsigned int *number);

/* Adds a store in the same way. */
int journal_file_store(struct journal_file *file, const struct store *store,
		       unsigned int *number);

/* Adds the name @path on place @place, of the file of @identity; where @has_ino is false
 * only its type is known, and the last component is one of journal_own_name(). 0 or
 * -ENOMEM. */
int journal_file_name(struct journal_file *file, unsigned int place, const char *path,
		      bool has_ino, const struct relink_identity *identity);

/* Brings what was added to the disk: one write, one fdatasync, however much it is;
 * nothing where there is nothing. 0 or -errno: then no name that was added may be made. */
int journal_file_sync(struct journal_file *file);

/* Writes that some of the names may be there that no manifest will have: they could not be
 * removed, or another process, which added them, was killed; a line of it that was cut off
 * goes. 0 or -errno. */
int journal_file_abandon(struct journal_file *file);

/* Writes the last line: the manifest is on the disk under its temporary name, and will have
 * the one that it is to have next. 0 or -errno. */
int journal_file_commit(struct journal_file *file);

/* Removes the journal: every name is in a manifest that is on the disk, or gone. */
void journal_file_remove(struct journal_file *file);

/* Closes and frees what @file owns; the journal itself stays. For AUTO(). */
void journal_file_fini(struct journal_file *file);

/* Reads the journal at @path into @out and locks it: *@fd, owned by the caller, holds the
 * lock. 0; -ENOENT there is none; -EWOULDBLOCK its checkpoint is still at work; -errno;
 * and the reason, with @path in it, in @why. */
int journal_file_read(const char *path, struct journal *out, int *fd, char **why);

#endif

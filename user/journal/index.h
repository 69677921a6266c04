/* SPDX-License-Identifier: GPL-2.0-only */
/* The index of checkpoints on this machine: for each id where its manifest is. An entry is
 * a symbolic link in a directory of root's, named by the id, to the manifest: it is there
 * completely or not at all. The journal is beside the manifest. */
#ifndef RELINKTRACE_INDEX_H
#define RELINKTRACE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define INDEX_DIRECTORY "/var/lib/relinktrace"

struct index_entry {
	char id[33];
	char *manifest; /* owned; absolute */
	time_t created;
	long created_ns; /* and so many nanoseconds */
};

struct index_list {
	struct index_entry *entries; /* owned; the oldest first */
	size_t n;
};

/* Where the index is: $RELINKTRACE_STATE, or INDEX_DIRECTORY. Not owned. */
const char *index_directory(void);

/* Makes the directory of the index (0700) where it is missing. 0; -errno and the reason in
 * @why. */
int index_make(char **why);

/* Whether the directory of the index is there, and nobody else may write to it. 0; -ENOENT;
 * -EPERM; -errno; and the reason in @why. */
int index_check(char **why);

/* Whether @id may be one: 32 hexadecimal digits in lower case. */
bool index_id_valid(const char *id);

/* Adds checkpoint @id, whose manifest will be at @path; on the disk when it returns. The
 * directory is made (0700) where it is missing. 0; -EPERM the directory is not safe;
 * -errno; and the reason in @why. */
int index_add(const char *id, const char *path, char **why);

/* Removes @id. 0, also when it is not there; -errno. */
int index_remove(const char *id);

/* The manifest of @id: *@path is owned by the caller. 0; -ENOENT it is not in the index;
 * -errno. */
int index_find(const char *id, char **path);

/* All entries. 0; -errno and the reason in @why. */
int index_read(struct index_list *out, char **why);

/* Frees what @list owns; for AUTO(). */
void index_list_fini(struct index_list *list);

#endif

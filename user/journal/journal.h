/* SPDX-License-Identifier: GPL-2.0-only */
/* The write-ahead journal: the names that a checkpoint is about to make. A line is on the
 * disk before the name that it tells of exists, so that whatever happens in between, every
 * name can be found and removed. docs/manifest.md describes the file. */
#ifndef RELINKTRACE_JOURNAL_H
#define RELINKTRACE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "manifest/store.h"
#include "preserve/relink.h"
#include "proc/fsid.h"

#define JOURNAL_SCHEMA "relinktrace.journal/1"

/* Limits of the parser. */
#define JOURNAL_MAX_BYTES  (64U << 20)
#define JOURNAL_MAX_PLACES 65536
#define JOURNAL_MAX_LINE   65536

/* A mount that names are made on, and how to find it again (restore/locate.h); or a store,
 * and then nothing else is set. */
struct journal_place {
	struct store store;	       /* owned; its path is NULL for a mount */
	uint32_t dev_major, dev_minor; /* the superblock's */
	char *mount_point;	       /* owned; NULL unknown */
	char *mount_root;	       /* owned */
	char fsid[FSID_SIZE];	       /* "" not known */
	int mnt_id;
	pid_t pid; /* a process on that mount */
	uint64_t start_time;
};

/* A name that may exist. */
struct journal_name {
	unsigned int place; /* index of places */
	char *path;	    /* owned; below the mount's root */
	/* The file that it is of. Where its number was not known beforehand, has_ino is
	 * false, and the name itself has the checkpoint's id in it. */
	bool has_ino;
	struct relink_identity identity;
};

struct journal {
	char id[33];	     /* the checkpoint's, as in its manifest */
	uint64_t created_ns; /* CLOCK_REALTIME */
	char boot_id[37];
	struct journal_place *places; /* owned */
	size_t n_places;
	struct journal_name *names; /* owned */
	size_t n_names;
	/* What made the names was left behind, or some could not be removed: those may be
	 * there that no manifest has. */
	bool abandoned;
	/* The manifest is complete on the disk, under its temporary name: the last line. */
	bool committing;
};

/* Frees what @journal owns and zeroes it. */
void journal_fini(struct journal *journal);

/* The name that is the checkpoint's own whatever it leads to, since it has the 128 random
 * bits of @id in it: for what has no number yet. @out has at least JOURNAL_OWN_NAME bytes.
 */
#define JOURNAL_OWN_NAME 64
void journal_own_name(const char *id, unsigned int number, char out[JOURNAL_OWN_NAME]);

/* Whether the last component of @path is one that journal_own_name() made of @id. Pure. */
bool journal_is_own_name(const char *id, const char *path);

/* Reads the @len bytes at @text, strictly: a checksum for each line, types, ranges, paths.
 * What follows the last good line is what a write that was cut off left, and ignored,
 * unless another good line comes after it. No line at all is an empty @out with an empty
 * id: nothing was made yet. 0 and @out filled (owned by the caller); -EINVAL with the line
 * and the fault in @why (owned by the caller; may be NULL); -ENOMEM. Pure. */
int journal_parse(const char *text, size_t len, struct journal *out, char **why);

#endif

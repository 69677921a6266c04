/* SPDX-License-Identifier: GPL-2.0-only */
/* The files that are taken off CRIU's hands, by the keys that it knows them by:
 * `--external file[MNT:INO]` at the dump, `--inherit-fd fd[N]:file[MNT:INO]` at the restore
 * (criu/files-reg.c, dump_one_reg_file and open_path). */
#ifndef RELINKTRACE_KEYS_H
#define RELINKTRACE_KEYS_H

#include "manifest/manifest.h"

#define KEYS_SCHEMA "relinktrace.criu/1"

/* Limits of the parser. */
#define KEYS_MAX_BYTES (64U << 20)
#define KEYS_MAX       (1U << 20)
#define KEYS_MAX_WHY   65536

struct criu_key {
	unsigned int n; /* the manifest entry's */
	int mnt_id;	/* in the mount namespace of the dump */
	uint64_t ino;	/* st_ino */
};

/* An entry that is left to CRIU. */
struct criu_left {
	unsigned int n;
	char *why; /* owned */
};

struct criu_keys {
	char id[33]; /* of the manifest */
	struct criu_key
		*keys; /* owned; several of one entry where several mounts lead to it */
	size_t n_keys;
	struct criu_left *left; /* owned */
	size_t n_left;
	uint64_t ghost_bytes; /* the largest that is left without any link */
	bool others; /* files may be left that are no entries; not written down */
	/* With signposts (signposts.h): the root that they are in, path being "."; without
	 * them its path is NULL. */
	struct manifest_folder root; /* owned */
	/* Signposts may be another checkpoint's of the same container, which is to remove them:
	 * one that leads elsewhere is none that is left. Not written down. */
	bool shared;
	char *config; /* owned; the file that has the options (config.h); NULL none */
};

/* Frees what @keys owns and zeroes it; for AUTO(). */
void criu_keys_fini(struct criu_keys *keys);

/* The text of @key, "file[19:7f]", in @text of at least 64 bytes. */
void criu_key_text(const struct criu_key *key, char *text);

/* Finds the keys of the entries of @manifest, asking each holder's process, which must not
 * run meanwhile. 0 and @out filled; -errno, and the reason in @why. */
int criu_keys_collect(const struct manifest *manifest, struct criu_keys *out, char **why);

/* Leaves @entry to CRIU, with @because told for it. 0 or -ENOMEM. */
int criu_keys_leave(struct criu_keys *keys, const struct manifest_entry *entry,
		    const char *because);

/* As JSON (new reference); NULL when memory is out. */
json_t *criu_keys_to_json(const struct criu_keys *keys);

/* Reads the @len bytes at @text, strictly. 0 and @out filled (owned by the caller); -EINVAL
 * with the place and the fault in @why (owned by the caller; may be NULL); -ENOMEM. Pure.
 */
int criu_keys_parse(const char *text, size_t len, struct criu_keys *out, char **why);

#endif

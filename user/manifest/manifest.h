/* SPDX-License-Identifier: GPL-2.0-only */
/* The manifest: what a checkpoint preserved, from where, held by whom, and how to give it
 * back. docs/manifest.md describes the file. */
#ifndef RELINKTRACE_MANIFEST_H
#define RELINKTRACE_MANIFEST_H

#include <jansson.h>
#include <time.h>

#include "attributes.h"
#include "filelock.h"
#include "fileowner.h"
#include "store.h"
#include "orphan/orphan.h"
#include "proc/fsid.h"

#define MANIFEST_SCHEMA "relinktrace.manifest/1"

/* Limits of the parser. An entry with one holder is some 900 bytes of text, so that the
 * text is the first to be reached. */
#define MANIFEST_MAX_BYTES   (64U << 20)
#define MANIFEST_MAX_ENTRIES RT_MAX_ORPHANS
#define MANIFEST_MAX_HOLDERS (1U << 20) /* of one entry */
#define MANIFEST_MAX_STEPS   8		/* of one entry; the ladder has four */
#define MANIFEST_MAX_FOLDERS 65536
#define MANIFEST_MAX_PIPE    (16U << 20) /* bytes; pipe-max-size is 1 MiB by default */

enum method { METHOD_AUTO, METHOD_LINK, METHOD_CLONE, METHOD_COPY, METHOD_RECREATE };

/* A method that was not taken, and why. */
struct manifest_step {
	enum method method;
	int error;  /* errno; 0 where it was not tried */
	char *text; /* owned */
};

/* The file that the relink name leads to. */
struct manifest_relinked {
	char sha256[65]; /* of its bytes, in hex; "" not asked for */
	uint64_t ino;	 /* st_ino */
	bool has_generation;
	uint32_t generation;
	uint64_t size; /* bytes, at the time */
	bool has_mtime;
	struct timespec mtime; /* at the time; tv_sec may be negative */
};

/* What was in a FIFO. */
struct manifest_pipe {
	bool known;
	uint32_t capacity; /* bytes; F_GETPIPE_SZ */
	char *data;	   /* owned; never NULL where known */
	size_t size;
};

/* A copy from before the freeze. */
struct manifest_precopy {
	bool made;
	uint64_t bytes; /* copied before the freeze */
	bool unchanged; /* else it was compared with the file, byte by byte */
};

/* The directory that ".." of one leads to. */
struct manifest_parent {
	bool known;
	uint64_t ino;
	bool has_generation;
	uint32_t generation;
	bool removed; /* as the directory itself */
};

struct manifest_entry {
	unsigned int n;
	struct orphan orphan; /* owned; with the mode, owner and rdev as they were */
	enum method method;   /* never METHOD_AUTO */
	bool same_inode;
	bool store;	      /* it is not on the mount, but in the manifest's store */
	char *relink_path;    /* owned; below the mount's root, or the store; NULL for
			    * recreate */
	char *mount_root;     /* owned; mountinfo's root of that mount */
	char fsid[FSID_SIZE]; /* of its filesystem, see fsid.h */
	char *link_target;    /* owned; of a symlink that is recreated, else NULL */
	bool has_attributes;  /* never with link: it is the inode itself */
	struct attributes attributes; /* owned */
	struct manifest_precopy precopy;
	struct manifest_pipe pipe;     /* of a FIFO */
	struct manifest_parent parent; /* of a directory */
	struct filelocks locks;	       /* of its holders */
	struct fileowners owners;      /* of their descriptions */
	char *not_carried; /* owned; what a copy could not be given, as text; else NULL */
	struct manifest_relinked relinked; /* where relink_path is set */
	uint64_t bytes_copied;
	struct manifest_step *steps; /* owned */
	size_t n_steps;
};

struct manifest_failed {
	unsigned int n;
	struct orphan orphan; /* owned */
	int error;	      /* errno */
	char *text;	      /* owned */
};

/* A folder that the checkpoint made for its names, or another one before. */
struct manifest_folder {
	bool store; /* in the manifest's store, and on no mount; all but path and ino is
		     * unset then */
	uint32_t dev_major, dev_minor; /* the superblock's */
	uint64_t ino;
	char *mount_point; /* owned; NULL unknown */
	char *mount_root;  /* owned */
	char fsid[FSID_SIZE];
	char *path; /* owned; below the mount's root */
	pid_t pid;  /* a holder on that mount, see locate.h */
	uint64_t start_time;
	int mnt_id;
};

struct roots;

struct manifest {
	char id[33];	     /* 128 random bits in hex */
	uint64_t created_ns; /* CLOCK_REALTIME */
	uint64_t ktime;	     /* CLOCK_MONOTONIC, ns, at begin */
	char boot_id[37];
	char *kernel; /* owned; uname -r */
	char *cgroup; /* owned; path below the v2 root */
	uint64_t cgroup_id;
	char *template; /* owned */
	struct store store;
	bool complete;
	struct manifest_entry *entries; /* owned */
	size_t n_entries;
	struct manifest_failed *failed; /* owned */
	size_t n_failed;
	struct manifest_folder *folders; /* owned */
	size_t n_folders;
	char *directory; /* owned; not of the file: where the file is; NULL unknown */
	const char *store_at; /* not of the file and not owned: where the store is now, as
			       * somebody says who knows; NULL */
	const struct roots *roots; /* not of the file and not owned: where its mounts are
				    * now, see restore/roots.h; NULL where they were */
};

/* "auto", "link", "clone", "copy" or "recreate". */
const char *method_name(enum method method);

/* The method that @name names, or -1. */
int method_from_name(const char *name);

/* A new manifest: id, clocks, boot id, kernel, and copies of @cgroup and @template. 0 or
 * -errno; for AUTO(manifest_fini) from then on. */
int manifest_begin(struct manifest *manifest, const char *cgroup, uint64_t cgroup_id,
		   const char *template);

/* Frees what @manifest owns and zeroes it. */
void manifest_fini(struct manifest *manifest);

/* Frees what one element owns and zeroes it. */
void manifest_entry_fini(struct manifest_entry *entry);
void manifest_failed_fini(struct manifest_failed *failed);
void manifest_folder_fini(struct manifest_folder *folder);

/* The name of number @n, in the store or below the root of its mount. 0; -ENAMETOOLONG. */
int manifest_name(const struct manifest *manifest, bool store, unsigned int n,
		  char out[static RELINK_PATH_MAX]);

/* Whether it was made since this machine booted, so that pids and device numbers hold. */
bool manifest_same_boot(const struct manifest *manifest);

/* How many entries of @manifest are in its store. */
size_t manifest_stored(const struct manifest *manifest);

/* The entry of number @n, or NULL. */
const struct manifest_entry *manifest_entry_of(const struct manifest *manifest,
					       unsigned int n);

/* Moves the element to the end of its list: it is zeroed. 0; -ENOMEM, then it is as it
 * was. */
int manifest_add_entry(struct manifest *manifest, struct manifest_entry *entry);
int manifest_add_failed(struct manifest *manifest, struct manifest_failed *failed);
int manifest_add_folder(struct manifest *manifest, struct manifest_folder *folder);

/* Records that @method was not taken because of @error (errno, 0: not tried) and copies
 * @text. 0 or -ENOMEM. */
int manifest_add_step(struct manifest_entry *entry, enum method method, int error,
		      const char *text);

/* The manifest as JSON (new reference); NULL when memory is out. */
json_t *manifest_to_json(const struct manifest *manifest);

/* Reads the @len bytes at @text, strictly: types, ranges, duplicate keys and numbers,
 * paths. Unknown fields are ignored. 0 and @out filled (owned by the caller); -EINVAL
 * with the place and the fault in @why (owned by the caller; may be NULL); -ENOMEM. Pure.
 */
int manifest_parse(const char *text, size_t len, struct manifest *out, char **why);

#endif

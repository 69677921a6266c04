/* SPDX-License-Identifier: GPL-2.0-only */
/* A dump and a restore by CRIU, with what was preserved in between. */
#ifndef RELINKTRACE_CRIU_HANDOVER_H
#define RELINKTRACE_CRIU_HANDOVER_H

#include "run.h"
#include "worker.h"

/* The files that a dump leaves in its folder of images. */
#define CRIU_MANIFEST "relinktrace.json"
#define CRIU_KEYS     "relinktrace-criu.json"

/* And CRIU's log, where it is given no other name. */
#define CRIU_LOG "dump.log"

struct criu_dump {
	const char *images; /* the folder, which exists */
	pid_t tree;
	bool leave_running;
	char *const *extra;    /* words for criu; NULL behind the last; not owned */
	struct criu_keys keys; /* owned; filled by criu_dump() */
	/* Owned; of criu_dump_begin(). */
	struct criu_worker worker;
	int images_fd;
};

#define CRIU_DUMP_INIT .worker = CRIU_WORKER_INIT, .images_fd = -1

/* Frees what @dump owns; for AUTO(). */
void criu_dump_fini(struct criu_dump *dump);

/* Has criu started, so that criu_dump() needs not wait for that. Where that cannot be, or
 * @dump->extra has what cannot be asked for so, criu_dump() executes it, and fails where there
 * is none. */
void criu_dump_begin(struct criu_dump *dump);

/* Dumps the tree, which is frozen with cgroup @cgroup_dir (a directory), without the files
 * of @manifest, and writes their keys into the folder first, unless @dump->leave_running:
 * then criu_dump_settle() does. 0; -errno and the reason in @why, and no keys are left in
 * the folder. */
int criu_dump(struct criu_dump *dump, const struct manifest *manifest,
	      const char *cgroup_dir, char **why);

/* Dumps the tree by CRIU alone, which stops it by itself, and leaves it running. 0:
 * it has no orphan, and criu_dump_settle() writes the keys of @manifest, which has nothing in it.
 * Else -ECANCELED CRIU failed, -EOPNOTSUPP for what no freeze changes, with the reason in @why; -EAGAIN it has one, of which CRIU
 * says that it is to be made anew or to be linked (remap-fpath.img, which is there for nothing else
 * but a process that is gone); or CRIU did not say why, or cannot be asked so: by words, or into
 * a folder that has images, of which nobody could tell afterwards whose they are. No image is left
 * then, and it is for criu_dump(). -errno: some are, and the reason is in @why. */
int criu_dump_alone(struct criu_dump *dump, const struct manifest *manifest, char **why);

/* Ends a dump that has left the tree running: looks whether @manifest has still all that
 * CRIU left out, and writes the keys into the folder. As criu_dump(). */
int criu_dump_settle(struct criu_dump *dump, const struct manifest *manifest, char **why);

/* Restores from the folder @images, to which @manifest and @keys belong: each file is
 * opened, verified and inherited. Where @keep, copies are restored as copies again, so that
 * what was preserved can be restored another time. No name is removed. 0; -errno and the
 * reason in @why. */
int criu_restore(const char *images, const struct manifest *manifest,
		 const struct criu_keys *keys, bool keep, char *const *extra, char **why);

/* Reads the keys in the folder @images. 0 and @out filled, owned by the caller; -errno and
 * the reason in @why. */
int criu_keys_read(const char *images, struct criu_keys *out, char **why);

/* Writes @keys into the folder @images, which must have none. 0; -errno and the reason in
 * @why. */
int criu_keys_write(const char *images, const struct criu_keys *keys, char **why);

/* Removes the keys in the folder @images. */
void criu_keys_remove(const char *images);

/* "@images/@name"; owned by the caller; NULL when memory is out. */
char *criu_path(const char *images, const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* A whole checkpoint: freeze, scan, preserve, and the manifest on the disk; whatever
 * happens, nothing that it made is forgotten. */
#ifndef RELINKTRACE_CHECKPOINT_H
#define RELINKTRACE_CHECKPOINT_H

#include "manifest/manifest.h"
#include "preserve/preserve.h"
#include "proc/target.h"

#include <time.h>

struct checkpoint_wish {
	const char
		*manifest; /* path; nothing may be there but what was left unfinished */
	const char *template;
	const char *store;		  /* directory that copies go into; NULL none */
	struct depot_mounts store_mounts; /* from these mounts; not owned */
	/* With store, without store_mounts and until: copies are of what does not travel with
	 * the checkpoint by itself, see carried.h; else of everything. */
	bool store_rest;
	bool store_own;	  /* it goes when nothing is in it any more, see store.h */
	char **storeless; /* it is done without where it cannot be made, for the reason that
			   * is put there (owned by the caller); NULL: it fails then */
	bool store_sparing; /* with store_rest: and of that what is nowhere else, see depot.h */
	struct preserve_options preserve; /* the journal is ours */
	bool freeze;			  /* for the time of the work */
	/* CLOCK_MONOTONIC: then the manifest is on the disk and says what was not reached,
	 * and the cgroup is thawed, whatever happens; NULL: it takes as long as it takes. */
	const struct timespec *until;
	bool precopy; /* with freeze: copies are made before, see precopy.h */
	/* Called with what was found, before any of it gets a name; may remove orphans from
	 * the set (orphan_set_keep()), of which the manifest then tells nothing. NULL:
	 * everything is wanted. */
	void (*select)(struct orphan_set *set, void *data);
	/* Called when the manifest is on the disk and the cgroup is still frozen; logs its
	 * own failure, and returns other than 0 then. NULL: nothing. */
	int (*inside)(const struct manifest *manifest, void *data);
	/* With freeze and without a deadline: @inside is called, and the cgroup thawed, before
	 * what was made is brought to the disk, and the manifest. Where @inside fails nothing
	 * of it stays. */
	bool late;
	/* With late, where nobody holds an orphan before the freeze, and all are of the tree: called instead of that and of
	 * @inside, which it does without, with the manifest that has nothing in it. 0; -EAGAIN it
	 * cannot be done so, or somebody held one by then; -ECANCELED it failed, perhaps for that,
	 * with the reason in @why; both times nothing is left of it, and all is done with the
	 * freeze, but for -ECANCELED where that would find nothing else. -EOPNOTSUPP it failed,
	 * and would again; -errno; with the reason in @why. NULL: nothing is done without a freeze. */
	int (*alone)(const struct manifest *manifest, void *data, char **why);
	pid_t tree; /* with alone: whom that stops, with all that descend from it */
	/* With late, as @inside, when the manifest is on the disk. NULL: nothing. */
	int (*after)(const struct manifest *manifest, void *data);
	void *data;
};

/* Does what @wish says for @target, which is one cgroup, and fills @out (owned by the
 * caller; for AUTO(manifest_fini)). What an earlier one to the same path left unfinished is
 * removed first. 0, also when some orphans failed (see @out); 1 when only @wish->inside
 * did; -errno: @out is untouched, nothing is left of it or the journal says what, and the
 * reason is logged. */
int checkpoint_run(const struct checkpoint_wish *wish, const struct target *target,
		   struct manifest *out);

/* Takes back all of @manifest, which checkpoint_run() wrote to @path: the names, and where
 * none is left the file itself. What is left is logged. */
void checkpoint_undo(const char *path, const struct manifest *manifest);

#endif

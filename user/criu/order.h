/* SPDX-License-Identifier: GPL-2.0-only */
/* What is asked of us for CRIU, from the first look to the last name: a dump, a restore, a
 * dump that a container runtime starts, and taking that back. */
#ifndef RELINKTRACE_CRIU_ORDER_H
#define RELINKTRACE_CRIU_ORDER_H

#include "keys.h"
#include "preserve/depot.h"
#include "proc/target.h"
#include "restore/clean.h"
#include "restore/roots.h"

/* What runc has CRIU read, where the container does not say otherwise. */
#define CRIU_RUNC_CONFIG "/etc/criu/runc.conf"

/* Nothing in it is owned. */
struct criu_order {
	const char *images; /* the folder, which exists */
	const char *store;  /* NULL none: see no_store */

	/* Of a dump, and of what prepares one: */
	pid_t tree; /* the process that is dumped with all below it */
	struct depot_mounts store_mounts; /* see struct checkpoint_wish */
	bool precopy;

	bool leave_running; /* a dump */
	char *const *extra; /* a dump, a restore: words for criu; NULL behind the last */
	bool keep;	    /* a restore: the names stay */

	/* Of what prepares one: */
	/* Without a store what is nowhere else goes into one in the container's own root
	 * (rootstore.h), unless this is set. */
	bool no_store;
	const char *config; /* the file of CRIU's options; NULL CRIU_RUNC_CONFIG */
	/* Called with the path of the manifest while the cgroup is frozen. 0; -errno and the
	 * reason in @why, and then nothing stays. NULL: nothing. */
	int (*frozen)(const char *manifest, void *data, char **why);
	void *data;

	struct roots
		roots; /* taking back: of what was restored; none: where it was made */
};

/* What became of the orphans of a dump. */
struct criu_outcome {
	size_t preserved;
	struct criu_keys keys; /* owned; what was left to CRIU, and why */
};

/* Frees what @outcome owns; for AUTO(). */
void criu_outcome_fini(struct criu_outcome *outcome);

/* Freezes @target, the cgroup of the tree, preserves what it holds, and has CRIU dump the tree.
 * 0 and @out (zeroed by the caller) filled; -errno, logged: what was preserved is removed
 * again. */
int criu_order_dump(const struct criu_order *order, const struct target *target,
		    struct criu_outcome *out);

/* The same for a dump that somebody else starts. */
int criu_order_prepare(const struct criu_order *order, const struct target *target,
		       struct criu_outcome *out);

/* Has CRIU restore what was dumped, and removes the names, unless @order->keep. 0; -errno,
 * logged: no name was removed. */
int criu_order_restore(const struct criu_order *order);

/* Takes back what criu_order_prepare() made: counts in @result. 0; -errno, logged, also when
 * some of it was done. */
int criu_order_clean(struct criu_order *order, struct clean_result *result);

#endif

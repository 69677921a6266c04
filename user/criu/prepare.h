/* SPDX-License-Identifier: GPL-2.0-only */
/* A dump and a restore that somebody else starts, a container runtime: everything that lets
 * CRIU do without the orphans is put where it finds it by itself. */
#ifndef RELINKTRACE_CRIU_PREPARE_H
#define RELINKTRACE_CRIU_PREPARE_H

#include "keys.h"
#include "restore/clean.h"
#include "signposts.h"

struct criu_prepare {
	const char *images;   /* the folder for our two files, which exists */
	const char *config;   /* the file of options, see config.h */
	pid_t tree;	      /* the process that is dumped with all below it */
	bool others;	      /* files may be left to CRIU that are no entries, */
	uint64_t ghost_bytes; /* the largest of them that has no link */
	/* In place of what criu_prepare() did before, in steps that a dump may come
	 * between, as the names of both are there; manifest NULL: of nothing. */
	struct signposts_earlier earlier;
	struct criu_keys keys; /* owned; filled by criu_prepare() */
};

/* Frees what @prepare owns; for AUTO(). */
void criu_prepare_fini(struct criu_prepare *prepare);

/* Writes the keys of @manifest, whose holders do not run, into the folder, makes the
 * signposts and adds the options to the configuration. 0; -errno and the reason in @why,
 * and nothing is left of it; but in place of an earlier one only where the keys are not
 * there. */
int criu_prepare(struct criu_prepare *prepare, const struct manifest *manifest,
		 char **why);

/* Takes back the options: no dump is to come that needs them. 0; -errno and the reason in
 * @why. */
int criu_prepare_end(const struct criu_keys *keys, char **why);

/* Takes back all of criu_prepare(), but not the names of @manifest. What is left is logged,
 * and counted in @result. */
void criu_prepare_undo(const char *images, const struct manifest *manifest,
		       const struct criu_keys *keys, struct clean_result *result);

#endif

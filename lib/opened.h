/* SPDX-License-Identifier: GPL-2.0-only */
/* A manifest that is being restored, as each of these functions begins. */
#ifndef RELINKTRACE_OPENED_H
#define RELINKTRACE_OPENED_H

#include "manifest/manifest.h"
#include "relinktrace.h"
#include "restore/roots.h"

struct opened {
	struct relinktrace_restore wish;
	struct manifest manifest;
	struct roots roots;
	char *store; /* owned; of the wish */
};

/* Reads the manifest of @theirs, and where its mounts are. @opened (zeroed; for
 * AUTO(opened_fini), also on failure) stays where it is; of its wish only numbers outlive
 * @theirs. 0 or -errno, logged. */
int opened_read(struct opened *opened, const struct relinktrace_restore *theirs);

/* Frees what @opened owns; for AUTO(). */
void opened_fini(struct opened *opened);

/* Tells when @manifest has less than there was: RELINKTRACE_PARTLY then, else 0. */
int opened_partly(const struct manifest *manifest);

#endif

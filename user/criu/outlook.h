/* SPDX-License-Identifier: GPL-2.0-only */
/* What CRIU alone would do with the orphans of some cgroups, what a checkpoint will do, and
 * what that costs. */
#ifndef RELINKTRACE_OUTLOOK_H
#define RELINKTRACE_OUTLOOK_H

#include "preserve/forecast.h"
#include "proc/target.h"

struct outlook {
	struct orphan_set set;
	struct forecast *forecasts; /* owned; as many as orphans */
	struct forecasts mounts;
	struct depot depot;
	size_t n_failing;
	uint64_t bytes;
	double seconds;
};

/* For AUTO(outlook_fini). */
void outlook_init(struct outlook *outlook);
void outlook_fini(struct outlook *outlook);

/* As a checkpoint into store @path would do, of what is on @mounts, which outlives
 * @outlook. 0 or -errno, logged. */
int outlook_store(struct outlook *outlook, const char *path,
		  const struct depot_mounts *mounts);

/* Looks at the orphans of @target, as a checkpoint would, with @stop of holders that end after
 * it. 0 or -errno, logged. */
int outlook_look(struct outlook *outlook, const struct target *target, bool stop);

/* "link", "clone", "copy" or "recreate"; "fail". */
const char *outlook_plan(const struct forecast *forecast);

/* All of it, relinktrace.check/1 (new reference); NULL when memory is out. */
json_t *outlook_to_json(const struct outlook *outlook);

#endif

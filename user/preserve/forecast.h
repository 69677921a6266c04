/* SPDX-License-Identifier: GPL-2.0-only */
/* What a checkpoint would do with an orphan, and what it would cost, without doing it. */
#ifndef RELINKTRACE_FORECAST_H
#define RELINKTRACE_FORECAST_H

#include "depot.h"
#include "manifest/manifest.h"
#include "orphan/orphan.h"

/* What was found out about a mount: by two files without a name that are gone at once. */
struct forecast_mount {
	bool store; /* it is the store, and no mount */
	int id;
	pid_t pid;   /* a holder that sees it */
	int error;   /* errno: no name can be made there; 0 */
	char *why;   /* owned; what error means */
	bool clones; /* FICLONE works */
	double rate; /* bytes a second of a copy that is on disk; 0 not known */
};

struct forecasts {
	struct forecast_mount *mounts; /* owned */
	size_t n;
	const struct depot *depot; /* not owned; NULL there is no store */
};

struct forecast {
	enum method method; /* METHOD_AUTO: it would fail */
	const char *why;    /* of a failure; belongs to the forecasts */
	uint64_t bytes;	    /* to be copied */
	double seconds; /* for that; 0 where nothing is copied or the rate is unknown */
};

/* Frees what @forecasts owns; for AUTO(). */
void forecasts_fini(struct forecasts *forecasts);

/* Fills @out for @orphan, as a checkpoint with @method, and --stop where @stop, would
 * treat it; the mount is tried out when it is met first, and what was found is kept in
 * @forecasts. 0 or -ENOMEM. */
int forecast(struct forecasts *forecasts, const struct orphan *orphan, enum method method,
	     bool stop, struct forecast *out);

#endif

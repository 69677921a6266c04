/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of a foreground attach: what is born and released, as it happens. */
#ifndef RELINKTRACE_STREAM_H
#define RELINKTRACE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "orphan/orphan.h"
#include "bpf/tracker.h"
#include "scan/scan.h"

/* What happened to an orphan of the target. */
struct stream_event {
	const char *name;	     /* "born" or "released" */
	uint64_t when_ns;	     /* CLOCK_REALTIME */
	const struct orphan *orphan; /* valid during the call */
};

/* Called for each event, and with @event NULL when @lost more were lost. Non-zero ends
 * the stream and is returned. */
typedef int (*stream_fn)(const struct stream_event *event, uint64_t lost, void *data);

/* Tells @each of every orphan of @target that is born or released, beginning with the
 * difference to @known (those that were told already; emptied), until a byte or a signal
 * can be read from @stop_fd. @source must be that of an attach which is streaming;
 * @hooks is its tracker. 0; what @each returned; -errno. */
int stream_run(struct tracker *hooks, const struct scan_source *source,
	       const struct target *target, struct orphan_set *known, int stop_fd,
	       stream_fn each, void *data);

#endif

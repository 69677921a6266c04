/* SPDX-License-Identifier: GPL-2.0-only */
/* What attach tells of: a line an event, for people or as NDJSON. */
#ifndef RELINKTRACE_EVENTS_H
#define RELINKTRACE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "orphan/orphan.h"
#include "proc/target.h"

/* The lines as JSON, of the events below (new references); NULL when memory is out. */
json_t *events_attached(const struct orphan_set *set, const struct target *target,
			bool pinned);
json_t *events_happened(const char *name, uint64_t when_ns, const struct orphan *orphan);
json_t *events_lost(uint64_t lost);

/* Each prints one line to stdout and flushes it. 0; -EPIPE when the reader is gone;
 * -errno. */

/* "attached": how, to which cgroups, and how many orphans there are already. */
int events_print_attached(const struct orphan_set *set, const struct target *target,
			  bool pinned, bool json);

/* @name is "born" or "released", @when_ns of CLOCK_REALTIME. */
int events_print(const char *name, uint64_t when_ns, const struct orphan *orphan,
		 bool json);

/* "lost": so many more records did not fit. */
int events_print_lost(uint64_t lost, bool json);

#endif

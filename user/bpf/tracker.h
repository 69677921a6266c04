/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel half as this process has loaded it: hooks, iterators, or both. */
#ifndef RELINKTRACE_TRACKER_H
#define RELINKTRACE_TRACKER_H

#include <stdbool.h>
#include <stddef.h>

#include "hooks.h"
#include "kernel.h"
#include "orphan/orphan.h"
#include "iterators.h"

/* Opaque; owns its programs, maps and links: all of it goes with tracker_close(), or with
 * the process, unless it was pinned. */
struct tracker;

struct tracker_options {
	enum backend backend; /* hooks; BACKEND_NONE: iterators alone */
	uint32_t max_orphans; /* that the map can hold; 0: by the machine's memory */
	bool bootstrap;	      /* iterators also fill the map of orphans */
	bool streaming;	      /* births and releases go to the ring buffer */
	bool iterators;
	bool ours; /* the iterator over our own fds */
};

/* Loads what @options asks for and attaches the hooks. @kernel as kernel_read() gave it.
 * 0 and a tracker in *@out, owned by the caller; -EOPNOTSUPP when the kernel lacks the
 * functions or tracepoints; -EPERM, -EACCES when it refuses them; -errno. *@why tells
 * more (owned by the caller, may be NULL). */
int tracker_open(const struct tracker_options *options, const struct kernel *kernel,
		 struct tracker **out, char **why);

/* Whether the kernel may have hooks on functions, so that kernel_read_symbols() is of use. */
bool tracker_hooks_functions(const struct kernel *kernel);

/* Tries fentry, kprobe and tp_btf in this order, see tracker_open(). */
int tracker_open_best(struct tracker_options *options, const struct kernel *kernel,
		      struct tracker **out, char **why);

void tracker_close(struct tracker *tracker);
void tracker_closep(struct tracker **tracker); /* for AUTO() */

enum backend tracker_backend(const struct tracker *tracker);

/* The iterators that were loaded; they live as long as the tracker does. */
struct iterators tracker_iterators(const struct tracker *tracker);

/* The same by fds of their own, which outlive the tracker; into @out (ITERATORS_INIT), for
 * iterators_close(). 0; -errno, and then there are none. */
int tracker_keep_iterators(const struct tracker *tracker, struct iterators *out);

/* The hooks that are attached; they live as long as the tracker does. */
struct hooks tracker_hooks(const struct tracker *tracker);

/* Maps of the tracker; they live as long as it does. */
int tracker_orphans_fd(const struct tracker *tracker);
int tracker_targets_fd(const struct tracker *tracker);
int tracker_stats_fd(const struct tracker *tracker);
int tracker_events_fd(const struct tracker *tracker);

/* Says that a change announced by RT_EVENT_CHANGED is being looked at: the next one is
 * announced again. */
void tracker_clear_change(struct tracker *tracker);

/* A hook's program is pinned beside its link, by a name with this before it. */
#define TRACKER_PROGRAM "program_"

/* Pins links, programs and maps under the directory @dir of a bpffs. 0 or -errno; what was
 * pinned before the failure stays for the caller to remove. */
int tracker_pin(struct tracker *tracker, const char *dir);

/* Prints libbpf's own messages, for those who debug the loading. */
void tracker_set_verbose(bool verbose);

#endif

// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "proc/proctext.h"
#include "track/attach.h"
#include "base/auto.h"
#include "track/events.h"
#include "base/log.h"
#include "track/stream.h"
#include "commands.h"

struct attach_options {
	struct target_specs cgroups;
	enum backend backend;
	uint32_t max_orphans;
	bool pin;
	bool json;
};

enum { OPT_PIN = 256, OPT_BACKEND, OPT_MAX_ORPHANS };

static const struct argp_option options[] = {
	{"pin", OPT_PIN, 0, 0, "Return at once; tracking goes on without a process", 0},
	{"backend", OPT_BACKEND, "NAME", 0,
	 "fentry, kprobe or tp_btf, instead of the first of them that works", 0},
	{"max-orphans", OPT_MAX_ORPHANS, "N", 0,
	 "Orphans of the whole machine that can be tracked at once: one for each "
	 "128 KiB of memory, at most 131072",
	 0},
	{0},
};

static enum backend parse_backend(const char *name, struct argp_state *state)
{
	enum backend backend = attach_backend(name);

	if (backend == BACKEND_NONE)
		argp_error(state, "\"%s\" is none of fentry, kprobe and tp_btf", name);
	return backend;
}

static uint32_t parse_number(const char *text, struct argp_state *state)
{
	uint64_t number = 0;

	if (proctext_number(text, ATTACH_MAX_ORPHANS, &number))
		argp_error(state, "\"%s\" is not a number from 1 to %u", text,
			   ATTACH_MAX_ORPHANS);
	return number;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct attach_options *chosen = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		state->child_inputs[1] = &chosen->json;
		break;
	case OPT_PIN:
		chosen->pin = true;
		break;
	case OPT_BACKEND:
		chosen->backend = parse_backend(arg, state);
		break;
	case OPT_MAX_ORPHANS:
		chosen->max_orphans = parse_number(arg, state);
		break;
	case ARGP_KEY_END:
		if (!chosen->cgroups.n)
			argp_error(state, "which cgroup? Give --cgroup CG");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = (const struct argp_child[]){{.argp = &naming_argp},
						{.argp = &json_argp},
						{0}},
	.doc = "Tracks the unlinked files that tasks of the cgroups hold open: finds "
	       "those that are there, says how many, then prints a line for each that "
	       "is born or released, until SIGINT or SIGTERM; with -j, one JSON object a "
	       "line.",
};

static int print_event(const struct stream_event *event, uint64_t lost, void *data)
{
	bool json = *(bool *)data;

	return event ? events_print(event->name, event->when_ns, event->orphan, json)
		     : events_print_lost(lost, json);
}

static struct attach_wish wish_of(const struct attach_options *chosen)
{
	return (struct attach_wish){
		.backend = chosen->backend,
		.max_orphans = chosen->max_orphans,
		.streaming = !chosen->pin,
	};
}

static int run_pinned(const struct attach_options *chosen, const struct target *target)
{
	struct attach_wish wish = wish_of(chosen);
	AUTO(orphan_set_fini) struct orphan_set set;

	orphan_set_init(&set);
	if (attach_pinned(&wish, target, &set) ||
	    events_print_attached(&set, target, true, chosen->json))
		return EXIT_FAILED;
	return set.complete ? EXIT_DONE : EXIT_PARTLY;
}

/* Signals come to the returned fd from here on. */
static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int run_streaming(const struct attach_options *chosen, const struct target *target)
{
	struct attach_wish wish = wish_of(chosen);
	AUTO(attach_end) struct attach attach = ATTACH_INIT;
	AUTO(orphan_set_fini) struct orphan_set set;
	AUTO_FD signals = open_signals();
	bool json = chosen->json;
	int err;

	orphan_set_init(&set);
	if (attach_begin(&wish, target, &attach, &set))
		return EXIT_FAILED;
	err = events_print_attached(&set, target, false, json);
	err = err ? err
		  : stream_run(attach.tracker, &attach.source, target, &set, signals,
			       print_event, &json);
	if (!err)
		return scan_lost(&attach.source) ? EXIT_PARTLY : EXIT_DONE;
	/* A reader that went away, as head does, has what it wanted. */
	if (err != -EPIPE)
		log_error("tracking ended: %s", strerror(-err));
	return EXIT_FAILED;
}

int command_attach(int argc, char **argv)
{
	AUTO(target_fini) struct target target;
	struct attach_options chosen = {};

	target_init(&target);
	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (target_add_specs(&target, &chosen.cgroups))
		return EXIT_USAGE;
	signal(SIGPIPE, SIG_IGN);
	return chosen.pin ? run_pinned(&chosen, &target)
			  : run_streaming(&chosen, &target);
}

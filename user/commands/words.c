// SPDX-License-Identifier: GPL-2.0-only
/* The words that several commands take alike: children of their parsers. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "proc/proctext.h"
#include "commands.h"

enum { OPT_CGROUP = 512, OPT_POD, OPT_CONTAINER };

static const struct argp_option naming_options[] = {
	{"cgroup", OPT_CGROUP, "CG", 0,
	 "The cgroup, with those below it: a path, id:N, pid:N or unit:NAME", 0},
	{"pod", OPT_POD, "UID", 0, "The cgroup of the pod with this UID", 0},
	{"container", OPT_CONTAINER, "ID", 0,
	 "The cgroup of the container whose id begins so", 0},
	{0},
};

static error_t parse_naming(int key, char *arg, struct argp_state *state)
{
	static const char *const kinds[] = {
		[OPT_CGROUP - OPT_CGROUP] = NULL,
		[OPT_POD - OPT_CGROUP] = "pod",
		[OPT_CONTAINER - OPT_CGROUP] = "container",
	};

	if (key == ARGP_KEY_ARG)
		argp_error(state, "\"%s\" is one word too many", arg);
	if (key < OPT_CGROUP || key > OPT_CONTAINER)
		return ARGP_ERR_UNKNOWN;
	if (target_specs_add(state->input, kinds[key - OPT_CGROUP], arg))
		exit(EXIT_USAGE);
	return 0;
}

const struct argp naming_argp = {.options = naming_options, .parser = parse_naming};

static const struct argp_option json_options[] = {
	{"json", 'j', 0, 0, "JSON instead of text", 0},
	{0},
};

static error_t parse_json(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*(bool *)state->input = true;
	log_set_json(true);
	return 0;
}

const struct argp json_argp = {.options = json_options, .parser = parse_json};

pid_t words_pid(const char *arg, struct argp_state *state)
{
	uint64_t pid = 0;

	if (proctext_number(arg, INT_MAX, &pid))
		argp_error(state, "\"%s\" is not a process id", arg);
	return pid;
}

double words_seconds(const char *arg, double most, struct argp_state *state)
{
	double seconds;
	char *end;

	errno = 0;
	seconds = strtod(arg, &end);
	if (errno || end == arg || *end || !(seconds > 0) || seconds > most)
		argp_error(state, "\"%s\" is not a number of seconds", arg);
	return seconds;
}

void words_mounts(const char *arg, struct argp_state *state, struct depot_mounts *mounts)
{
	if (depot_mounts_add(mounts, arg))
		argp_error(state, "\"%s\" is no list of absolute mount points", arg);
}

void words_need_store(const struct depot_mounts *mounts, const char *store,
		      struct argp_state *state)
{
	if (mounts->n && !store)
		argp_error(state, "--store-mounts goes with --store");
}

int words_split(int argc, char **argv, char ***behind)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		if (argv[i + 1])
			*behind = argv + i + 1;
		argv[i] = NULL;
		return i;
	}
	return argc;
}

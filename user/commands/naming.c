// SPDX-License-Identifier: GPL-2.0-only
/* The words that name cgroups, the same for every command: a child of their parsers. */
#include <argp.h>
#include <stdlib.h>

#include "commands.h"

enum { OPT_CGROUP = 512, OPT_POD, OPT_CONTAINER };

static const struct argp_option options[] = {
	{"cgroup", OPT_CGROUP, "CG", 0,
	 "The cgroup, with those below it: a path, id:N, pid:N or unit:NAME", 0},
	{"pod", OPT_POD, "UID", 0, "The cgroup of the pod with this UID", 0},
	{"container", OPT_CONTAINER, "ID", 0,
	 "The cgroup of the container whose id begins so", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const kinds[] = {
		[OPT_CGROUP - OPT_CGROUP] = NULL,
		[OPT_POD - OPT_CGROUP] = "pod",
		[OPT_CONTAINER - OPT_CGROUP] = "container",
	};

	if (key < OPT_CGROUP || key > OPT_CONTAINER)
		return ARGP_ERR_UNKNOWN;
	if (target_specs_add(state->input, kinds[key - OPT_CGROUP], arg))
		exit(EXIT_USAGE);
	return 0;
}

const struct argp naming_argp = {.options = options, .parser = parse};

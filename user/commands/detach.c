// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "track/detach.h"
#include "commands.h"

struct detach_options {
	struct target_specs cgroups;
	bool all;
};

enum { OPT_ALL = 256 };

static const struct argp_option options[] = {
	{"all", OPT_ALL, 0, 0, "Every cgroup; removes all that was pinned", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct detach_options *chosen = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		break;
	case OPT_ALL:
		chosen->all = true;
		break;
	case ARGP_KEY_END:
		if (chosen->all == (chosen->cgroups.n > 0))
			argp_error(state, "either --cgroup CG or --all, please");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = (const struct argp_child[]){{.argp = &naming_argp}, {0}},
	.doc = "Ends what attach --pin began; the last cgroup takes programs and maps "
	       "with it.",
};

/* The ids of the cgroups that were named. -EINVAL or -ENOMEM, logged. */
static int find_ids(const struct target_specs *cgroups, uint64_t *ids)
{
	for (size_t i = 0; i < cgroups->n; i++) {
		AUTO_FREE char *spec = target_specs_text(cgroups, i);
		int err = spec ? detach_find(spec, &ids[i]) : -ENOMEM;

		if (err)
			return err;
	}
	return 0;
}

int command_detach(int argc, char **argv)
{
	struct detach_options chosen = {};
	uint64_t ids[RT_MAX_TARGETS];
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (find_ids(&chosen.cgroups, ids))
		return EXIT_USAGE;
	err = chosen.all ? detach_all() : detach_cgroups(ids, chosen.cgroups.n);
	return err ? EXIT_FAILED : EXIT_DONE;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols.h>

#include "base/auto.h"
#include "base/log.h"
#include "commands.h"
#include "criu/outlook.h"
#include "criu/verdict.h"

struct check_options {
	struct target_specs cgroups;
	const char *store;
	struct depot_mounts store_mounts;
	bool stop;
	bool json;
};

enum { OPT_STOP = 256, OPT_STORE, OPT_STORE_MOUNTS };

static const struct argp_option options[] = {
	{"stop", OPT_STOP, 0, 0, "As a checkpoint with --stop would do", 0},
	{"store", OPT_STORE, "DIR", 0, "As a checkpoint with --store DIR would do", 0},
	{"store-mounts", OPT_STORE_MOUNTS, "POINT[,POINT]...", 0,
	 "With --store, the same", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct check_options *chosen = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		state->child_inputs[1] = &chosen->json;
		break;
	case OPT_STOP:
		chosen->stop = true;
		break;
	case OPT_STORE:
		chosen->store = arg;
		break;
	case OPT_STORE_MOUNTS:
		words_mounts(arg, state, &chosen->store_mounts);
		break;
	case ARGP_KEY_END:
		if (!chosen->cgroups.n)
			argp_error(state, "which cgroup? Give --cgroup CG");
		words_need_store(&chosen->store_mounts, chosen->store, state);
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
	.doc = "Tells of each unlinked file that a cgroup holds what CRIU alone would do "
	       "with it, what a checkpoint by relinktrace will do, and what that costs. "
	       "Changes nothing; mounts are tried out by files that never have a name.",
};

static int print_json(const struct outlook *outlook)
{
	json_t *root = outlook_to_json(outlook);
	int ret = !root || json_dumpf(root, stdout, JSON_INDENT(2)) || puts("") == EOF;

	json_decref(root);
	return ret ? -EIO : 0;
}

static char *text_of(const struct orphan *orphan, const struct forecast *forecast,
		     size_t column)
{
	char number[24];

	switch (column) {
	case 0:
		return strdup(orphan_type_name(orphan->mode));
	case 1:
		snprintf(number, sizeof(number), "%llu",
			 (unsigned long long)orphan->size);
		return strdup(number);
	case 2:
		return strdup(verdict_name(verdict_of(orphan)));
	case 3:
		return strdup(outlook_plan(forecast));
	case 4:
		snprintf(number, sizeof(number), "%llu",
			 (unsigned long long)forecast->bytes);
		return strdup(number);
	}
	return strdup(orphan->path ? orphan->path : "?");
}

static void table_unref(struct libscols_table **table)
{
	scols_unref_table(*table);
}

static int print_text(const struct outlook *outlook)
{
	static const char *const names[] = {"TYPE",	   "SIZE", "CRIU",
					    "RELINKTRACE", "COPY", "PATH"};
	AUTO(table_unref) struct libscols_table *table = scols_new_table();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!table ||
		    !scols_table_new_column(table, names[i], 0,
					    i == 1 || i == 4 ? SCOLS_FL_RIGHT : 0))
			return -ENOMEM;
	for (size_t i = 0; i < outlook->set.n; i++) {
		struct libscols_line *line = scols_table_new_line(table, NULL);

		for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
			if (!line ||
			    scols_line_refer_data(line, j,
						  text_of(&outlook->set.orphans[i],
							  &outlook->forecasts[i], j)))
				return -ENOMEM;
	}
	if (outlook->set.n && scols_print_table(table))
		return -EIO;
	printf("%zu orphans, %zu cannot be preserved, %llu bytes to copy, some %.1f s\n",
	       outlook->set.n, outlook->n_failing, (unsigned long long)outlook->bytes,
	       outlook->seconds);
	return 0;
}

int command_check(int argc, char **argv)
{
	AUTO(outlook_fini) struct outlook outlook;
	AUTO(target_fini) struct target target;
	struct check_options chosen = {0};
	int ret;

	outlook_init(&outlook);
	target_init(&target);
	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (target_add_specs(&target, &chosen.cgroups))
		return EXIT_USAGE;
	if (chosen.store && outlook_store(&outlook, chosen.store, &chosen.store_mounts))
		return EXIT_FAILED;
	ret = outlook_look(&outlook, &target, chosen.stop);
	depot_mounts_fini(&chosen.store_mounts);
	if (ret)
		return EXIT_FAILED;
	ret = chosen.json ? print_json(&outlook) : print_text(&outlook);
	if (ret || fflush(stdout)) {
		log_error("cannot write to stdout: %s", strerror(ret ? -ret : errno));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < outlook.set.n && !chosen.json; i++)
		if (outlook.forecasts[i].why)
			log_warning("%s cannot be preserved: %s",
				    outlook.set.orphans[i].path
					    ? outlook.set.orphans[i].path
					    : "an orphan",
				    outlook.forecasts[i].why);
	return outlook.n_failing || !outlook.set.complete ? EXIT_PARTLY : EXIT_DONE;
}

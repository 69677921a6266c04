/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "journal/index.h"
#include "restore/cleanup.h"
#include "commands.h"

struct clean_options {
	const char *path; /* a manifest or its journal */
	const char *id;
	const char *store;
	long expired; /* seconds; -1 unset */
};

enum { OPT_ID = 256, OPT_EXPIRED, OPT_STORE, OPT_DEADLINE };

static const struct argp_option options[] = {
	{"id", OPT_ID, "ID", 0, "The checkpoint of this id, wherever its manifest is", 0},
	{"expired", OPT_EXPIRED, "AGE", 0,
	 "Every checkpoint that is older: a number and s, m, h or d", 0},
	{"store", OPT_STORE, "DIR", 0,
	 "The store of MANIFEST is DIR now (without: found from the manifest's folder, "
	 "or "
	 "where it was)",
	 0},
	{"deadline", OPT_DEADLINE, "SECONDS", 0,
	 "In that time, whatever a filesystem does: one that has not answered when half "
	 "of it is over (three quarters, where a manifest or what is known of it is) is "
	 "left behind, and what is there told as left",
	 0},
	{0},
};

/* "90s", "15m", "12h" or "30d" in seconds; -1 for anything else. */
static long age_parse(const char *text)
{
	static const char units[] = "smhd";
	static const long seconds[] = {1, 60, 3600, 86400};
	const char *unit;
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || n < 0 || n > 1000000000 || !*end || end[1])
		return -1;
	unit = strchr(units, *end);
	return unit ? n * seconds[unit - units] : -1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct clean_options *chosen = state->input;
	struct timespec until;

	switch (key) {
	case OPT_ID:
		if (!index_id_valid(arg))
			argp_error(state, "\"%s\" is not the id of a checkpoint", arg);
		chosen->id = arg;
		break;
	case OPT_EXPIRED:
		chosen->expired = age_parse(arg);
		if (chosen->expired < 0)
			argp_error(state, "\"%s\" is not an age like 90s, 15m, 12h, 30d",
				   arg);
		break;
	case OPT_STORE:
		chosen->store = arg;
		break;
	case OPT_DEADLINE:
		interrupt_time_in(words_seconds(arg, INTERRUPT_SECONDS, state), &until);
		interrupt_at(&until);
		break;
	case ARGP_KEY_ARG:
		if (chosen->path)
			argp_error(state, "\"%s\" is one word too many", arg);
		chosen->path = arg;
		break;
	case ARGP_KEY_END:
		if (!!chosen->path + !!chosen->id + (chosen->expired >= 0) != 1)
			argp_error(state, "one of MANIFEST, --id and --expired, please");
		if (chosen->store && !chosen->path)
			argp_error(state, "--store goes with a MANIFEST");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "MANIFEST\n--id ID\n--expired AGE",
	.doc = "Removes the names and the empty folders that a checkpoint left, whether "
	       "it "
	       "came to its end (MANIFEST) or was killed (MANIFEST.journal, found by "
	       "either name); never a file that is not the one recorded. The manifest "
	       "itself stays.",
};

int command_clean(int argc, char **argv)
{
	struct clean_options chosen = {.expired = -1};
	struct clean_result result = {0};
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (chosen.path)
		ret = cleanup_path(chosen.path, chosen.store, &result);
	else if (chosen.id)
		ret = cleanup_id(chosen.id, &result);
	else
		ret = cleanup_expired(chosen.expired, &result);
	if (ret && !result.removed && !result.absent && !result.left)
		return EXIT_FAILED;
	printf("%zu removed, %zu gone already, %zu left\n", result.removed, result.absent,
	       result.left);
	if (fflush(stdout)) {
		log_error("cannot write to stdout: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return ret || result.left ? EXIT_PARTLY : EXIT_DONE;
}

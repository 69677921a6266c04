/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "journal/index.h"
#include "restore/apart.h"
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

/* The manifest that @path stands for: the journal's name may be given as well. */
static char *manifest_of(const char *path)
{
	static const char suffix[] = ".journal";
	size_t len = strlen(path), end = sizeof(suffix) - 1;

	if (len > end && !strcmp(path + len - end, suffix))
		return strndup(path, len - end);
	return strdup(path);
}

/* A checkpoint that is to be cleaned, see clean_checkpoint(). */
struct wanted {
	const char *path, *id, *store;
};

static int do_wanted(void *data, struct clean_result *result)
{
	const struct wanted *wanted = data;

	return clean_checkpoint(wanted->path, wanted->id, wanted->store, result);
}

static int clean_wanted(const char *path, const char *id, const char *store,
			struct clean_result *result)
{
	struct wanted wanted = {path, id, store};

	return apart_do(path, do_wanted, &wanted, result);
}

static int clean_argument(const char *path, const char *store,
			  struct clean_result *result)
{
	AUTO_FREE char *manifest = manifest_of(path);

	return manifest ? clean_wanted(manifest, NULL, store, result) : -ENOMEM;
}

/* For apart_do(): only whether it answers. What is wrong with it is told by whoever reads it
 * next. */
static int try_index(void *data, struct clean_result *result)
{
	AUTO(index_list_fini) struct index_list list = {0};
	AUTO_FREE char *why = NULL;

	(void)data;
	(void)result;
	index_read(&list, &why);
	return 0;
}

static int clean_id(const char *id, struct clean_result *result)
{
	AUTO_FREE char *path = NULL;
	int ret = apart_do(index_directory(), try_index, NULL, result);

	if (ret)
		return ret;
	ret = index_find(id, &path);
	if (!ret)
		return clean_wanted(path, id, NULL, result);
	if (ret == -ENOENT) {
		log_warning(
			"no checkpoint %s is known in %s: it was cleaned or restored, "
			"or made on another machine",
			id, index_directory());
		return 0;
	}
	log_error("cannot read %s: %s", index_directory(), strerror(-ret));
	return ret;
}

static int clean_expired(long age, struct clean_result *result)
{
	AUTO(index_list_fini) struct index_list list = {0};
	AUTO_FREE char *why = NULL;
	time_t before = time(NULL) - age;
	int ret = apart_do(index_directory(), try_index, NULL, result), first = 0;
	size_t n = 0;

	if (ret)
		return ret;
	ret = index_read(&list, &why);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	while (n < list.n && list.entries[n].created <= before)
		n++;
	/* The latest first: where a folder for the names has no mark (preserve/mark.h), it goes
	 * with the one that made it, which is the first that had a name in it. */
	while (n--) {
		ret = clean_wanted(list.entries[n].manifest, list.entries[n].id, NULL,
				   result);
		first = first ?: ret;
	}
	return first;
}

int command_clean(int argc, char **argv)
{
	struct clean_options chosen = {.expired = -1};
	struct clean_result result = {0};
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (chosen.path)
		ret = clean_argument(chosen.path, chosen.store, &result);
	else if (chosen.id)
		ret = clean_id(chosen.id, &result);
	else
		ret = clean_expired(chosen.expired, &result);
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

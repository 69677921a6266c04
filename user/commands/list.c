// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/json.h"
#include "orphan/orphan_json.h"
#include "base/log.h"
#include "bpf/pins.h"
#include "scan/scan.h"
#include "scan/table.h"
#include "commands.h"

struct list_options {
	struct target_specs cgroups;
	pid_t pid;
	enum target_kind kind;
	bool chosen; /* cgroups, a pid or --all were named */
	bool json;
	bool bytes;
	const char *columns;
};

enum { OPT_ALL = 256 };

static const struct argp_option options[] = {
	{"pid", 'p', "PID", 0, "Orphans held by this process", 0},
	{"all", OPT_ALL, 0, 0, "Orphans held by anybody", 0},
	{"output", 'o', "COLS", 0,
	 "Columns, separated by commas; +COL adds to the default ones", 0},
	{"bytes", 'b', 0, 0, "Sizes in bytes, also on a terminal", 0},
	{0},
};

static void choose(struct list_options *chosen, enum target_kind kind,
		   struct argp_state *state)
{
	if (chosen->chosen)
		argp_error(state, "only one of --cgroup, -p and --all, please");
	chosen->chosen = true;
	chosen->kind = kind;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list_options *chosen = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		state->child_inputs[1] = &chosen->json;
		break;
	case 'p':
		choose(chosen, TARGET_PID, state);
		chosen->pid = words_pid(arg, state);
		break;
	case OPT_ALL:
		choose(chosen, TARGET_ALL, state);
		break;
	case 'o':
		chosen->columns = arg;
		if (table_check_columns(arg))
			argp_error(state, "no such column in \"%s\"; there are %s", arg,
				   table_column_names());
		break;
	case 'b':
		chosen->bytes = true;
		break;
	case ARGP_KEY_END:
		if (chosen->cgroups.n)
			choose(chosen, TARGET_CGROUPS, state);
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
	.doc = "Shows the unlinked files that are held open, one row an inode, whether "
	       "or not something is attached.\vWithout --cgroup, -p and --all: those of "
	       "the cgroups of the pinned attach, or of everybody where there is none.",
};

/* One orphan a line, and one as text in memory at a time: there can be a hundred thousand. */
static int print_orphans(const struct orphan_set *set)
{
	AUTO(jsontext_fini) struct jsontext line = {0};

	for (size_t i = 0; i < set->n; i++) {
		line.length = 0;
		jsontext_raw(&line, i ? ",\n" : "\n");
		orphan_write_json(&line, &set->orphans[i]);
		if (line.failed)
			return -ENOMEM;
		if (fwrite(line.text, 1, line.length, stdout) != line.length)
			return -EIO;
	}
	return 0;
}

static int print_json(const struct orphan_set *set)
{
	json_t *head = json_from_orphan_set_head(set);
	AUTO_FREE char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;
	int err;

	json_decref(head);
	if (!text)
		return -ENOMEM;
	/* Without its closing brace. */
	printf("%.*s,\"orphans\":[", (int)strlen(text) - 1, text);
	err = print_orphans(set);
	if (!err && puts(set->n ? "\n]}" : "]}") == EOF)
		err = -EIO;
	return err;
}

int command_list(int argc, char **argv)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct list_options chosen = {};
	AUTO(target_fini) struct target target;
	int err;

	orphan_set_init(&set);
	target_init(&target);
	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (target_add_specs(&target, &chosen.cgroups))
		return EXIT_USAGE;
	if (!chosen.chosen)
		pins_find_target(&target);
	if (chosen.kind == TARGET_PID) {
		target.kind = TARGET_PID;
		target.pid = chosen.pid;
	}
	err = scan(&target, NULL, &set);
	if (err) {
		log_error("the open files cannot be read: %s%s", strerror(-err),
			  caps_missing(CAPS_PROC_READ));
		return EXIT_FAILED;
	}
	err = chosen.json ? print_json(&set)
			  : table_print(&set, chosen.columns, chosen.bytes || !isatty(1));
	if (err || fflush(stdout)) {
		log_error("writing the list failed: %s", strerror(err ? -err : errno));
		return EXIT_FAILED;
	}
	scan_tell_lost(&set);
	return set.complete ? EXIT_DONE : EXIT_PARTLY;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/call.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "commands.h"

/* What --deadline may be, in seconds. */
#define DEADLINE_MOST 86400

struct hook_options {
	const struct call_action *action;
	struct target_specs cgroups;
	const char *id;
	const char *tree; /* as it was given */
	double deadline;  /* seconds */
	bool waits;	  /* --wait was given */
	struct action_wish wish;
	char *roots[TXN_MAX_ROOTS]; /* owned */
};

enum {
	OPT_ID = 'i',
	OPT_DEADLINE = 'd',
};

/* Keys above any letter, so that none is a short option. */
#define KEY(option) (1000 + (option))

static const struct argp_option options[] = {
	{"id", KEY(OPT_ID), "TXN", 0,
	 "The transaction: letters, digits and ._- as the caller likes", 0},
	{"deadline", KEY(OPT_DEADLINE), "SECONDS", 0,
	 "Give up, and take back what was made, after so long (60)", 0},
	{"strict", KEY(CALL_STRICT), 0, 0,
	 "What can be done in part only is not done, and \"proceed\" is false", 0},
	{"images-dir", KEY(CALL_IMAGES), "DIR", 0,
	 "CRIU's images, or a folder that goes with them: what a restore has to know is "
	 "written there, and read there",
	 0},
	{"external", KEY(CALL_EXTERNAL), 0, 0,
	 "prepare: criu will be run with .criu.options of the answer, and restored from "
	 "by "
	 "`relinktrace criu restore`, or with .criu.inherit",
	 0},
	{"config", KEY(CALL_CONFIG), "FILE", 0,
	 "prepare, with --tree: a runtime will dump, and have CRIU read its options from "
	 "FILE "
	 "(/etc/criu/runc.conf); its restore needs nothing",
	 0},
	{"tree", KEY(CALL_TREE), "PID", 0,
	 "prepare: the first process of the container; its cgroup is meant where none is "
	 "named",
	 0},
	{"store", KEY(CALL_STORE), "DIR", 0,
	 "prepare, with --external or --config, of a cgroup that stays frozen until the "
	 "dump: "
	 "copy into DIR (made 0700) what the checkpoint does not carry by itself, as "
	 "what is "
	 "on a bind mount; pre-restore and post-restore: that is in DIR now. With "
	 "--config and "
	 "without DIR what has no name left there, or is on a tmpfs, is copied into the "
	 "root of "
	 "the container",
	 0},
	{"no-store", KEY(CALL_NO_STORE), 0, 0,
	 "prepare, with --config: all names are made on their mounts", 0},
	{"wait", KEY(CALL_WAIT), "SECONDS", 0,
	 "prepare, with --config and without --no-store, of a cgroup that is not frozen: "
	 "how "
	 "long a process waits for the runtime's pause, to make the copies within (600); "
	 "0: "
	 "none does",
	 0},
	{"store-mounts", KEY(CALL_MOUNTS), "POINT[,POINT]...", 0,
	 "prepare, with --store or --config: what is on these mounts, and nothing else "
	 "(\\, is "
	 "a comma); can be repeated",
	 0},
	{"root", KEY(CALL_ROOT), "[POINT=]DIR", 0,
	 "pre-restore: what was mounted on POINT (/), or below it, is in DIR now; can be "
	 "repeated",
	 0},
	{"keep", KEY(CALL_KEEP), 0, 0, "post-restore: leave the names, to restore again",
	 0},
	{0},
};

static void parse_root(struct hook_options *chosen, const char *arg,
		       struct argp_state *state)
{
	char *root;

	if (chosen->wish.n_roots == TXN_MAX_ROOTS)
		argp_error(state, "more than %d --root", TXN_MAX_ROOTS);
	root = call_root(arg);
	if (!root)
		argp_error(state, "--root %s: %s", arg, strerror(errno));
	chosen->roots[chosen->wish.n_roots++] = root;
}

static void parse_end(struct hook_options *chosen, struct argp_state *state)
{
	if (!chosen->id)
		argp_error(state, "--id TXN is needed");
	if (chosen->tree && !chosen->cgroups.n)
		target_specs_add(&chosen->cgroups, "pid", chosen->tree);
	if (chosen->wish.config && !chosen->tree)
		argp_error(state, "--config goes with --tree");
	if (chosen->waits && !chosen->wish.config)
		argp_error(state, "--wait goes with --config");
	if (chosen->wish.no_store &&
	    (chosen->wish.store || chosen->wish.store_mounts.n || !chosen->wish.config))
		argp_error(state, "--no-store goes with --config, and no other --store");
	words_need_store(&chosen->wish.store_mounts,
			 chosen->wish.store ?: chosen->wish.config, state);
	if (chosen->wish.store && chosen->action->run == action_prepare &&
	    !chosen->wish.external)
		argp_error(state, "--store goes with --external or --config: what criu "
				  "keeps itself is in no store");
	if (!strchr(chosen->action->takes, CALL_CGROUP) && chosen->cgroups.n)
		argp_error(state, "a cgroup is named to prepare only");
	if (strchr(chosen->action->takes, CALL_CGROUP) && chosen->cgroups.n != 1)
		argp_error(state, "one of --cgroup, --pod and --container, please");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct hook_options *chosen = state->input;

	if (key > KEY(0) && key < KEY(128) && key != KEY(OPT_ID) &&
	    key != KEY(OPT_DEADLINE) && !strchr(chosen->action->takes, key - KEY(0)))
		argp_error(state, "that is no option of hook %s", chosen->action->name);
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		break;
	case KEY(OPT_ID):
		if (!txn_id_valid(arg))
			argp_error(state,
				   "\"%s\" is no id: up to %d letters, digits and ._-",
				   arg, TXN_ID_MAX);
		chosen->id = arg;
		break;
	case KEY(OPT_DEADLINE):
		chosen->deadline = words_seconds(arg, DEADLINE_MOST, state);
		break;
	case KEY(CALL_STRICT):
		chosen->wish.strict = true;
		break;
	case KEY(CALL_IMAGES):
		chosen->wish.images = arg;
		break;
	case KEY(CALL_EXTERNAL):
		chosen->wish.external = true;
		break;
	case KEY(CALL_CONFIG):
		chosen->wish.config = arg;
		chosen->wish.external = true;
		break;
	case KEY(CALL_TREE):
		chosen->wish.tree = words_pid(arg, state);
		chosen->tree = arg;
		break;
	case KEY(CALL_STORE):
		chosen->wish.store = arg;
		break;
	case KEY(CALL_NO_STORE):
		chosen->wish.no_store = true;
		break;
	case KEY(CALL_WAIT):
		chosen->waits = true;
		chosen->wish.wait =
			strcmp(arg, "0") ? words_seconds(arg, DEADLINE_MOST, state) : 0;
		break;
	case KEY(CALL_MOUNTS):
		words_mounts(arg, state, &chosen->wish.store_mounts);
		break;
	case KEY(CALL_ROOT):
		parse_root(chosen, arg, state);
		break;
	case KEY(CALL_KEEP):
		chosen->wish.keep = true;
		break;
	case ARGP_KEY_END:
		parse_end(chosen, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* The action, with its report on stdout. The exit status. */
static int report_run(struct hook_options *chosen)
{
	static const int statuses[] = {
		[OUTCOME_DONE] = EXIT_DONE,
		[OUTCOME_PART] = EXIT_PARTLY,
		[OUTCOME_FAILED] = EXIT_FAILED,
	};
	AUTO(report_fini) struct report report;
	AUTO(target_fini) struct target target;
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	bool usage;

	report_begin(&report, chosen->action->name);
	target_init(&target);
	snprintf(txn.id, sizeof(txn.id), "%s", chosen->id);
	usage = target_add_specs(&target, &chosen->cgroups);
	chosen->wish.target = target.n ? &target : NULL;
	if (usage) {
		report_worsen(&report, OUTCOME_FAILED);
		report.proceed = !chosen->wish.strict;
	} else {
		call_run(chosen->action, chosen->id, &chosen->wish, &txn, &report);
	}
	if (report_print(&report, &txn)) {
		fprintf(stderr, "relinktrace: cannot write to stdout: %s\n",
			strerror(errno));
		return EXIT_FAILED;
	}
	return usage ? EXIT_USAGE : statuses[report.outcome];
}

int command_hook(int argc, char **argv)
{
	struct hook_options chosen = {.deadline = ACTION_SECONDS,
				      .wish.wait = ACTION_WAIT_SECONDS};
	struct argp argp = {
		.options = options,
		.parser = parse,
		.children = (const struct argp_child[]){{.argp = &naming_argp}, {0}},
	};
	char name[64];
	int status;

	chosen.action = argc > 1 ? call_find(argv[1]) : NULL;
	if (!chosen.action) {
		log_error("hook prepare, post-dump, abort, pre-restore, post-restore or "
			  "clean? --help behind any of them tells the options");
		return EXIT_USAGE;
	}
	argp.doc = chosen.action->doc;
	snprintf(name, sizeof(name), "relinktrace hook %s", chosen.action->name);
	argv[1] = name;
	argp_parse(&argp, argc - 1, argv + 1, 0, NULL, &chosen);
	chosen.wish.deadline = chosen.deadline;
	chosen.wish.roots = (const char *const *)chosen.roots;
	interrupt_catch();
	if (interrupt_after(chosen.deadline)) {
		log_error("cannot set a deadline: %s", strerror(errno));
		return EXIT_FAILED;
	}
	status = report_run(&chosen);
	depot_mounts_fini(&chosen.wish.store_mounts);
	for (size_t i = 0; i < chosen.wish.n_roots; i++)
		free(chosen.roots[i]);
	return status;
}

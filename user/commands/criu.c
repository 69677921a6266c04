// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/hook.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/openfiles.h"
#include "base/why.h"
#include "commands.h"
#include "criu/order.h"

struct criu_options {
	struct criu_order order; /* its mounts and roots are owned */
	const char *exec;
};

enum {
	OPT_TREE = 256,
	OPT_IMAGES,
	OPT_LEAVE_RUNNING,
	OPT_KEEP,
	OPT_CONFIG,
	OPT_EXEC,
	OPT_ROOT,
	OPT_PRECOPY,
	OPT_STORE,
	OPT_STORE_MOUNTS,
	OPT_NO_STORE
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct criu_options *chosen = state->input;
	AUTO_FREE char *why = NULL;

	switch (key) {
	case OPT_TREE:
		chosen->order.tree = words_pid(arg, state);
		break;
	case OPT_IMAGES:
		chosen->order.images = arg;
		break;
	case OPT_LEAVE_RUNNING:
		chosen->order.leave_running = true;
		break;
	case OPT_PRECOPY:
		chosen->order.precopy = true;
		break;
	case OPT_KEEP:
		chosen->order.keep = true;
		break;
	case OPT_CONFIG:
		chosen->order.config = arg;
		break;
	case OPT_EXEC:
		chosen->exec = arg;
		break;
	case OPT_STORE:
		chosen->order.store = arg;
		break;
	case OPT_STORE_MOUNTS:
		words_mounts(arg, state, &chosen->order.store_mounts);
		break;
	case OPT_NO_STORE:
		chosen->order.no_store = true;
		break;
	case OPT_ROOT:
		if (roots_add(&chosen->order.roots, arg, &why))
			argp_error(state, "--root %s", why_text(why));
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\": words for criu come behind --", arg);
		break;
	case ARGP_KEY_END:
		if (!chosen->order.images)
			argp_error(state, "--images-dir DIR is needed");
		words_need_store(&chosen->order.store_mounts, chosen->order.store, state);
		if (chosen->order.no_store && chosen->order.store)
			argp_error(state, "--no-store goes without --store");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

#define OPTION_IMAGES                                                                    \
	{                                                                                \
		"images-dir", OPT_IMAGES, "DIR", 0, "The folder of the images", 0        \
	}

#define OPTION_PRECOPY                                                                   \
	{                                                                                \
		"precopy", OPT_PRECOPY, 0, 0,                                            \
			"Copy before the freeze what can only be copied, and inside of " \
			"it only what changed since",                                    \
			0                                                                \
	}

#define OPTIONS_STORE                                                                    \
	{"store",                                                                        \
	 OPT_STORE,                                                                      \
	 "DIR",                                                                          \
	 0,                                                                              \
	 "Copy into DIR (made 0700) what the checkpoint does not carry "                 \
	 "by itself: what is on a bind mount of a container, or not in "                 \
	 "one",                                                                          \
	 0},                                                                             \
	{                                                                                \
		"store-mounts", OPT_STORE_MOUNTS, "POINT[,POINT]...", 0,                 \
			"With --store: what is on these mounts, and nothing else (\\, "  \
			"is "                                                            \
			"a comma); can be repeated",                                     \
			0                                                                \
	}

static const struct argp dump_argp = {
	.options =
		(const struct argp_option[]){
			{"tree", OPT_TREE, "PID", 0,
			 "The process to be dumped, with all below it", 0},
			OPTION_IMAGES,
			{"leave-running", OPT_LEAVE_RUNNING, 0, 0,
			 "The processes go on afterwards", 0},
			OPTION_PRECOPY,
			OPTIONS_STORE,
			{0},
		},
	.parser = parse,
	.args_doc = "-- [WORD FOR CRIU]...",
	.doc = "Freezes the cgroup of the process, preserves every orphan, and dumps by "
	       "CRIU without those files: whatever their size, and with --leave-running "
	       "so that they can be restored. A dump that fails leaves nothing. What "
	       "holds none, is left running and is all of its cgroup is stopped by CRIU "
	       "alone.",
};

static const struct argp prepare_argp = {
	.options =
		(const struct argp_option[]){
			{"tree", OPT_TREE, "PID", 0, "The first process of the container",
			 0},
			{"images-dir", OPT_IMAGES, "DIR", 0,
			 "The folder for what is written down, which may be that of the "
			 "images",
			 0},
			{"config", OPT_CONFIG, "FILE", 0,
			 "The file that CRIU reads its options from "
			 "(default " CRIU_RUNC_CONFIG ")",
			 0},
			{"exec", OPT_EXEC, "CMD", 0,
			 "Run CMD by the shell with the cgroup frozen: the checkpoint "
			 "and "
			 "the "
			 "archive. When it fails, nothing stays",
			 0},
			OPTION_PRECOPY,
			OPTIONS_STORE,
			{"no-store", OPT_NO_STORE, 0, 0,
			 "All names are made on their mounts: without this and without "
			 "--store, what has no name left on a mount that the checkpoint "
			 "does not carry, or is on a tmpfs, is copied into the root of "
			 "the container",
			 0},
			{0},
		},
	.parser = parse,
	.doc = "For a dump that a container runtime starts: freezes the cgroup of the "
	       "process, preserves every orphan, tells CRIU by its file of options to "
	       "leave those out, and makes a symbolic link in the root of the container "
	       "for "
	       "each, by which a restore finds it, with nothing else to be done there. "
	       "`relinktrace criu clean` takes all of it away.",
};

static const struct argp clean_argp = {
	.options =
		(const struct argp_option[]){
			OPTION_IMAGES,
			{"root", OPT_ROOT, "[POINT=]DIR", 0,
			 "What was mounted on POINT (/) is in DIR now: /proc/PID/root, "
			 "for "
			 "what a runtime restored as process PID",
			 0},
			{0},
		},
	.parser = parse,
	.doc = "Removes the names and the options that `relinktrace criu prepare` made: "
	       "in the container that was checkpointed, or with --root in one that was "
	       "restored. The two files in DIR stay.",
};

static const struct argp restore_argp = {
	.options =
		(const struct argp_option[]){
			OPTION_IMAGES,
			{"keep", OPT_KEEP, 0, 0,
			 "Leave the relink names, to restore another time", 0},
			{"store", OPT_STORE, "DIR", 0,
			 "The store of the dump is in DIR now", 0},
			{0},
		},
	.parser = parse,
	.args_doc = "-- [WORD FOR CRIU]...",
	.doc = "Opens what was preserved and restores by CRIU with it, detached. The "
	       "relink "
	       "names are removed when the whole restore has succeeded; one that fails "
	       "leaves everything as it was.",
};

/* The caller's command, while the cgroup is frozen. */
static int run_command(const char *manifest, void *data, char **why)
{
	AUTO_FREE char *reason = NULL;
	int ret = hook_run(data, manifest, NULL, &reason);

	return ret ? why_set(why, ret, "--exec: %s", why_text(reason)) : 0;
}

/* A dump, or what prepares one; @done says in the past what that is. */
static int run_frozen(const struct criu_options *chosen,
		      int (*run)(const struct criu_order *order,
				 const struct target *target, struct criu_outcome *out),
		      const char *done)
{
	AUTO(target_fini) struct target target;
	AUTO(criu_outcome_fini) struct criu_outcome outcome = {0};
	const struct criu_keys *keys = &outcome.keys;

	target_init(&target);
	if (target_add_process(&target, chosen->order.tree))
		return EXIT_USAGE;
	interrupt_catch();
	openfiles_raise();
	if (run(&chosen->order, &target, &outcome))
		return EXIT_FAILED;
	for (size_t i = 0; i < keys->n_left; i++)
		printf("orphan%u is left to CRIU: %s\n", keys->left[i].n,
		       keys->left[i].why);
	printf("%s: %zu orphans preserved, %zu left to CRIU\n", done, outcome.preserved,
	       keys->n_left);
	return EXIT_DONE;
}

static int check_tree(const char *command, const struct criu_options *chosen)
{
	if (chosen->order.tree)
		return 0;
	log_error("criu %s: --tree PID is needed", command);
	return EXIT_USAGE;
}

static int do_dump(struct criu_options *chosen)
{
	return check_tree("dump", chosen)
		       ?: run_frozen(chosen, criu_order_dump, "dumped");
}

static int do_restore(struct criu_options *chosen)
{
	/* One for each orphan, which CRIU has from us; it raises its own limit itself. */
	openfiles_raise();
	if (criu_order_restore(&chosen->order))
		return EXIT_FAILED;
	printf("restored\n");
	return EXIT_DONE;
}

static int do_prepare(struct criu_options *chosen)
{
	if (chosen->exec) {
		chosen->order.frozen = run_command;
		chosen->order.data = (void *)chosen->exec;
	}
	return check_tree("prepare", chosen)
		       ?: run_frozen(chosen, criu_order_prepare, "prepared");
}

static int do_clean(struct criu_options *chosen)
{
	struct clean_result result = {0};
	int ret = criu_order_clean(&chosen->order, &result);

	if (ret && !result.removed && !result.absent && !result.left)
		return EXIT_FAILED;
	printf("%zu removed, %zu gone already, %zu left\n", result.removed, result.absent,
	       result.left);
	return ret || result.left ? EXIT_PARTLY : EXIT_DONE;
}

static const struct {
	const char *name;
	const char *whole; /* for the usage */
	const struct argp *argp;
	int (*run)(struct criu_options *chosen);
} commands[] = {
	{"dump", "relinktrace criu dump", &dump_argp, do_dump},
	{"restore", "relinktrace criu restore", &restore_argp, do_restore},
	{"prepare", "relinktrace criu prepare", &prepare_argp, do_prepare},
	{"clean", "relinktrace criu clean", &clean_argp, do_clean},
};

int command_criu(int argc, char **argv)
{
	struct criu_options chosen = {0};
	char **extra = NULL;
	size_t i = 0, n = sizeof(commands) / sizeof(commands[0]);
	int ret;

	while (i < n && argc > 1 && strcmp(argv[1], commands[i].name))
		i++;
	if (argc < 2 || i == n) {
		log_error("criu dump, restore, prepare or clean? --help behind either "
			  "tells "
			  "its options");
		return EXIT_USAGE;
	}
	argv[1] = (char *)commands[i].whole;
	argc = words_split(argc - 1, argv + 1, &extra);
	chosen.order.extra = extra;
	argp_parse(commands[i].argp, argc, argv + 1, 0, NULL, &chosen);
	ret = commands[i].run(&chosen);
	depot_mounts_fini(&chosen.order.store_mounts);
	roots_fini(&chosen.order.roots);
	return ret;
}

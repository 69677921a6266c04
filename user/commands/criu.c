// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/hook.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/openfiles.h"
#include "base/why.h"
#include "checkpoint/checkpoint.h"
#include "commands.h"
#include "criu/handover.h"
#include "criu/prepare.h"
#include "criu/signposts.h"
#include "manifest/manifest_file.h"
#include "manifest/template.h"
#include "restore/cleanup.h"
#include "restore/restore.h"
#include "restore/roots.h"

/* What runc has CRIU read, where the container does not say otherwise. */
#define RUNC_CONFIG "/etc/criu/runc.conf"

struct criu_options {
	pid_t tree; /* 0 none */
	const char *images;
	const char *config;
	const char *exec;
	const char *store;
	struct depot_mounts store_mounts;
	struct roots roots;
	bool leave_running;
	bool precopy;
	bool keep;
	char **extra; /* of argv, behind "--"; NULL none */
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
	OPT_STORE_MOUNTS
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct criu_options *chosen = state->input;
	AUTO_FREE char *why = NULL;

	switch (key) {
	case OPT_TREE:
		chosen->tree = words_pid(arg, state);
		break;
	case OPT_IMAGES:
		chosen->images = arg;
		break;
	case OPT_LEAVE_RUNNING:
		chosen->leave_running = true;
		break;
	case OPT_PRECOPY:
		chosen->precopy = true;
		break;
	case OPT_KEEP:
		chosen->keep = true;
		break;
	case OPT_CONFIG:
		chosen->config = arg;
		break;
	case OPT_EXEC:
		chosen->exec = arg;
		break;
	case OPT_STORE:
		chosen->store = arg;
		break;
	case OPT_STORE_MOUNTS:
		words_mounts(arg, state, &chosen->store_mounts);
		break;
	case OPT_ROOT:
		if (roots_add(&chosen->roots, arg, &why))
			argp_error(state, "--root %s", why_text(why));
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\": words for criu come behind --", arg);
		break;
	case ARGP_KEY_END:
		if (!chosen->images)
			argp_error(state, "--images-dir DIR is needed");
		words_need_store(&chosen->store_mounts, chosen->store, state);
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
	       "so that they can be restored. A dump that fails leaves nothing.",
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
			 "(default " RUNC_CONFIG ")",
			 0},
			{"exec", OPT_EXEC, "CMD", 0,
			 "Run CMD by the shell with the cgroup frozen: the checkpoint "
			 "and "
			 "the "
			 "archive. When it fails, nothing stays",
			 0},
			OPTION_PRECOPY,
			OPTIONS_STORE,
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

/* What is done inside of the freeze. */
static int dump_inside(const struct manifest *manifest, void *data)
{
	AUTO_FREE char *why = NULL, *dir = NULL;

	if (asprintf(&dir, "%s%s", cgroup_mount(), manifest->cgroup) < 0)
		dir = NULL;
	if (dir && !criu_dump(data, manifest, dir, &why))
		return 0;
	log_error("%s; what was preserved is removed again", why_text(why));
	return 1;
}

/* And when it goes on, which is where it may. */
static int dump_after(const struct manifest *manifest, void *data)
{
	AUTO_FREE char *why = NULL;

	if (!criu_dump_settle(data, manifest, &why))
		return 0;
	log_error("%s; what was preserved is removed again", why_text(why));
	return 1;
}

/* What a runtime's dump is prepared with. */
struct prepare_data {
	struct criu_prepare prepare;
	const char *exec; /* NULL nothing */
	const char *path; /* of the manifest */
};

static void print_dump(const char *done, const struct manifest *manifest,
		       const struct criu_keys *keys)
{
	for (size_t i = 0; i < keys->n_left; i++)
		printf("orphan%u is left to CRIU: %s\n", keys->left[i].n,
		       keys->left[i].why);
	printf("%s: %zu orphans preserved, %zu left to CRIU\n", done,
	       manifest->n_entries + manifest->n_failed - keys->n_left, keys->n_left);
}

/* Preserves what the tree holds, as @wish says, and does what that is for; @done says in the
 * past what that is, and @keys are of it. */
static int run_frozen(const struct criu_options *chosen, struct checkpoint_wish *wish,
		      const struct criu_keys *keys, const char *done)
{
	AUTO(target_fini) struct target target;
	AUTO(manifest_fini) struct manifest manifest = {0};
	int ret;

	target_init(&target);
	if (!wish->manifest)
		return EXIT_FAILED;
	if (target_add_process(&target, chosen->tree))
		return EXIT_USAGE;
	wish->template = TEMPLATE_DEFAULT;
	wish->freeze = true;
	wish->precopy = chosen->precopy;
	wish->store = chosen->store;
	wish->store_mounts = chosen->store_mounts;
	wish->store_rest = true;
	interrupt_catch();
	openfiles_raise();
	ret = checkpoint_run(wish, &target, &manifest);
	if (ret > 0)
		checkpoint_undo(wish->manifest, &manifest);
	if (!ret)
		print_dump(done, &manifest, keys);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

static int run_dump(const struct criu_options *chosen)
{
	AUTO_FREE char *path = criu_path(chosen->images, CRIU_MANIFEST);
	AUTO(criu_dump_fini)
	struct criu_dump dump = {
		CRIU_DUMP_INIT, .images = chosen->images, .tree = chosen->tree,
		.leave_running = chosen->leave_running, .extra = chosen->extra};
	struct checkpoint_wish wish = {
		.manifest = path,
		.preserve.stop = !chosen->leave_running,
		.inside = dump_inside,
		/* What ends with the dump must not be its only copy. */
		.late = chosen->leave_running,
		.after = dump_after,
		.data = &dump,
	};

	criu_dump_begin(&dump);
	return run_frozen(chosen, &wish, &dump.keys, "dumped");
}

static int run_restore(const struct criu_options *chosen)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *path = criu_path(chosen->images, CRIU_MANIFEST), *why = NULL;
	int ret = path ? manifest_file_read(path, &manifest, &why) : -ENOMEM;

	manifest.store_at = chosen->store;
	/* One for each orphan, which CRIU has from us; it raises its own limit itself. */
	openfiles_raise();
	ret = ret ?: criu_keys_read(chosen->images, &keys, &why);
	ret = ret
		      ?: criu_restore(chosen->images, &manifest, &keys, chosen->keep,
				      chosen->extra, &why);
	if (ret) {
		log_error("%s; no name was removed", why_text(why));
		return EXIT_FAILED;
	}
	if (!chosen->keep)
		restore_unlink(&manifest, 0);
	printf("restored\n");
	return EXIT_DONE;
}

static int prepare_inside(const struct manifest *manifest, void *data)
{
	struct prepare_data *inside = data;
	struct clean_result result = {0};
	AUTO_FREE char *why = NULL;
	int ret = criu_prepare(&inside->prepare, manifest, &why);

	if (!ret && inside->exec) {
		ret = hook_run(inside->exec, inside->path, NULL, &why);
		if (ret)
			criu_prepare_undo(inside->prepare.images, manifest,
					  &inside->prepare.keys, &result);
		else
			ret = criu_prepare_end(&inside->prepare.keys, &why);
	}
	if (!ret)
		return 0;
	log_error("%s%s; what was preserved is removed again",
		  inside->exec ? "--exec: " : "", why_text(why));
	return 1;
}

static int run_prepare(const struct criu_options *chosen)
{
	AUTO_FREE char *path = criu_path(chosen->images, CRIU_MANIFEST);
	struct prepare_data data = {
		.prepare = {.images = chosen->images,
			    .config = chosen->config ?: RUNC_CONFIG,
			    .tree = chosen->tree},
		.exec = chosen->exec,
		.path = path,
	};
	struct checkpoint_wish wish = {
		.manifest = path,
		.inside = prepare_inside,
		.data = &data,
	};
	int status = run_frozen(chosen, &wish, &data.prepare.keys, "prepared");

	criu_prepare_fini(&data.prepare);
	return status;
}

/* Where no dump was prepared to its end there may be no keys. */
static int clean_prepared(const struct criu_options *chosen, const char *path,
			  struct clean_result *result)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *why = NULL;
	int ret = manifest_file_read(path, &manifest, &why);

	if (ret == -ENOENT && !chosen->roots.n)
		return clean_checkpoint(path, NULL, NULL, result);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	manifest.roots = chosen->roots.n ? &chosen->roots : NULL;
	if (!criu_keys_read(chosen->images, &keys, &why)) {
		signposts_remove(&manifest, &keys, result);
		ret = chosen->roots.n ? 0 : criu_prepare_end(&keys, &why);
	} else {
		log_warning("%s", why_text(why));
	}
	if (ret)
		log_error("%s", why_text(why));
	if (!chosen->roots.n)
		return clean_checkpoint(path, NULL, NULL, result) ?: ret;
	signposts_clean(&manifest, result);
	return ret;
}

static int run_clean(struct criu_options *chosen)
{
	AUTO_FREE char *path = criu_path(chosen->images, CRIU_MANIFEST);
	struct clean_result result = {0};
	int ret;

	chosen->roots.in_use = true;
	ret = path ? clean_prepared(chosen, path, &result) : -ENOMEM;
	if (ret && !result.removed && !result.absent && !result.left)
		return EXIT_FAILED;
	printf("%zu removed, %zu gone already, %zu left\n", result.removed, result.absent,
	       result.left);
	return ret || result.left ? EXIT_PARTLY : EXIT_DONE;
}

static int check_tree(const char *command, const struct criu_options *chosen)
{
	if (chosen->tree)
		return 0;
	log_error("criu %s: --tree PID is needed", command);
	return EXIT_USAGE;
}

static int do_dump(struct criu_options *chosen)
{
	return check_tree("dump", chosen) ?: run_dump(chosen);
}

static int do_restore(struct criu_options *chosen)
{
	return run_restore(chosen);
}

static int do_prepare(struct criu_options *chosen)
{
	return check_tree("prepare", chosen) ?: run_prepare(chosen);
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
	{"clean", "relinktrace criu clean", &clean_argp, run_clean},
};

int command_criu(int argc, char **argv)
{
	struct criu_options chosen = {0};
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
	argc = words_split(argc - 1, argv + 1, &chosen.extra);
	argp_parse(commands[i].argp, argc, argv + 1, 0, NULL, &chosen);
	ret = commands[i].run(&chosen);
	depot_mounts_fini(&chosen.store_mounts);
	roots_fini(&chosen.roots);
	return ret;
}

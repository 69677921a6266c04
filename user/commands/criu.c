// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "checkpoint/checkpoint.h"
#include "commands.h"
#include "criu/handover.h"
#include "manifest/manifest_file.h"
#include "manifest/template.h"
#include "restore/restore.h"

struct criu_options {
	pid_t tree; /* 0 none */
	const char *images;
	bool leave_running;
	bool keep;
	char **extra; /* of argv, behind "--"; NULL none */
};

enum { OPT_TREE = 256, OPT_IMAGES, OPT_LEAVE_RUNNING, OPT_KEEP };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct criu_options *chosen = state->input;

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
	case OPT_KEEP:
		chosen->keep = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\": words for criu come behind --", arg);
		break;
	case ARGP_KEY_END:
		if (!chosen->images)
			argp_error(state, "--images-dir DIR is needed");
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

static const struct argp dump_argp = {
	.options =
		(const struct argp_option[]){
			{"tree", OPT_TREE, "PID", 0,
			 "The process to be dumped, with all below it", 0},
			OPTION_IMAGES,
			{"leave-running", OPT_LEAVE_RUNNING, 0, 0,
			 "The processes go on afterwards", 0},
			{0},
		},
	.parser = parse,
	.args_doc = "-- [WORD FOR CRIU]...",
	.doc = "Freezes the cgroup of the process, preserves every orphan, and dumps by "
	       "CRIU without those files: whatever their size, and with --leave-running "
	       "so that they can be restored. A dump that fails leaves nothing.",
};

static const struct argp restore_argp = {
	.options =
		(const struct argp_option[]){
			OPTION_IMAGES,
			{"keep", OPT_KEEP, 0, 0,
			 "Leave the relink names, to restore another time", 0},
			{0},
		},
	.parser = parse,
	.args_doc = "-- [WORD FOR CRIU]...",
	.doc = "Opens what was preserved and restores by CRIU with it, detached. The "
	       "relink "
	       "names are removed when the whole restore has succeeded; one that fails "
	       "leaves everything as it was.",
};

/* What the caller wants to do inside of the freeze. */
struct dump_data {
	struct criu_dump dump;
	const char *cgroup;
};

static int dump_inside(const struct manifest *manifest, void *data)
{
	struct dump_data *dump = data;
	AUTO_FREE char *why = NULL, *dir = NULL;

	if (asprintf(&dir, "%s%s", cgroup_mount(), dump->cgroup) < 0)
		dir = NULL;
	if (dir && !criu_dump(&dump->dump, manifest, dir, &why))
		return 0;
	log_error("%s; what was preserved is removed again", why_text(why));
	return 1;
}

static void print_dump(const struct manifest *manifest, const struct criu_keys *keys)
{
	for (size_t i = 0; i < keys->n_left; i++)
		printf("orphan%u is left to CRIU: %s\n", keys->left[i].n,
		       keys->left[i].why);
	printf("dumped: %zu orphans preserved, %zu left to CRIU\n",
	       manifest->n_entries + manifest->n_failed - keys->n_left, keys->n_left);
}

static int run_dump(const struct criu_options *chosen)
{
	AUTO(target_fini) struct target target;
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO_FREE char *spec = NULL, *path = criu_path(chosen->images, CRIU_MANIFEST);
	struct dump_data data = {.dump = {.images = chosen->images,
					  .tree = chosen->tree,
					  .leave_running = chosen->leave_running,
					  .extra = chosen->extra}};
	struct checkpoint_wish wish = {
		.manifest = path,
		.template = TEMPLATE_DEFAULT,
		.preserve.stop = !chosen->leave_running,
		.freeze = true,
		.inside = dump_inside,
		.data = &data,
	};
	int ret;

	target_init(&target);
	if (!path || asprintf(&spec, "pid:%d", chosen->tree) < 0)
		return EXIT_FAILED;
	if (target_add_cgroup(&target, spec))
		return EXIT_USAGE;
	data.cgroup = target.cgroups[0].path;
	interrupt_catch();
	ret = checkpoint_run(&wish, &target, &manifest);
	if (ret > 0)
		checkpoint_undo(path, &manifest);
	if (!ret)
		print_dump(&manifest, &data.dump.keys);
	criu_dump_fini(&data.dump);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

static int run_restore(const struct criu_options *chosen)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO_FREE char *path = criu_path(chosen->images, CRIU_MANIFEST), *why = NULL;
	int ret = path ? manifest_file_read(path, &manifest, &why) : -ENOMEM;

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

int command_criu(int argc, char **argv)
{
	struct criu_options chosen = {0};
	static char dump_name[] = "relinktrace criu dump";
	static char restore_name[] = "relinktrace criu restore";
	bool dump = argc > 1 && !strcmp(argv[1], "dump");

	if (!dump && (argc < 2 || strcmp(argv[1], "restore"))) {
		log_error("criu dump or criu restore? --help behind either tells its "
			  "options");
		return EXIT_USAGE;
	}
	argv[1] = dump ? dump_name : restore_name;
	argc = words_split(argc - 1, argv + 1, &chosen.extra);
	argp_parse(dump ? &dump_argp : &restore_argp, argc, argv + 1, 0, NULL, &chosen);
	if (!dump)
		return run_restore(&chosen);
	if (!chosen.tree) {
		log_error("criu dump: --tree PID is needed");
		return EXIT_USAGE;
	}
	return run_dump(&chosen);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/escape.h"
#include "checkpoint/checkpoint.h"
#include "base/hook.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/openfiles.h"
#include "manifest/template.h"
#include "base/why.h"
#include "commands.h"

struct checkpoint_options {
	struct target_specs cgroups;
	const char *manifest;
	const char *template;
	const char *store;
	struct depot_mounts store_mounts;
	struct preserve_options preserve;
	const char *exec;
	struct timespec until; /* tv_sec 0: no deadline */
	bool freeze;
	bool precopy;
	bool json;
};

enum {
	OPT_MANIFEST = 256,
	OPT_TEMPLATE,
	OPT_FREEZE,
	OPT_STOP,
	OPT_METHOD,
	OPT_EXEC,
	OPT_DIGEST,
	OPT_MAX_BYTES,
	OPT_PRECOPY,
	OPT_DEADLINE,
	OPT_STORE,
	OPT_STORE_MOUNTS
};

static const struct argp_option options[] = {
	{"manifest", OPT_MANIFEST, "FILE", 0, "Where to write what was preserved", 0},
	{"template", OPT_TEMPLATE, "T", 0,
	 "The names, below the root of each orphan's mount: %t the clock, %n a counter "
	 "(default " TEMPLATE_DEFAULT ")",
	 0},
	{"freeze", OPT_FREEZE, 0, 0, "Freeze the cgroup for the time of the work", 0},
	{"stop", OPT_STOP, 0, 0,
	 "The holders end after this: an O_TMPFILE may be linked and not only copied", 0},
	{"method", OPT_METHOD, "METHOD", 0,
	 "auto (default), or for regular files nothing but link, clone or copy", 0},
	{"digest", OPT_DIGEST, 0, 0,
	 "The SHA-256 of every regular file, for restore to verify", 0},
	{"precopy", OPT_PRECOPY, 0, 0,
	 "With --freeze: copy before it what can only be copied, and inside of it only "
	 "what "
	 "changed since",
	 0},
	{"max-bytes", OPT_MAX_BYTES, "N", 0,
	 "Make nothing when the names would keep more than N bytes allocated; K, M, G, "
	 "T: "
	 "times 1024",
	 0},
	{"store", OPT_STORE, "DIR", 0,
	 "Put copies into DIR (made 0700) and no name on the mounts; beside the "
	 "manifest, or "
	 "below its folder, it is found when both have moved",
	 0},
	{"store-mounts", OPT_STORE_MOUNTS, "POINT[,POINT]...", 0,
	 "With --store: of what is on these mounts only (\\, is a comma); can be "
	 "repeated",
	 0},
	{"deadline", OPT_DEADLINE, "SECONDS", 0,
	 "In that time, whatever a filesystem does: what was not reached then is in the "
	 "manifest as failed, and the cgroup thawed",
	 0},
	{"exec", OPT_EXEC, "CMD", 0,
	 "Run CMD by the shell when the manifest is on disk, and the cgroup still frozen",
	 0},
	{0},
};

static void parse_template(struct checkpoint_options *chosen, const char *arg,
			   struct argp_state *state)
{
	const char *problem = template_problem(arg);

	if (problem)
		argp_error(state, "template \"%s\": %s", arg, problem);
	chosen->template = arg;
}

static void parse_method(struct checkpoint_options *chosen, const char *arg,
			 struct argp_state *state)
{
	int method = method_from_name(arg);

	if (method < 0 || method == METHOD_RECREATE)
		argp_error(state, "method \"%s\": it is auto, link, clone or copy", arg);
	chosen->preserve.method = method;
}

/* "4096", "64K", "10G"; 0 for anything else. */
static uint64_t bytes_parse(const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long n;
	const char *unit;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || text[0] < '0' || text[0] > '9' || n > INT64_MAX >> 40)
		return 0;
	if (!*end)
		return n;
	unit = strchr(units, *end);
	return unit && !end[1] ? n << 10 * (unit - units + 1) : 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct checkpoint_options *chosen = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		state->child_inputs[1] = &chosen->json;
		break;
	case OPT_MANIFEST:
		chosen->manifest = arg;
		break;
	case OPT_TEMPLATE:
		parse_template(chosen, arg, state);
		break;
	case OPT_FREEZE:
		chosen->freeze = true;
		break;
	case OPT_STOP:
		chosen->preserve.stop = true;
		break;
	case OPT_METHOD:
		parse_method(chosen, arg, state);
		break;
	case OPT_DIGEST:
		chosen->preserve.digest = true;
		break;
	case OPT_PRECOPY:
		chosen->precopy = true;
		break;
	case OPT_MAX_BYTES:
		chosen->preserve.max_bytes = bytes_parse(arg);
		if (!chosen->preserve.max_bytes)
			argp_error(state, "\"%s\" is not a number of bytes", arg);
		break;
	case OPT_DEADLINE:
		interrupt_time_in(words_seconds(arg, INTERRUPT_SECONDS, state),
				  &chosen->until);
		break;
	case OPT_STORE:
		chosen->store = arg;
		break;
	case OPT_STORE_MOUNTS:
		words_mounts(arg, state, &chosen->store_mounts);
		break;
	case OPT_EXEC:
		chosen->exec = arg;
		break;
	case ARGP_KEY_END:
		if (chosen->cgroups.n > 1)
			argp_error(state, "one --cgroup, please: a manifest is of one");
		if (!chosen->cgroups.n || !chosen->manifest)
			argp_error(state, "--cgroup CG and --manifest FILE are needed");
		if (chosen->precopy && !chosen->freeze)
			argp_error(state, "--precopy goes with --freeze");
		words_need_store(&chosen->store_mounts, chosen->store, state);
		if (chosen->store && chosen->preserve.method == METHOD_LINK)
			argp_error(state, "--method link: a store takes copies only");
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
	.doc = "Gives every unlinked file that a cgroup holds a name again (link, else "
	       "clone, else copy), and writes down how to give it back; -j "
	       "prints that too.",
};

/* The caller's command, for what has to be done while nothing changes, such as a snapshot.
 */
static int run_hook(const struct manifest *manifest, void *data)
{
	const struct checkpoint_options *chosen = data;
	AUTO_FREE char *why = NULL;

	(void)manifest;
	if (!chosen->exec ||
	    !hook_run(chosen->exec, chosen->manifest,
		      chosen->until.tv_sec ? &chosen->until : NULL, &why))
		return 0;
	log_error("--exec: %s; the manifest and its names stay", why_text(why));
	return 1;
}

/* What the kernel is asked for by each method. */
static const char *method_call(enum method method)
{
	switch (method) {
	case METHOD_LINK:
		return "linkat";
	case METHOD_CLONE:
		return "FICLONE";
	case METHOD_COPY:
		return "copy_file_range";
	case METHOD_AUTO:
	case METHOD_RECREATE:
		break;
	}
	return "nothing";
}

static void print_outcome(const struct manifest_entry *entry)
{
	if (entry->method == METHOD_RECREATE)
		printf("         recorded, to be made again at the restore\n");
	else if (entry->same_inode)
		printf("         %s: ok, inode %llu as before, nothing copied\n",
		       method_call(entry->method),
		       (unsigned long long)entry->relinked.ino);
	else
		printf("         %s: ok, inode %llu, %llu bytes copied\n",
		       method_call(entry->method),
		       (unsigned long long)entry->relinked.ino,
		       (unsigned long long)entry->bytes_copied);
}

static void print_entry(const struct manifest *manifest,
			const struct manifest_entry *entry)
{
	const struct orphan *orphan = &entry->orphan;
	const char *where = entry->store ? manifest->store.path : orphan->mnt_point;
	AUTO_FREE char *from = escape_control(orphan->path ? orphan->path : "?");
	AUTO_FREE char *mount = escape_control(where ? where : "?");
	AUTO_FREE char *to = escape_control(entry->relink_path ? entry->relink_path : "");

	printf("orphan%u  %s  %s  %s\n", entry->n, method_name(entry->method),
	       orphan_type_name(orphan->mode), from ? from : "?");
	if (entry->relink_path)
		printf("      -> %s%s%s\n", mount ? mount : "?",
		       mount && strcmp(mount, "/") ? "/" : "", to ? to : "?");
	for (size_t i = 0; i < entry->n_steps; i++)
		printf("         %s: %s\n", method_call(entry->steps[i].method),
		       entry->steps[i].text);
	print_outcome(entry);
}

static void print_text(const struct manifest *manifest)
{
	unsigned long long copied = 0;

	for (size_t i = 0; i < manifest->n_entries; i++) {
		print_entry(manifest, &manifest->entries[i]);
		copied += manifest->entries[i].bytes_copied;
	}
	for (size_t i = 0; i < manifest->n_failed; i++) {
		const struct manifest_failed *failed = &manifest->failed[i];
		AUTO_FREE char *from =
			escape_control(failed->orphan.path ? failed->orphan.path : "?");
		AUTO_FREE char *text = escape_control(failed->text);

		printf("orphan%u  FAILED    %s  %s: %s\n", failed->n,
		       orphan_type_name(failed->orphan.mode), from ? from : "?",
		       text ? text : strerror(failed->error));
	}
	printf("%zu preserved, %zu failed, %llu bytes copied%s\n", manifest->n_entries,
	       manifest->n_failed, copied, manifest->complete ? "" : "; NOT complete");
}

static int print(const struct manifest *manifest, bool json)
{
	json_t *root = json ? manifest_to_json(manifest) : NULL;
	int ret = 0;

	if (!json)
		print_text(manifest);
	else
		ret = !root || json_dumpf(root, stdout, JSON_INDENT(2)) ||
		      puts("") == EOF;
	json_decref(root);
	if (!ret && !fflush(stdout))
		return 0;
	log_error("cannot write to stdout: %s; the manifest is complete on disk",
		  strerror(errno));
	return -EIO;
}

int command_checkpoint(int argc, char **argv)
{
	AUTO(target_fini) struct target target;
	AUTO(manifest_fini) struct manifest manifest = {0};
	struct checkpoint_options chosen = {.template = TEMPLATE_DEFAULT};
	struct checkpoint_wish wish;
	int ret;

	target_init(&target);
	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (target_add_specs(&target, &chosen.cgroups))
		return EXIT_USAGE;
	interrupt_catch();
	openfiles_raise();
	wish = (struct checkpoint_wish){
		.manifest = chosen.manifest,
		.template = chosen.template,
		.store = chosen.store,
		.store_mounts = chosen.store_mounts,
		.preserve = chosen.preserve,
		.freeze = chosen.freeze,
		.until = chosen.until.tv_sec ? &chosen.until : NULL,
		.precopy = chosen.precopy,
		.inside = run_hook,
		/* A command is promised the manifest on the disk. */
		.late = !chosen.exec,
		.data = &chosen,
	};
	ret = checkpoint_run(&wish, &target, &manifest);
	depot_mounts_fini(&chosen.store_mounts);
	if (ret < 0 || print(&manifest, chosen.json))
		return EXIT_FAILED;
	return manifest.complete && !ret ? EXIT_DONE : EXIT_PARTLY;
}

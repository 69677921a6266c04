// SPDX-License-Identifier: GPL-2.0-only
/* CRIU runs an action script at every stage of a dump and a restore, and tells it by its
 * environment which one (criu(8), --action-script). */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/actions.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "commands.h"
#include "criu/handover.h"
#include "journal/index.h"
#include "proc/process.h"

struct stage {
	const char *images;
	pid_t init;
	bool named;	  /* the transaction, by the caller */
	const char *root; /* --root; NULL where it was */
	struct action_wish wish;
	char id[TXN_ID_MAX + 1];
};

enum { OPT_ID = 256, OPT_STRICT, OPT_KEEP, OPT_ROOT };

static const struct argp_option options[] = {
	{"id", OPT_ID, "TXN", 0,
	 "The transaction that an agent has prepared (default: one of the images' own)",
	 0},
	{"strict", OPT_STRICT, 0, 0,
	 "End with 1 where something cannot be done, which makes CRIU fail; else always "
	 "0",
	 0},
	{"keep", OPT_KEEP, 0, 0, "Leave the names after a restore, to restore again", 0},
	{"root", OPT_ROOT, "DIR", 0, "Restore: the root of what is restored", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct stage *stage = state->input;

	switch (key) {
	case OPT_ID:
		if (!txn_id_valid(arg))
			argp_error(state, "\"%s\" is no id", arg);
		snprintf(stage->id, sizeof(stage->id), "%s", arg);
		stage->named = true;
		break;
	case OPT_STRICT:
		stage->wish.strict = true;
		break;
	case OPT_KEEP:
		stage->wish.keep = true;
		break;
	case OPT_ROOT:
		stage->root = arg;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is one word too many", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "An action script of CRIU: what CRIU links for the time of a dump "
	       "(--link-remap) gets a name that stays, and is linked again for a "
	       "restore. "
	       "Says nothing on stdout. CRIU executes a script without arguments: "
	       "relinktrace-criu-hook is this command, and with options a script of two "
	       "lines.",
};

/* The folder of images is where nobody else's transaction is. */
static int name_by_images(struct stage *stage)
{
	struct stat st;

	if (stat(stage->images, &st))
		return -errno;
	snprintf(stage->id, sizeof(stage->id), "criu-%llx-%llx",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return 0;
}

/* At post-resume CRIU has closed the folder of images, which it names by an fd of its own:
 * "/proc/285/fd/3". What transaction that was is therefore noted under its process, in a
 * symbolic link beside the transactions. The path of that, owned by the caller; NULL where
 * the folder has a name, or memory is out. */
static char *note_of(const struct stage *stage)
{
	AUTO_FREE char *text = NULL;
	struct proctext_stat stat;
	char path[32], *note;
	pid_t criu;

	if (sscanf(stage->images, "/proc/%d/fd/", &criu) != 1)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/stat", criu);
	if (proctext_read(AT_FDCWD, path, &text) || proctext_stat(text, &stat) ||
	    asprintf(&note, "%s/hook/.criu-%d-%llu", index_directory(), criu,
		     (unsigned long long)stat.start_time) < 0)
		return NULL;
	return note;
}

static void note_write(const struct stage *stage)
{
	AUTO_FREE char *note = note_of(stage);

	if (!note || stage->named)
		return;
	unlink(note);
	if (symlink(stage->id, note))
		log_warning(
			"cannot make %s: %s: the names stay after the restore, and are "
			"cleaned by hook clean --id %s",
			note, strerror(errno), stage->id);
}

/* Takes the transaction from the note, which is not needed any more. 0 or -errno. */
static int note_take(struct stage *stage)
{
	AUTO_FREE char *note = note_of(stage), *id = NULL;
	int ret = note ? proctext_readlink(AT_FDCWD, note, &id) : -ENOENT;

	if (ret)
		return ret;
	unlink(note);
	if (!txn_id_valid(id))
		return -EINVAL;
	snprintf(stage->id, sizeof(stage->id), "%s", id);
	return 0;
}

/* The notes of restores that failed: their criu has ended, or the id is another's. */
static void notes_sweep(void)
{
	AUTO_FREE char *path = NULL;
	AUTO_DIR *dir = NULL;
	struct dirent *entry;

	if (asprintf(&path, "%s/hook", index_directory()) < 0)
		path = NULL;
	dir = path ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir))) {
		unsigned long long start;
		pid_t criu;
		int fd;

		if (sscanf(entry->d_name, ".criu-%d-%llu", &criu, &start) != 2)
			continue;
		fd = process_pin(criu, start);
		if (fd == -ESRCH)
			unlinkat(dirfd(dir), entry->d_name, 0);
		else if (fd >= 0)
			close(fd);
	}
}

static bool has_images_of_ours(const struct stage *stage)
{
	AUTO_FREE char *path = criu_path(stage->images, CRIU_MANIFEST);

	return path && !access(path, F_OK);
}

/* An earlier dump into the same folder: its images are about to be overwritten. */
static void run_pre_dump(struct stage *stage, struct txn *txn, struct report *report)
{
	if (!stage->named)
		action_clean(txn, &stage->wish, report);
}

static void run_post_dump(struct stage *stage, struct txn *txn, struct report *report)
{
	AUTO(target_fini) struct target target;

	target_init(&target);
	if (stage->init <= 0 || target_add_process(&target, stage->init)) {
		report_worsen(report, OUTCOME_FAILED);
		return;
	}
	stage->wish.target = &target;
	stage->wish.dumped = stage->init;
	action_post_dump(txn, &stage->wish, report);
	stage->wish.target = NULL;
}

/* Before the namespaces of a container are there, its root is known to its runtime only. */
static void run_pre_restore(struct stage *stage, struct txn *txn, struct report *report)
{
	AUTO_FREE char *spec = NULL;

	if (txn->phase < TXN_PREPARED && !has_images_of_ours(stage)) {
		txn_remove(txn);
		return;
	}
	if (stage->root && asprintf(&spec, "/=%s", stage->root) < 0) {
		report_worsen(report, OUTCOME_FAILED);
		return;
	}
	notes_sweep();
	note_write(stage);
	stage->wish.roots = (const char *const *)&spec;
	stage->wish.n_roots = !!spec;
	action_pre_restore(txn, &stage->wish, report);
	stage->wish.roots = NULL;
}

static bool has_mounts_of_its_own(pid_t pid)
{
	struct stat theirs, ours;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return !stat(path, &theirs) && !stat("/proc/self/ns/mnt", &ours) &&
	       theirs.st_ino != ours.st_ino;
}

/* Now the mounts are there, and no file is open yet. */
static void run_namespaces(struct stage *stage, struct txn *txn, struct report *report)
{
	char root[32];

	if (stage->init > 0 && has_mounts_of_its_own(stage->init)) {
		snprintf(root, sizeof(root), "/proc/%d/root", stage->init);
		stage->root = root;
	}
	run_pre_restore(stage, txn, report);
	stage->root = NULL;
}

static void run_post_resume(struct stage *stage, struct txn *txn, struct report *report)
{
	action_post_restore(txn, &stage->wish, report);
}

static const struct {
	const char *action;
	bool create;
	void (*run)(struct stage *stage, struct txn *txn, struct report *report);
} stages[] = {
	{"pre-dump", false, run_pre_dump},
	{"post-dump", true, run_post_dump},
	{"pre-restore", true, run_pre_restore},
	{"post-setup-namespaces", true, run_namespaces},
	{"post-resume", false, run_post_resume},
};

static void print_messages(const struct report *report)
{
	json_t *message;
	size_t i;

	json_array_foreach(report->messages, i, message)
	{
		const char *text = json_string_value(json_object_get(message, "text"));

		if (text)
			fprintf(stderr, "relinktrace criu-hook: %s\n", text);
	}
}

static int run(struct stage *stage, size_t which)
{
	AUTO(report_fini) struct report report;
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	AUTO_FREE char *why = NULL;
	int ret = stage->named ? 0 : name_by_images(stage);

	if (ret == -ENOENT && !note_take(stage))
		ret = 0;
	report_begin(&report, stages[which].action);
	if (ret)
		why_set(&why, ret, "%s: %s", stage->images, strerror(-ret));
	ret = ret ?: txn_open(&txn, stage->id, stages[which].create, &why);
	if (ret) {
		log_error("%s", why_text(why));
		report_worsen(&report, OUTCOME_FAILED);
	} else {
		stages[which].run(stage, &txn, &report);
	}
	print_messages(&report);
	return stage->wish.strict && report.outcome != OUTCOME_DONE ? EXIT_FAILED
								    : EXIT_DONE;
}

int command_criu_hook(int argc, char **argv)
{
	const char *action = getenv("CRTOOLS_SCRIPT_ACTION");
	const char *init = getenv("CRTOOLS_INIT_PID");
	struct stage stage = {.images = getenv("CRTOOLS_IMAGE_DIR"),
			      .init = init ? atoi(init) : 0};

	argp_parse(&argp, argc, argv, 0, NULL, &stage);
	if (!action) {
		log_error("criu-hook is run by criu: criu dump --action-script "
			  "relinktrace-criu-hook");
		return EXIT_USAGE;
	}
	stage.wish.images = stage.images;
	interrupt_catch();
	interrupt_after(ACTION_SECONDS);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (!strcmp(action, stages[i].action) && stage.images)
			return run(&stage, i);
	return EXIT_DONE;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/escape.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/openfiles.h"
#include "manifest/manifest_file.h"
#include "restore/guard.h"
#include "restore/program.h"
#include "restore/relock.h"
#include "restore/roots.h"
#include "restore/server.h"
#include "restore/writeout.h"
#include "restore/restore.h"
#include "base/why.h"
#include "commands.h"

/* What a shell returns for a command that is there and cannot be run (POSIX, 2.8.2). */
#define EXIT_CANNOT_EXECUTE 126

struct restore_options {
	const char *manifest;
	pid_t holder;
	struct roots roots;
	const char *store;
	const char *to;	    /* a directory */
	const char *listen; /* a socket */
	bool keep;
	bool check;
	char **command; /* of argv, after "--"; NULL none */
};

enum { OPT_HOLDER = 256, OPT_KEEP, OPT_CHECK, OPT_ROOT, OPT_STORE, OPT_TO, OPT_LISTEN };

static const struct argp_option options[] = {
	{"holder", OPT_HOLDER, "PID", 0,
	 "Only what this process held, every fd at its old number; else all, as "
	 "sd_listen_fds(3) describes",
	 0},
	{"root", OPT_ROOT, "[POINT=]DIR", 0,
	 "What was mounted on POINT, or below it, is in DIR now (POINT: /): after a "
	 "migration, or in a snapshot; can be repeated",
	 0},
	{"store", OPT_STORE, "DIR", 0,
	 "The store of the checkpoint is DIR now (without: found from the manifest's "
	 "folder, or where it was)",
	 0},
	{"to", OPT_TO, "DIR", 0, "Write the files into DIR, as orphan<n>-<name>", 0},
	{"listen", OPT_LISTEN, "SOCKET", 0,
	 "Hand the open files to whoever of the same user connects to SOCKET; with "
	 "--keep "
	 "one after the other, until SIGTERM",
	 0},
	{"keep", OPT_KEEP, 0, 0, "Leave the relink names, to restore again", 0},
	{"check", OPT_CHECK, 0, 0, "Verify every entry and change nothing", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct restore_options *chosen = state->input;
	AUTO_FREE char *why = NULL;

	switch (key) {
	case OPT_HOLDER:
		chosen->holder = words_pid(arg, state);
		break;
	case OPT_ROOT:
		if (roots_add(&chosen->roots, arg, &why))
			argp_error(state, "--root: %s", why_text(why));
		break;
	case OPT_STORE:
		chosen->store = arg;
		break;
	case OPT_TO:
		chosen->to = arg;
		break;
	case OPT_LISTEN:
		chosen->listen = arg;
		break;
	case OPT_KEEP:
		chosen->keep = true;
		break;
	case OPT_CHECK:
		chosen->check = true;
		break;
	case ARGP_KEY_ARG:
		if (chosen->manifest)
			argp_error(state, "\"%s\": the command comes after --", arg);
		chosen->manifest = arg;
		break;
	case ARGP_KEY_END:
		if (!chosen->manifest)
			argp_error(state, "which MANIFEST, please");
		if (chosen->check + !!chosen->command + !!chosen->to + !!chosen->listen !=
		    1)
			argp_error(state, "one of --check, --to, --listen and -- CMD, "
					  "please");
		if (chosen->check && (chosen->keep || chosen->holder))
			argp_error(state,
				   "--check looks at everything and removes nothing");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "MANIFEST -- CMD [ARG]...\nMANIFEST --to DIR\n"
		    "MANIFEST --listen SOCKET\nMANIFEST --check",
	.doc = "Opens every entry of the manifest by its relink name, verifies that it "
	       "is the file recorded, sets flags and position, removes the relink name, "
	       "and executes CMD with the files open.",
};

/* What there is beside the file, and what becomes of it. */
static void print_locks(const struct manifest_entry *entry)
{
	for (size_t i = 0; i < entry->locks.n; i++) {
		const struct filelock *lock = &entry->locks.locks[i];
		char text[96];

		relock_describe(lock, text, sizeof(text));
		printf("         %s, process %d fd %d: %s\n", text, lock->pid, lock->fd,
		       lock->type == FILELOCK_POSIX ? "is taken for CMD only"
						    : "is taken again");
	}
}

static int check_all(const struct manifest *manifest)
{
	size_t bad = 0;

	for (size_t i = 0; i < manifest->n_entries; i++) {
		AUTO_FREE char *why = NULL;
		const struct manifest_entry *entry = &manifest->entries[i];

		if (!restore_check_entry(manifest, entry, &why)) {
			printf("orphan%u  ok  %s\n", entry->n,
			       method_name(entry->method));
			print_locks(entry);
			continue;
		}
		printf("orphan%u  bad  %s\n", entry->n, method_name(entry->method));
		log_error("orphan%u cannot be restored: %s", entry->n, why_text(why));
		bad++;
	}
	printf("%zu of %zu can be restored\n", manifest->n_entries - bad,
	       manifest->n_entries);
	if (fflush(stdout)) {
		log_error("cannot write to stdout: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (bad)
		return EXIT_FAILED;
	return manifest->complete ? EXIT_DONE : EXIT_PARTLY;
}

static void warn_of_failed(const struct restore_options *chosen,
			   const struct manifest *manifest)
{
	if (manifest->n_failed)
		log_warning("%s: %zu orphans could not be preserved at the checkpoint",
			    chosen->manifest, manifest->n_failed);
}

static int print_written(const struct restore_options *chosen,
			 const struct manifest *manifest, const struct writeout *written)
{
	size_t n = 0;

	for (size_t i = 0; i < written->n; i++) {
		AUTO_FREE char *name = NULL;

		if (!written->names[i])
			continue;
		name = escape_control(written->names[i]);
		printf("orphan%u  %s/%s\n", manifest->entries[i].n, chosen->to,
		       name ? name : "?");
		n++;
	}
	printf("%zu written\n", n);
	if (!fflush(stdout))
		return 0;
	log_error("cannot write to stdout: %s; the files are complete on disk",
		  strerror(errno));
	return -EIO;
}

static int write_out(const struct restore_options *chosen,
		     const struct manifest *manifest)
{
	AUTO(writeout_fini) struct writeout written = WRITEOUT_INIT;
	AUTO_FREE char *why = NULL;

	interrupt_catch();
	if (writeout_all(&written, manifest, chosen->holder, chosen->to, &why)) {
		log_error("%s: %s; what was written is removed again, and the names stay",
			  chosen->manifest, why_text(why));
		return EXIT_FAILED;
	}
	writeout_keep(&written);
	warn_of_failed(chosen, manifest);
	if (!chosen->keep)
		restore_unlink(manifest, chosen->holder);
	return print_written(chosen, manifest, &written) ? EXIT_FAILED : EXIT_DONE;
}

/* The line is what a caller may wait for. */
static void say_listening(const struct restore_options *chosen,
			  const struct manifest *manifest)
{
	warn_of_failed(chosen, manifest);
	printf("listening on %s\n", chosen->listen);
	fflush(stdout);
}

static int listen_on(const struct restore_options *chosen,
		     const struct manifest *manifest)
{
	AUTO(server_fini) struct server server = SERVER_INIT;
	AUTO_FREE char *why = NULL;
	size_t left;
	int ret;

	interrupt_catch();
	server.manifest = manifest;
	server.holder = chosen->holder;
	server.keep = chosen->keep;
	ret = server_begin(&server, chosen->listen, &why);
	if (!ret)
		say_listening(chosen, manifest);
	while (!ret) {
		ret = server_next(&server, NULL, &left, &why);
		if (!ret && !chosen->keep)
			return EXIT_DONE;
		if (ret == -EAGAIN)
			ret = 0;
	}
	if (ret == -EINTR && chosen->keep)
		return EXIT_DONE;
	if (ret == -EINTR)
		log_error("interrupted before anybody had taken the files; the names "
			  "stay");
	else
		log_error("%s: %s; nothing was removed", chosen->manifest, why_text(why));
	return EXIT_FAILED;
}

static void remove_names(void *restore)
{
	restore_unlink_names(restore);
}

static int run(const struct restore_options *chosen, const struct manifest *manifest)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	AUTO_FREE char *why = NULL, *path = NULL;
	int ret = program_find(chosen->command[0], &path);

	if (ret) {
		log_error("%s: %s; nothing was restored", chosen->command[0],
			  strerror(-ret));
		return EXIT_FAILED;
	}
	ret = restore_open(&restore, manifest, chosen->holder, &why);
	if (ret) {
		log_error("%s: %s; nothing was removed", chosen->manifest, why_text(why));
		return EXIT_FAILED;
	}
	warn_of_failed(chosen, manifest);
	fflush(stdout);
	/* Where nobody may trace us, before an exec that may fail. */
	if (!chosen->keep && guard_exec(remove_names, &restore))
		remove_names(&restore);
	ret = restore_execute(&restore, path, chosen->command);
	log_error("%s: %s", path, strerror(-ret));
	return EXIT_CANNOT_EXECUTE;
}

int command_restore(int argc, char **argv)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	struct restore_options chosen = {0};
	AUTO_FREE char *why = NULL;
	int ret;

	argc = words_split(argc, argv, &chosen.command);
	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (manifest_file_read(chosen.manifest, &manifest, &why)) {
		log_error("%s", why_text(why));
		return EXIT_FAILED;
	}
	openfiles_raise();
	if (chosen.roots.n)
		manifest.roots = &chosen.roots;
	if (chosen.store && !manifest.store.path) {
		log_error("--store: %s has no store", chosen.manifest);
		return EXIT_USAGE;
	}
	manifest.store_at = chosen.store;
	if (chosen.check)
		ret = check_all(&manifest);
	else if (chosen.to)
		ret = write_out(&chosen, &manifest);
	else if (chosen.listen)
		ret = listen_on(&chosen, &manifest);
	else
		ret = run(&chosen, &manifest);
	roots_fini(&chosen.roots);
	return ret;
}

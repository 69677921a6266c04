// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/caps.h"
#include "commands/commands.h"
#include "bpf/tracker.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
	unsigned int stages; /* whose privileges are all that it keeps */
	bool executes;	     /* a program that is given */
} commands[] = {
	{"attach", command_attach,
	 "track the orphans of cgroups, and print them as they come", CAPS_STAGE_TRACK,
	 false},
	{"detach", command_detach, "end a pinned attach", CAPS_STAGE_TRACK, false},
	{"list", command_list, "show the unlinked files that are held open",
	 CAPS_STAGE_LOOK, false},
	{"check", command_check,
	 "tell what a checkpoint would do with each, and CRIU alone",
	 CAPS_STAGE_LOOK | CAPS_STAGE_PRESERVE, false},
	{"checkpoint", command_checkpoint, "give every orphan of a cgroup a name again",
	 CAPS_STAGE_LOOK | CAPS_STAGE_PRESERVE, true},
	{"restore", command_restore, "hand a checkpoint's files to a command",
	 CAPS_STAGE_RESTORE, true},
	{"criu", command_criu, "dump and restore by CRIU, which aborts on them by itself",
	 CAPS_STAGE_ANY, true},
	{"hook", command_hook, "the steps of an agent around somebody else's checkpoint",
	 CAPS_STAGE_LOOK | CAPS_STAGE_PRESERVE | CAPS_STAGE_RESTORE | CAPS_STAGE_REMOVE,
	 false},
	{"criu-hook", command_criu_hook, "the same as an action script of CRIU",
	 CAPS_STAGE_LOOK | CAPS_STAGE_PRESERVE | CAPS_STAGE_RESTORE | CAPS_STAGE_REMOVE,
	 false},
	{"clean", command_clean, "remove what a checkpoint left", CAPS_STAGE_REMOVE,
	 false},
	{"doctor", command_doctor, "tell what works on this machine, and why not",
	 CAPS_STAGE_TRACK, false},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	fprintf(out, "Usage: relinktrace COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].what);
	fprintf(out, "\nrelinktrace COMMAND --help tells each one's options; relinktrace "
		     "--version "
		     "the version.\n");
}

/* The command @i with its own words, argv[0] being its name for the usage. */
static int run(size_t i, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "relinktrace %s", commands[i].name);
	argv[0] = name;
	caps_begin(commands[i].stages, commands[i].executes);
	return commands[i].run(argc, argv);
}

static size_t find(const char *name)
{
	size_t i = 0;

	while (i < N_COMMANDS && strcmp(name, commands[i].name))
		i++;
	return i;
}

/* CRIU executes an action script without arguments: a link to us that is called
 * relinktrace-criu-hook is one. Other names are nothing special. */
static size_t find_by_link(const char *path)
{
	static const char prefix[] = "relinktrace-";
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	if (strncmp(base, prefix, strlen(prefix)) ||
	    strcmp(base + strlen(prefix), "criu-hook"))
		return N_COMMANDS;
	return find("criu-hook");
}

int main(int argc, char **argv)
{
	size_t i = argc ? find_by_link(argv[0]) : N_COMMANDS;

	argp_err_exit_status = EXIT_USAGE;
	tracker_set_verbose(getenv("RELINKTRACE_DEBUG"));
	if (i < N_COMMANDS)
		return run(i, argc, argv);
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help") ||
	    !strcmp(argv[1], "-h")) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("relinktrace " RELINKTRACE_VERSION);
		return EXIT_DONE;
	}
	i = find(argv[1]);
	if (i < N_COMMANDS)
		return run(i, argc - 1, argv + 1);
	fprintf(stderr, "relinktrace: there is no command \"%s\"\n", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}

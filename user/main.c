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
	{"clean", command_clean, "remove what a checkpoint left", CAPS_STAGE_REMOVE,
	 false},
	{"doctor", command_doctor, "tell what works on this machine, and why not",
	 CAPS_STAGE_TRACK, false},
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: relinktrace COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].what);
	fprintf(out, "\nrelinktrace COMMAND --help tells each one's options; relinktrace "
		     "--version "
		     "the version.\n");
}

int main(int argc, char **argv)
{
	char name[64];

	argp_err_exit_status = EXIT_USAGE;
	tracker_set_verbose(getenv("RELINKTRACE_DEBUG"));
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
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		snprintf(name, sizeof(name), "relinktrace %s", commands[i].name);
		argv[1] = name;
		caps_begin(commands[i].stages, commands[i].executes);
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "relinktrace: there is no command \"%s\"\n", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}

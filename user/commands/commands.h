/* SPDX-License-Identifier: GPL-2.0-only */
/* The subcommands: each parses its own words, calls modules, prints. argv[0] is
 * "relinktrace NAME"; what is returned is the exit status. */
#ifndef RELINKTRACE_COMMANDS_H
#define RELINKTRACE_COMMANDS_H

#include <argp.h>
#include <sys/types.h>

#include "preserve/depot.h"
#include "proc/target.h"

/* docs/relinktrace.1 has the list; other programs rely on it. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTLY = 3,
};

/* For the children of a command's own parser: --cgroup, --pod and --container, for a command
 * that takes no other words than options. The input is a struct target_specs. */
extern const struct argp naming_argp;

/* The same, of -j. The input is a bool; what is logged becomes JSON too. */
extern const struct argp json_argp;

/* The process id @arg. What is none ends the program by argp_error(). */
pid_t words_pid(const char *arg, struct argp_state *state);

/* "10" or "0.5": seconds above 0, at most @most. Others end the program by argp_error(). */
double words_seconds(const char *arg, double most, struct argp_state *state);

/* Adds the list @arg of mount points to @mounts, which the caller owns. What is none ends the
 * program by argp_error(). */
void words_mounts(const char *arg, struct argp_state *state, struct depot_mounts *mounts);

/* --store-mounts (@mounts) without --store (@store, NULL) ends the program by argp_error(). */
void words_need_store(const struct depot_mounts *mounts, const char *store,
		      struct argp_state *state);

/* Takes "-- WORD..." off @argv, which is not argp's to look at. @behind becomes where the
 * words begin in @argv, and is untouched where there are none. Returns the new argc. */
int words_split(int argc, char **argv, char ***behind);

int command_attach(int argc, char **argv);
int command_detach(int argc, char **argv);
int command_list(int argc, char **argv);
int command_check(int argc, char **argv);
int command_checkpoint(int argc, char **argv);
int command_criu(int argc, char **argv);
int command_criu_hook(int argc, char **argv);
int command_hook(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_clean(int argc, char **argv);
int command_doctor(int argc, char **argv);

#endif

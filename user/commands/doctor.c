// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/auto.h"
#include "base/caps.h"
#include "track/doctor.h"
#include "base/log.h"
#include "commands.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = state->input;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "\"%s\" is one word too many", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp argp = {
	.parser = parse,
	.children = (const struct argp_child[]){{.argp = &json_argp}, {0}},
	.doc = "Tries every way to attach and every way to find holders on this "
	       "machine, and tells which work, which do not and why.",
};

static void print_check(const char *group, const struct doctor_check *check)
{
	printf("%-10s %-15s %-4s %s\n", group, check->name, check->works ? "yes" : "no",
	       check->note ? check->note : "");
}

static void print_text(const struct doctor *doctor)
{
	printf("kernel     %s %s\n", doctor->kernel.release, doctor->kernel.machine);
	for (size_t i = 0; i < doctor->n_machine; i++)
		print_check("machine", &doctor->machine[i]);
	for (size_t i = 0; i < 3; i++)
		print_check("attach by", &doctor->backends[i]);
	for (size_t i = 0; i < 3; i++)
		print_check("holders by", &doctor->iterators[i]);
	print_check("state", &doctor->attached);
	for (int use = 0; use < CAPS_USES; use++)
		printf("%-10s %-4s %s, %s\n", "may", caps_have(use) ? "yes" : "no",
		       caps_need(use)->purpose, caps_need(use)->names);
	printf("\nattach will use %s, holders are found by %s\n",
	       backend_name(doctor->backend),
	       doctor->by_iterator ? "iterators" : "a walk of /proc");
}

static int print_json(const struct doctor *doctor)
{
	json_t *root = doctor_to_json(doctor);
	int err =
		!root || json_dumpf(root, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;

	json_decref(root);
	return err ? -ENOMEM : 0;
}

int command_doctor(int argc, char **argv)
{
	AUTO(doctor_fini) struct doctor doctor = {};
	bool json = false;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	err = doctor_examine(&doctor);
	if (!err && json)
		err = print_json(&doctor);
	else if (!err)
		print_text(&doctor);
	if (err || fflush(stdout)) {
		log_error("telling the result failed: %s", strerror(err ? -err : errno));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

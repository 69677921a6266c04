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

static json_t *check_json(const struct doctor_check *check)
{
	return json_pack("{s:s,s:b,s:s?}", "name", check->name, "works", check->works,
			 "note", check->note);
}

static json_t *checks_json(const struct doctor_check *checks, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, check_json(&checks[i]));
	return array;
}

static int print_json(const struct doctor *doctor)
{
	json_t *caps = json_array();
	json_t *root;
	int err;

	for (int use = 0; use < CAPS_USES; use++)
		json_array_append_new(caps, json_pack("{s:s,s:s,s:b}", "names",
						      caps_need(use)->names, "purpose",
						      caps_need(use)->purpose, "have",
						      caps_have(use)));
	root = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "schema",
			 "relinktrace.doctor/1", "kernel", doctor->kernel.release,
			 "machine", doctor->kernel.machine, "backend",
			 backend_name(doctor->backend), "holders_by",
			 doctor->by_iterator ? "iterator" : "proc", "checks",
			 checks_json(doctor->machine, doctor->n_machine), "backends",
			 checks_json(doctor->backends, 3), "iterators",
			 checks_json(doctor->iterators, 3), "attached",
			 check_json(&doctor->attached), "capabilities", caps);
	err = !root || json_dumpf(root, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
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

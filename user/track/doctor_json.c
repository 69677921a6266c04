/* SPDX-License-Identifier: GPL-2.0-only */
#include <jansson.h>

#include "base/caps.h"
#include "doctor.h"

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

json_t *doctor_to_json(const struct doctor *doctor)
{
	json_t *caps = json_array();

	for (int use = 0; use < CAPS_USES; use++)
		json_array_append_new(caps, json_pack("{s:s,s:s,s:b}", "names",
						      caps_need(use)->names, "purpose",
						      caps_need(use)->purpose, "have",
						      caps_have(use)));
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o}", "schema",
			 "relinktrace.doctor/1", "kernel", doctor->kernel.release,
			 "machine", doctor->kernel.machine, "backend",
			 backend_name(doctor->backend), "holders_by",
			 doctor->by_iterator ? "iterator" : "proc", "checks",
			 checks_json(doctor->machine, doctor->n_machine), "backends",
			 checks_json(doctor->backends, 3), "iterators",
			 checks_json(doctor->iterators, 3), "attached",
			 check_json(&doctor->attached), "capabilities", caps);
}

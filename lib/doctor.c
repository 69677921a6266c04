/* SPDX-License-Identifier: GPL-2.0-only */
#include "track/doctor.h"

#include "base/auto.h"
#include "handle.h"

static int examine(char **json)
{
	AUTO(doctor_fini) struct doctor doctor = {0};
	int ret = doctor_examine(&doctor);

	return ret ?: handle_text(doctor_to_json(&doctor), json);
}

int relinktrace_doctor(struct relinktrace *rt, char **json)
{
	handle_enter(rt);
	return handle_leave(rt, examine(json));
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include <jansson.h>

#include "base/auto.h"
#include "handle.h"
#include "orphan/orphan_json.h"
#include "scan/scan.h"

static json_t *from_set(const struct orphan_set *set)
{
	json_t *array = json_array();
	json_t *root =
		json_pack("{s:s,s:s,s:b,s:s,s:b,s:I,s:I,s:o}", "schema",
			  "relinktrace.list/1", "backend", backend_name(set->backend),
			  "exact", backend_is_exact(set->backend), "holders_by",
			  set->by_iterator ? "iterator" : "proc", "complete",
			  set->complete, "lost", (json_int_t)set->lost, "unread",
			  (json_int_t)set->unread, "orphans", array);

	for (size_t i = 0; i < set->n && root; i++) {
		if (json_array_append_new(array, json_from_orphan(&set->orphans[i]))) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

static int list(const char *const *cgroups, pid_t pid, char **json)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	AUTO(target_fini) struct target target;
	int ret = 0;

	orphan_set_init(&set);
	target_init(&target);
	for (; cgroups && *cgroups && !ret; cgroups++) {
		ret = target_add_cgroup(&target, *cgroups);
		target.kind = TARGET_CGROUPS;
	}
	if (!cgroups && pid) {
		target.kind = TARGET_PID;
		target.pid = pid;
	}
	ret = ret ?: scan(&target, NULL, &set);
	ret = ret ?: handle_text(from_set(&set), json);
	return ret ?: set.complete ? 0 : RELINKTRACE_PARTLY;
}

int relinktrace_list(struct relinktrace *rt, const char *const *cgroups, pid_t pid,
		     char **json)
{
	handle_enter(rt);
	return handle_leave(rt, list(cgroups, pid, json));
}

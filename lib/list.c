/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <jansson.h>

#include "base/auto.h"
#include "base/log.h"
#include "bpf/pins.h"
#include "handle.h"
#include "orphan/orphan_json.h"
#include "scan/scan.h"

static json_t *from_set(const struct orphan_set *set)
{
	json_t *root = json_from_orphan_set_head(set), *array = json_array();

	if (json_object_set_new(root, "orphans", array)) {
		json_decref(root);
		return NULL;
	}
	for (size_t i = 0; i < set->n; i++) {
		if (json_array_append_new(array, json_from_orphan(&set->orphans[i]))) {
			json_decref(root);
			return NULL;
		}
	}
	return root;
}

/* Whose orphans @wish means, into @target (initialised). 0 or -errno, logged. */
static int find_target(const struct relinktrace_list *wish, struct target *target)
{
	if (!!wish->cgroups + !!wish->pid + !!wish->all > 1 || wish->pid < 0) {
		log_error("only one of cgroups, a pid and all");
		return -EINVAL;
	}
	if (wish->pid) {
		target->kind = TARGET_PID;
		target->pid = wish->pid;
	}
	if (!wish->cgroups) {
		if (!wish->pid && !wish->all)
			pins_find_target(target);
		return 0;
	}
	/* Also when the list is empty: nobody, and not everybody. */
	target->kind = TARGET_CGROUPS;
	return handle_cgroups(wish->cgroups, target);
}

static int list(const struct relinktrace_list *theirs, char **json)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	AUTO(target_fini) struct target target;
	struct relinktrace_list wish = {0};
	int ret = handle_wish(&wish, theirs, sizeof(wish));

	orphan_set_init(&set);
	target_init(&target);
	ret = ret ?: find_target(&wish, &target);
	ret = ret ?: scan(&target, NULL, &set);
	ret = ret ?: handle_text(from_set(&set), json);
	if (ret)
		return ret;
	scan_tell_lost(&set);
	return set.complete ? 0 : RELINKTRACE_PARTLY;
}

int relinktrace_list(struct relinktrace *rt, const struct relinktrace_list *wish,
		     char **json)
{
	handle_enter(rt);
	return handle_leave(rt, list(wish, json));
}

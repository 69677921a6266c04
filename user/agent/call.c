/* SPDX-License-Identifier: GPL-2.0-only */
#include "call.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "undo.h"

static const struct call_action actions[] = {
	{"prepare", action_prepare, true, "csIeftSMnw",
	 "Before the checkpoint: gives the orphans of the cgroup a name, and tells what "
	 "criu "
	 "has to be told."},
	{"post-dump", action_post_dump, false, "sI",
	 "The dump came to its end: the names stay until they are restored or cleaned."},
	{"abort", action_abort, false, "",
	 "The dump or the restore failed: everything is as before it."},
	{"pre-restore", action_pre_restore, true, "sIrS",
	 "Before the restore: verifies the names, and makes those again that CRIU "
	 "needs."},
	{"post-restore", action_post_restore, false, "kS",
	 "The restore came to its end: the names go."},
	{"clean", action_clean, false, "", "Nobody will restore it: the names go."},
};

const struct call_action *call_find(const char *name)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(name, actions[i].name))
			return &actions[i];
	return NULL;
}

char *call_root(const char *spec)
{
	const char *equal = strchr(spec, '=');
	AUTO_FREE char *dir = realpath(equal ? equal + 1 : spec, NULL);
	char *made;

	if (!dir || asprintf(&made, "%.*s=%s", equal ? (int)(equal - spec) : 1,
			     equal ? spec : "/", dir) < 0)
		return NULL;
	return made;
}

void call_run(const struct call_action *action, const char *id,
	      const struct action_wish *wish, struct txn *txn, struct report *report)
{
	AUTO_FREE char *why = NULL;

	if (txn_open(txn, id, action->create, &why)) {
		log_error("%s", why_text(why));
		report_worsen(report, OUTCOME_FAILED);
	} else {
		if (undo_attempt(txn, &why))
			log_warning("%s", why_text(why));
		action->run(txn, wish, report);
	}
	report->proceed = !wish->strict || report->outcome == OUTCOME_DONE;
}

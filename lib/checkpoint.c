/* SPDX-License-Identifier: GPL-2.0-only */
#include "checkpoint/checkpoint.h"

#include <errno.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "handle.h"
#include "manifest/template.h"

/* What is called while the cgroup is frozen. */
static int call_frozen(const struct manifest *manifest, void *data)
{
	const struct relinktrace_checkpoint *wish = data;

	(void)manifest;
	if (!wish->frozen || !wish->frozen(wish->data))
		return 0;
	log_error("what the caller does while the cgroup is frozen has failed; the "
		  "manifest and its names stay");
	return 1;
}

/* 0, or -EINVAL, logged. */
static int wish_check(const struct relinktrace_checkpoint *wish, int *method)
{
	const char *problem = wish->names ? template_problem(wish->names) : NULL;

	*method = wish->method ? method_from_name(wish->method) : METHOD_AUTO;
	if (!wish->cgroup || !wish->manifest)
		log_error("a cgroup and a manifest are needed");
	else if (problem)
		log_error("template \"%s\": %s", wish->names, problem);
	else if (*method < 0 || *method == METHOD_RECREATE)
		log_error("method \"%s\": it is auto, link, clone or copy", wish->method);
	else if (wish->store && *method == METHOD_LINK)
		log_error("method \"link\": a store takes copies only");
	else if (wish->precopy && !wish->freeze)
		log_error("precopy goes with freeze");
	else
		return handle_deadline(wish->deadline);
	return -EINVAL;
}

static int checkpoint(const struct relinktrace_checkpoint *theirs, char **json)
{
	AUTO(depot_mounts_fini) struct depot_mounts mounts = {0};
	AUTO(target_fini) struct target target;
	AUTO(manifest_fini) struct manifest manifest = {0};
	struct relinktrace_checkpoint wish = {0};
	struct checkpoint_wish run = {.inside = call_frozen, .data = &wish};
	struct timespec until;
	int method, ret = handle_wish(&wish, theirs, sizeof(wish));

	target_init(&target);
	ret = ret ?: wish_check(&wish, &method);
	ret = ret ?: handle_store_mounts(wish.store, wish.store_mounts, &mounts);
	ret = ret ?: target_add_cgroup(&target, wish.cgroup);
	if (ret)
		return ret;
	run.manifest = wish.manifest;
	run.store = wish.store;
	run.store_mounts = mounts;
	run.template = wish.names ? wish.names : TEMPLATE_DEFAULT;
	run.preserve.method = method;
	run.preserve.stop = wish.stop;
	run.preserve.digest = wish.digest;
	run.preserve.max_bytes = wish.max_bytes;
	run.freeze = wish.freeze;
	run.precopy = wish.precopy;
	run.late = !wish.frozen;
	if (wish.deadline > 0) {
		interrupt_time_in(wish.deadline, &until);
		run.until = &until;
	}
	ret = checkpoint_run(&run, &target, &manifest);
	if (ret < 0)
		return ret;
	if (json && handle_text(manifest_to_json(&manifest), json)) {
		log_error("no memory for the JSON; the manifest is complete on disk");
		return -ENOMEM;
	}
	return manifest.complete && !ret ? 0 : RELINKTRACE_PARTLY;
}

int relinktrace_checkpoint(struct relinktrace *rt,
			   const struct relinktrace_checkpoint *wish, char **json)
{
	handle_enter(rt);
	return handle_leave(rt, checkpoint(wish, json));
}

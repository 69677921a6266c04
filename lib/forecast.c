/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/auto.h"
#include "base/log.h"
#include "criu/outlook.h"
#include "handle.h"

#include <errno.h>

static int forecast_all(const struct relinktrace_forecast *theirs, char **json)
{
	AUTO(depot_mounts_fini) struct depot_mounts mounts = {0};
	AUTO(target_fini) struct target target;
	AUTO(outlook_fini) struct outlook outlook;
	struct relinktrace_forecast wish = {0};
	int ret = handle_wish(&wish, theirs, sizeof(wish));

	target_init(&target);
	outlook_init(&outlook);
	if (!ret && (!wish.cgroups || !*wish.cgroups)) {
		log_error("a cgroup is needed");
		ret = -EINVAL;
	}
	ret = ret ?: handle_store_mounts(wish.store, wish.store_mounts, &mounts);
	ret = ret ?: handle_cgroups(wish.cgroups, &target);
	if (!ret && wish.store)
		ret = outlook_store(&outlook, wish.store, &mounts);
	ret = ret ?: outlook_look(&outlook, &target, wish.stop);
	ret = ret ?: handle_text(outlook_to_json(&outlook), json);
	if (ret)
		return ret;
	if (outlook.n_failing)
		log_warning("%zu orphans cannot be preserved", outlook.n_failing);
	return outlook.n_failing || !outlook.set.complete ? RELINKTRACE_PARTLY : 0;
}

int relinktrace_forecast(struct relinktrace *rt, const struct relinktrace_forecast *wish,
			 char **json)
{
	handle_enter(rt);
	return handle_leave(rt, forecast_all(wish, json));
}

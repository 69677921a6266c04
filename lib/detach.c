/* SPDX-License-Identifier: GPL-2.0-only */
#include "track/detach.h"

#include <errno.h>

#include "base/log.h"
#include "handle.h"

static int detach(const struct relinktrace_detach *theirs)
{
	struct relinktrace_detach wish = {0};
	uint64_t ids[RT_MAX_TARGETS];
	int ret = handle_wish(&wish, theirs, sizeof(wish));
	size_t n = 0;

	if (!ret && !wish.all == !(wish.cgroups && *wish.cgroups)) {
		log_error("either cgroups or all");
		ret = -EINVAL;
	}
	if (ret)
		return ret;
	if (wish.all)
		return detach_all();
	for (; wish.cgroups[n] && !ret; n++) {
		if (n == RT_MAX_TARGETS) {
			log_error("more cgroups than can be attached");
			return -E2BIG;
		}
		ret = detach_find(wish.cgroups[n], &ids[n]);
	}
	return ret ?: detach_cgroups(ids, n);
}

int relinktrace_detach(struct relinktrace *rt, const struct relinktrace_detach *wish)
{
	handle_enter(rt);
	return handle_leave(rt, detach(wish));
}

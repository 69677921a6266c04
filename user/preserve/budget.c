/* SPDX-License-Identifier: GPL-2.0-only */
#include "budget.h"

#include <errno.h>

#include "base/auto.h"
#include "base/log.h"
#include "proc/mount.h"
#include "source.h"

/* What @orphan has allocated; the kernel half does not know it on every filesystem. */
static uint64_t allocated(struct preserve *preserve, struct orphan *orphan)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	AUTO_FREE char *why = NULL;

	if (!S_ISREG(orphan->mode))
		return 0;
	/* With a deadline: nobody is asked who may never answer. */
	if ((preserve->options.recorded && mount_may_hang(orphan->fstype)) ||
	    preserve_reach(preserve, orphan, &source, NULL, &why))
		return orphan->allocated;
	return source.stat.st_blocks * 512ULL;
}

int budget_check(struct preserve *preserve, const struct orphan_set *set)
{
	uint64_t needed = 0, max = preserve->options.max_bytes;

	for (size_t i = 0; i < set->n && max; i++)
		needed += allocated(preserve, &set->orphans[i]);
	if (!max || needed <= max)
		return 0;
	log_error("the names would keep %llu bytes allocated, more than the %llu of "
		  "--max-bytes: nothing was made",
		  (unsigned long long)needed, (unsigned long long)max);
	return -EDQUOT;
}

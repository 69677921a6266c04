/* SPDX-License-Identifier: GPL-2.0-only */
#include "alone.h"

#include <errno.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "proc/family.h"
#include "proc/freezer.h"
#include "scan/scan.h"

void alone_begin(struct alone *alone)
{
	*alone = (struct alone){0};
	alone->quiet = scan_is_quiet(&alone->born);
}

/* Whether there has been no orphan since. */
static bool stayed_quiet(const struct alone *alone)
{
	uint64_t born;

	return alone->quiet && scan_is_quiet(&born) && born == alone->born;
}

int alone_run(const struct alone *alone, const struct checkpoint_wish *wish,
	      const struct target *target, const struct manifest *manifest,
	      const struct orphan_set *set)
{
	AUTO_FREE char *why = NULL;
	int ret;

	/* Whoever stops what is frozen already must know it, or waits for ever. */
	if (!wish->alone || set->n || !set->complete ||
	    freezer_is_frozen(&target->cgroups[0]) ||
	    !family_has_all(wish->tree, &target->cgroups[0]))
		return 1;
	ret = wish->alone(manifest, wish->data, &why);
	if (!ret)
		return 0;
	if (ret == -EAGAIN)
		return 1;
	if (ret == -ECANCELED && !interrupt_pending() && !stayed_quiet(alone))
		return 1;
	log_error("%s", why_text(why));
	return ret == -EOPNOTSUPP ? -ECANCELED : ret;
}

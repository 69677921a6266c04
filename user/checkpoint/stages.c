/* SPDX-License-Identifier: GPL-2.0-only */
#include "stages.h"

#include <errno.h>
#include <string.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"

/* Looking cannot write, whatever it is shown. */
static int look(const struct target *target, const struct scanner *scanner,
		struct orphan_set *set)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_LOOK);

	(void)stage;
	return scan(target, scanner, set);
}

void stage_ready(struct scanner *out)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_LOOK);

	(void)stage;
	scanner_open(out);
}

int stage_look(const struct target *target, const struct scanner *scanner,
	       void (*select)(struct orphan_set *set, void *data), void *data,
	       struct orphan_set *set)
{
	int ret = look(target, scanner, set);

	if (ret)
		log_error("cannot find out what cgroup %s holds: %s%s",
			  target->cgroups[0].path, strerror(-ret), advice(ret));
	else if (select)
		select(set, data);
	return ret;
}

int stage_folders(struct preserve *preserve, struct orphan_set *set)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_PRESERVE);
	int ret;

	(void)stage;
	ret = preserve_folders(preserve, set);
	if (ret)
		log_error("cannot make the folders before the freeze: %s",
			  strerror(-ret));
	return ret;
}

int stage_preserve(struct preserve *preserve, struct orphan_set *set)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_PRESERVE);

	(void)stage;
	return preserve_all(preserve, set);
}

int stage_settle(struct preserve *preserve)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_PRESERVE);
	int ret;

	(void)stage;
	ret = preserve_settle(preserve);
	if (ret == -EINTR)
		log_error("interrupted: the names that were made are removed again");
	else if (ret)
		log_error("cannot preserve: %s", strerror(-ret));
	return ret;
}

static int copy(struct preserve *preserve, struct orphan_set *set,
		const struct timespec *frozen, struct precopies *out)
{
	AUTO(caps_while_end) struct caps_while stage = caps_only(CAPS_STAGE_PRESERVE);

	(void)stage;
	return precopy_all(preserve, set, frozen, out);
}

int stage_precopy(struct preserve *preserve, struct orphan_set *set,
		  const struct timespec *frozen, struct precopies *out)
{
	int ret = copy(preserve, set, frozen, out);

	/* That has been said. */
	if (ret && ret != -EDQUOT)
		log_error("cannot copy before the freeze: %s", strerror(-ret));
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "unlinked.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "bpf/records.h"
#include "proc/cgroup.h"

struct unlinker unlinked_by(const struct rt_orphan *known)
{
	struct unlinker unlinker = {
		.known = known->unlinked_ns,
		.when_ns = clock_real_at(known->unlinked_ns),
		.pid = known->pid,
		.cgroup_id = known->cgroup_id,
	};

	memcpy(unlinker.comm, known->comm, sizeof(unlinker.comm));
	unlinker.comm[sizeof(unlinker.comm) - 1] = '\0';
	return unlinker;
}

/* A task that unlinks is of the target when its cgroup is; a removed cgroup is of none.
 */
static bool target_has_unlinker(const struct target *target,
				const struct rt_orphan *known)
{
	AUTO_FREE char *path = NULL;

	if (target->kind == TARGET_CGROUPS &&
	    cgroup_path_seen(known->cgroup_id, known->pid, &path))
		return false;
	return target_has(target, known->pid, path);
}

bool unlinked_fill(const struct rt_orphan *known, const struct target *target,
		   struct orphan *orphan)
{
	if ((known->flags & (RT_ORPHAN_MAYBE_LOWER | RT_ORPHAN_IDLE)) ||
	    !target_has_unlinker(target, known))
		return false;
	orphan->dev_major = kernel_major(known->dev);
	orphan->dev_minor = kernel_minor(known->dev);
	orphan->ino = known->ino;
	orphan->inode = known->inode;
	orphan->has_generation = true;
	orphan->generation = known->generation;
	orphan->mode = known->mode;
	orphan->tmpfile = known->flags & RT_ORPHAN_TMPFILE;
	orphan->cgroup_id = known->cgroup_id;
	orphan->unattributed = true;
	orphan->unlinker = unlinked_by(known);
	return true;
}

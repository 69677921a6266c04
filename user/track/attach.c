// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "proc/procwalk.h"

void attach_end(struct attach *attach)
{
	tracker_close(attach->tracker);
	*attach = (struct attach)ATTACH_INIT;
}

static int open_tracker(const struct attach_wish *wish, struct attach *attach, char **why)
{
	struct tracker_options options = {
		.backend = wish->backend,
		.max_orphans = wish->max_orphans,
		.streaming = wish->streaming,
		.bootstrap = true,
		.iterators = true,
		.ours = true,
	};
	AUTO(kernel_fini) struct kernel kernel = KERNEL_INIT;
	int err = kernel_read(&kernel);

	if (err) {
		*why = strdup("the kernel has no BTF at /sys/kernel/btf/vmlinux "
			      "(CONFIG_DEBUG_INFO_BTF)");
		return err;
	}
	if (tracker_hooks_functions(&kernel))
		kernel_read_symbols(&kernel);
	err = wish->backend == BACKEND_NONE
		      ? tracker_open_best(&options, &kernel, &attach->tracker, why)
		      : tracker_open(&options, &kernel, &attach->tracker, why);
	if (err)
		return err;
	attach->source.iterators = tracker_iterators(attach->tracker);
	attach->source.backend = tracker_backend(attach->tracker);
	attach->source.settles = true;
	attach->source.orphans_fd = tracker_orphans_fd(attach->tracker);
	attach->source.stats_fd = tracker_stats_fd(attach->tracker);
	if (backend_is_exact(attach->source.backend))
		attach->source.hooks = tracker_hooks(attach->tracker);
	return 0;
}

static int skip_record(const struct rt_holder *record, const char *path, void *data)
{
	(void)record;
	(void)path;
	(void)data;
	return 0;
}

/* Without iter/task_vma no program sees what only a mapping holds. Holding it ourselves
 * for a moment makes it an fd, which iter/task_file does see. */
static int bootstrap_maps(struct attach *attach)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	AUTO_FREE int *fds = NULL;
	struct target everybody;
	int err;

	orphan_set_init(&set);
	target_init(&everybody);
	err = procwalk_scan_maps(&everybody, &set);
	if (err || !set.n)
		return err;
	fds = malloc(set.n * sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	for (size_t i = 0; i < set.n; i++) {
		char link[64];

		holder_proc_link(&set.orphans[i].holders[0], link, sizeof(link));
		fds[i] = open(link, O_PATH | O_CLOEXEC);
	}
	err = iterators_run(&attach->source.iterators, skip_record, NULL);
	for (size_t i = 0; i < set.n; i++)
		auto_close(&fds[i]);
	return err;
}

int attach_again(struct pins *pins, const struct target *target, struct orphan_set *set)
{
	struct scan_source source = SCAN_SOURCE_INIT;
	int err = pins_add_targets(pins->targets_fd, target);

	err = err ? err : pins_open_iterators(pins, true);
	if (err)
		return err;
	source.backend = pins->backend;
	source.orphans_fd = pins->orphans_fd;
	source.stats_fd = pins->stats_fd;
	source.hooks = pins->hooks;
	source.iterators = pins->iterators;
	source.settles = true;
	return scan_with(&source, target, set);
}

int attach_begin(const struct attach_wish *wish, const struct target *target,
		 struct attach *out, struct orphan_set *set, char **why)
{
	AUTO(attach_end) struct attach attach = ATTACH_INIT;
	int err;

	*why = NULL;
	err = open_tracker(wish, &attach, why);
	if (!err && attach.source.iterators.maps_fd < 0 &&
	    backend_is_exact(attach.source.backend))
		err = bootstrap_maps(&attach);
	/* The pass that lists is the one that fills the map. */
	if (!err)
		err = scan_with(&attach.source, target, set);
	if (err)
		return err;
	*out = attach;
	attach = (struct attach)ATTACH_INIT;
	return 0;
}

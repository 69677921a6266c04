// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/caps.h"
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
	err = procwalk_scan_parts(&everybody, PROCWALK_MAPS, &set);
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

/* Adds @target to what is pinned. 0 or -errno. */
static int attach_again(struct pins *pins, const struct target *target,
			struct orphan_set *set)
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

/* 0; -errno, and the reason in @why. */
static int begin(const struct attach_wish *wish, const struct target *target,
		 struct attach *out, struct orphan_set *set, char **why)
{
	AUTO(attach_end) struct attach attach = ATTACH_INIT;
	int err = open_tracker(wish, &attach, why);

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

int attach_begin(const struct attach_wish *wish, const struct target *target,
		 struct attach *out, struct orphan_set *set)
{
	AUTO_FREE char *why = NULL;
	int err = begin(wish, target, out, set, &why);

	if (err)
		log_error("cannot attach: %s%s; `relinktrace doctor` tells what works "
			  "here",
			  why ? why : strerror(-err), caps_missing(CAPS_BPF_LOAD));
	return err;
}

static void tell_not_pinned(int err, const struct attach *attach)
{
	log_error("cannot pin to " PINS_DIR ": %s%s", strerror(-err),
		  err == -E2BIG ? "; it has 64 cgroups already, detach some"
		  : err == -EINVAL && attach->source.backend == BACKEND_KPROBE
			  ? "; this kernel cannot pin kprobes (that came in 5.15, "
			    "b89fbfbb854c), run attach without --pin"
			  : "");
}

int attach_pinned(const struct attach_wish *wish, const struct target *target,
		  struct orphan_set *set)
{
	AUTO(attach_end) struct attach attach = ATTACH_INIT;
	AUTO(pins_close) struct pins pins = PINS_INIT;
	AUTO_FD lock = pins_lock();
	int err;

	if (lock < 0) {
		log_error("/sys/fs/bpf cannot be used: %s%s", strerror(-lock),
			  caps_missing(CAPS_BPF_PIN));
		return lock;
	}
	err = pins_open(&pins);
	if (err == -EPROTO) {
		log_error("%s", pins_strerror(err));
		return err;
	}
	if (!err) {
		err = attach_again(&pins, target, set);
	} else {
		/* What is not whole is of an attach that was interrupted. */
		pins_remove();
		err = attach_begin(wish, target, &attach, set);
		if (err)
			return err;
		err = pins_add_targets(tracker_targets_fd(attach.tracker), target);
		err = err ? err : pins_create(attach.tracker);
	}
	if (err)
		tell_not_pinned(err, &attach);
	return err;
}

enum backend attach_backend(const char *name)
{
	static const enum backend all[] = {BACKEND_FENTRY, BACKEND_KPROBE,
					   BACKEND_TP_BTF};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(name, backend_name(all[i])))
			return all[i];
	return BACKEND_NONE;
}

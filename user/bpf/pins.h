/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The attach that goes on without a process: links and maps pinned in
 * /sys/fs/bpf/relinktrace. The folder is filled under another name and renamed, so that
 * it is whole whenever it is there; changes are made under a lock on the bpffs itself.
 */
#ifndef RELINKTRACE_PINS_H
#define RELINKTRACE_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/target.h"
#include "tracker.h"

#define PINS_DIR "/sys/fs/bpf/relinktrace"

struct pins {
	int orphans_fd;
	int targets_fd;
	int stats_fd;
	enum backend backend;
	struct hooks hooks;
	struct iterators iterators; /* after pins_open_iterators() */
	int lock_fd;		    /* holds them for us */
};

#define PINS_INIT                                                                        \
	{                                                                                \
		.orphans_fd = -1, .targets_fd = -1, .stats_fd = -1,                      \
		.iterators = ITERATORS_INIT, .lock_fd = -1                               \
	}

/* Opens the maps of the pinned attach. 0; -ENOENT when there is none; -EPROTO when it is
 * of another version of this program; -errno (-EPERM: CAP_BPF, or CAP_SYS_ADMIN, is
 * missing). */
int pins_open(struct pins *out);

/* What @err, which came from here, means. */
const char *pins_strerror(int err);

/* Opens the iterators of the pinned attach for this process alone, until pins_close(). 0;
 * -EWOULDBLOCK another process uses them, and we do not @wait; -errno. */
int pins_open_iterators(struct pins *pins, bool wait);

/* Closes all of it; for AUTO(). The attach stays. */
void pins_close(struct pins *pins);

/* Mounts a bpffs on /sys/fs/bpf when none is there, and takes the lock: the returned fd
 * holds it. -errno. */
int pins_lock(void);

/* Pins @tracker. With the lock held. 0; -errno, nothing left behind. */
int pins_create(struct tracker *tracker);

/* Removes the pinned attach and the remains of any that was interrupted. With the lock
 * held. 0, also when there was nothing; -errno. */
int pins_remove(void);

/* Adds every cgroup of @target to the map of targets @fd; those that are there stay.
 * 0; -E2BIG when the map is full; -errno. */
int pins_add_targets(int fd, const struct target *target);

/* Ids of the cgroups in the map of targets @fd, *@n of them, RT_MAX_TARGETS at most.
 * 0 or -errno. */
int pins_targets(int fd, uint64_t ids[static RT_MAX_TARGETS], size_t *n);

/* Makes @target (initialised) the cgroups of the pinned attach, those that are gone left out;
 * where nothing is pinned, or it cannot be asked, it stays as it is. */
void pins_find_target(struct target *target);

#endif

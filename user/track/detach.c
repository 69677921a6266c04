/* SPDX-License-Identifier: GPL-2.0-only */
#include "detach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "bpf/pins.h"

int detach_find(const char *spec, uint64_t *id)
{
	AUTO(cgroup_fini) struct cgroup cgroup = CGROUP_INIT;
	AUTO_FREE char *why = NULL;
	char *end;

	if (!cgroup_find(spec, &cgroup, &why)) {
		*id = cgroup.id;
		return 0;
	}
	/* One that was removed is known by its id alone. */
	errno = 0;
	if (!strncmp(spec, "id:", 3)) {
		*id = strtoull(spec + 3, &end, 10);
		if (!errno && end != spec + 3 && !*end)
			return 0;
	}
	log_error("%s", why ? why : "out of memory");
	return -EINVAL;
}

/* Takes the @n_chosen cgroups @chosen, and those that no longer exist, out of the pinned
 * map. Returns how many stay, or -errno. */
static int remove_targets(const uint64_t *chosen, size_t n_chosen)
{
	AUTO(pins_close) struct pins pins = PINS_INIT;
	uint64_t ids[RT_MAX_TARGETS];
	size_t n;
	int err = pins_open(&pins);

	if (err)
		return err;
	for (size_t i = 0; i < n_chosen; i++)
		if (bpf_map_delete_elem(pins.targets_fd, &chosen[i]))
			log_warning("cgroup id:%llu was not attached",
				    (unsigned long long)chosen[i]);
	err = pins_targets(pins.targets_fd, ids, &n);
	if (err)
		return err;
	for (size_t i = n; i-- > 0;) {
		AUTO_FREE char *path = NULL;

		err = cgroup_path_of(ids[i], &path);
		if ((err == -ENOENT || err == -ESTALE) &&
		    !bpf_map_delete_elem(pins.targets_fd, &ids[i]))
			n--;
	}
	return n;
}

/* With the lock, of pins_lock(). @left: how many cgroups stay, or -errno. */
static int finish(int lock, int left)
{
	if (left == -ENOENT) {
		log_warning("nothing is attached");
		left = 0;
	}
	if (lock >= 0 && !left)
		left = pins_remove();
	if (lock >= 0 && left >= 0)
		return 0;
	log_error("cannot detach: %s: %s%s", PINS_DIR,
		  lock < 0 ? strerror(-lock) : pins_strerror(left),
		  caps_missing(CAPS_BPF_LOAD));
	return lock < 0 ? lock : left;
}

int detach_cgroups(const uint64_t *ids, size_t n)
{
	AUTO_FD lock = pins_lock();

	return finish(lock, lock < 0 ? lock : remove_targets(ids, n));
}

int detach_all(void)
{
	AUTO_FD lock = pins_lock();

	return finish(lock, 0);
}

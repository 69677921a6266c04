// SPDX-License-Identifier: GPL-2.0-only
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "bpf/pins.h"
#include "commands.h"

struct detach_options {
	struct target_specs cgroups;
	bool all;
};

enum { OPT_ALL = 256 };

static const struct argp_option options[] = {
	{"all", OPT_ALL, 0, 0, "Every cgroup; removes all that was pinned", 0},
	{0},
};

/* A cgroup that was removed is known by its id alone. */
static int find_id(const char *spec, uint64_t *id)
{
	AUTO(cgroup_fini) struct cgroup cgroup = CGROUP_INIT;
	AUTO_FREE char *why = NULL;
	char *end;

	if (!cgroup_find(spec, &cgroup, &why)) {
		*id = cgroup.id;
		return 0;
	}
	errno = 0;
	if (!strncmp(spec, "id:", 3)) {
		*id = strtoull(spec + 3, &end, 10);
		if (!errno && end != spec + 3 && !*end)
			return 0;
	}
	log_error("%s", why ? why : "out of memory");
	return -EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct detach_options *chosen = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &chosen->cgroups;
		break;
	case OPT_ALL:
		chosen->all = true;
		break;
	case ARGP_KEY_END:
		if (chosen->all == (chosen->cgroups.n > 0))
			argp_error(state, "either --cgroup CG or --all, please");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = (const struct argp_child[]){{.argp = &naming_argp}, {0}},
	.doc = "Ends what attach --pin began; the last cgroup takes programs and maps "
	       "with it.",
};

/* The ids of the cgroups that were named. -EINVAL or -ENOMEM, logged. */
static int find_ids(const struct target_specs *cgroups, uint64_t *ids)
{
	for (size_t i = 0; i < cgroups->n; i++) {
		AUTO_FREE char *spec = target_specs_text(cgroups, i);
		int err = spec ? find_id(spec, &ids[i]) : -ENOMEM;

		if (err)
			return err;
	}
	return 0;
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

int command_detach(int argc, char **argv)
{
	struct detach_options chosen = {};
	uint64_t ids[RT_MAX_TARGETS];
	AUTO_FD lock = -1;
	int left = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	if (find_ids(&chosen.cgroups, ids))
		return EXIT_USAGE;
	lock = pins_lock();
	if (lock >= 0 && !chosen.all)
		left = remove_targets(ids, chosen.cgroups.n);
	if (left == -ENOENT) {
		log_warning("nothing is attached");
		left = 0;
	}
	if (lock >= 0 && !left)
		left = pins_remove();
	if (lock < 0 || left < 0) {
		log_error("cannot detach: %s: %s%s", PINS_DIR,
			  lock < 0 ? strerror(-lock) : pins_strerror(left),
			  caps_missing(CAPS_BPF_LOAD));
		return EXIT_FAILED;
	}
	return EXIT_DONE;
}

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
	uint64_t ids[RT_MAX_TARGETS];
	size_t n;
	bool all;
};

enum { OPT_CGROUP = 256, OPT_ALL };

static const struct argp_option options[] = {
	{"cgroup", OPT_CGROUP, "CG", 0,
	 "The cgroup to track no longer; id:N also when it is gone; can be repeated", 0},
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

	switch (key) {
	case OPT_CGROUP:
		if (chosen->n == RT_MAX_TARGETS)
			argp_error(state, "more than %d cgroups", RT_MAX_TARGETS);
		if (find_id(arg, &chosen->ids[chosen->n]))
			exit(EXIT_USAGE);
		chosen->n++;
		break;
	case OPT_ALL:
		chosen->all = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\" is one word too many", arg);
		break;
	case ARGP_KEY_END:
		if (chosen->all == (chosen->n > 0))
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
	.doc = "Ends what attach --pin began; the last cgroup takes programs and maps "
	       "with it.",
};

/* Takes the chosen cgroups, and those that no longer exist, out of the pinned map.
 * Returns how many stay, or -errno. */
static int remove_targets(const struct detach_options *chosen)
{
	AUTO(pins_close) struct pins pins = PINS_INIT;
	uint64_t ids[RT_MAX_TARGETS];
	size_t n;
	int err = pins_open(&pins);

	if (err)
		return err;
	for (size_t i = 0; i < chosen->n; i++)
		if (bpf_map_delete_elem(pins.targets_fd, &chosen->ids[i]))
			log_warning("cgroup id:%llu was not attached",
				    (unsigned long long)chosen->ids[i]);
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
	AUTO_FD lock = -1;
	int left = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &chosen);
	lock = pins_lock();
	if (lock >= 0 && !chosen.all)
		left = remove_targets(&chosen);
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

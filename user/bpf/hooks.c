// SPDX-License-Identifier: GPL-2.0-only
#include "hooks.h"

#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/auto.h"

void hooks_add(struct hooks *hooks, const char *name, int fd)
{
	size_t place = hooks->n;

	if (hooks->n == RT_MAX_HOOKS)
		return;
	for (; place && strcmp(hooks->all[place - 1].name, name) > 0; place--)
		hooks->all[place] = hooks->all[place - 1];
	snprintf(hooks->all[place].name, sizeof(hooks->all[place].name), "%s", name);
	hooks->all[place].fd = fd;
	hooks->n++;
}

void hooks_close(struct hooks *hooks)
{
	for (size_t i = 0; i < hooks->n; i++)
		auto_close(&hooks->all[i].fd);
	hooks->n = 0;
}

void hooks_read(const struct hooks *hooks, uint32_t skipped[static RT_MAX_HOOKS])
{
	memset(skipped, 0, RT_MAX_HOOKS * sizeof(*skipped));
	for (size_t i = 0; i < hooks->n; i++) {
		struct bpf_prog_info info = {};
		uint32_t length = sizeof(info);

		if (!bpf_obj_get_info_by_fd(hooks->all[i].fd, &info, &length))
			skipped[i] = info.recursion_misses;
	}
}

int hook_rank(const char *name)
{
	size_t length = strlen(name);

	if (length > 2 && name[length - 2] == '_' && name[length - 1] >= '2' &&
	    name[length - 1] <= '9')
		return name[length - 1] - '0';
	return 1;
}

/* How many there are, from @i on, that see the same: it, _2, _3. */
static size_t group_size(const struct hooks *hooks, size_t i)
{
	size_t length = strlen(hooks->all[i].name), size = 1;

	for (; i + size < hooks->n; size++) {
		const char *name = hooks->all[i + size].name;

		if (hook_rank(name) == 1 || strlen(name) != length + 2 ||
		    strncmp(name, hooks->all[i].name, length))
			break;
	}
	return size;
}

/* What was skipped since: of those that see the same, by the first that is called, and at most
 * by all of them; of the others. */
struct skips {
	uint64_t first, all, single;
};

static struct skips skips_since(const struct hooks *hooks, const struct rt_stats *before,
				const struct rt_stats *now)
{
	struct skips skips = {0};
	size_t size;

	for (size_t i = 0; i < hooks->n; i += size) {
		uint32_t least = UINT32_MAX, skipped = 0;

		size = group_size(hooks, i);
		for (size_t k = i; k < i + size; k++) {
			/* They wrap around. */
			skipped = now->skipped[k] - before->skipped[k];
			least = skipped < least ? skipped : least;
		}
		if (size == 1) {
			skips.single += skipped;
		} else {
			skips.first += skipped;
			skips.all += least;
		}
	}
	return skips;
}

uint64_t hooks_missed(const struct hooks *hooks, const struct rt_stats *before,
		      const struct rt_stats *now)
{
	struct skips skips = skips_since(hooks, before, now);
	uint64_t alone = now->seen_alone - before->seen_alone;
	uint64_t nobody;

	/* More seen alone than skipped: a kernel that calls them in another order. */
	if (alone > skips.first)
		return skips.single + skips.all;
	nobody = skips.first - alone + now->marks_lost - before->marks_lost;
	return skips.single + (nobody < skips.all ? nobody : skips.all);
}

uint64_t hooks_between(const struct hooks *hooks, const struct rt_stats *before,
		       const struct rt_stats *now)
{
	struct skips skips = skips_since(hooks, before, now);
	uint64_t alone = now->seen_alone - before->seen_alone;

	return skips.first > alone ? skips.first - alone : 0;
}

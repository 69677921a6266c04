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

bool hook_is_second(const char *name)
{
	size_t length = strlen(name);

	return length > 2 && !strcmp(name + length - 2, "_2");
}

/* Whether the program behind @i is the second of the same pair. */
static bool is_paired(const struct hooks *hooks, size_t i)
{
	size_t length = strlen(hooks->all[i].name);

	return i + 1 < hooks->n && hook_is_second(hooks->all[i + 1].name) &&
	       strlen(hooks->all[i + 1].name) == length + 2 &&
	       !strncmp(hooks->all[i + 1].name, hooks->all[i].name, length);
}

/* What was skipped since: of pairs, by the first, and at most by both; of the others. */
struct skips {
	uint64_t first, both, single;
};

static struct skips skips_since(const struct hooks *hooks, const struct rt_stats *before,
				const struct rt_stats *now)
{
	struct skips skips = {0};

	for (size_t i = 0; i < hooks->n; i++) {
		/* They wrap around. */
		uint32_t skipped = now->skipped[i] - before->skipped[i];

		if (is_paired(hooks, i)) {
			uint32_t other = now->skipped[i + 1] - before->skipped[i + 1];

			skips.first += other;
			skips.both += skipped < other ? skipped : other;
			i++;
		} else {
			skips.single += skipped;
		}
	}
	return skips;
}

uint64_t hooks_missed(const struct hooks *hooks, const struct rt_stats *before,
		      const struct rt_stats *now)
{
	struct skips skips = skips_since(hooks, before, now);
	uint64_t alone = now->seen_alone - before->seen_alone;
	uint64_t neither;

	/* More seen alone than skipped: a kernel that calls the two in the other order. */
	if (alone > skips.first)
		return skips.single + skips.both;
	neither = skips.first - alone + now->marks_lost - before->marks_lost;
	return skips.single + (neither < skips.both ? neither : skips.both);
}

uint64_t hooks_between(const struct hooks *hooks, const struct rt_stats *before,
		       const struct rt_stats *now)
{
	struct skips skips = skips_since(hooks, before, now);
	uint64_t alone = now->seen_alone - before->seen_alone;

	return skips.first > alone ? skips.first - alone : 0;
}

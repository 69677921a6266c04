/* SPDX-License-Identifier: GPL-2.0-only */
#include <stddef.h>

#include "handle.h"
#include "restore/cleanup.h"

int relinktrace_clean(struct relinktrace *rt, const char *manifest,
		      struct relinktrace_cleaned *cleaned)
{
	struct clean_result result = {0};
	int ret;

	handle_enter(rt);
	ret = clean_checkpoint(manifest, NULL, NULL, &result);
	if (cleaned)
		*cleaned = (struct relinktrace_cleaned){result.removed, result.absent,
							result.left};
	return handle_leave(rt, ret ?: result.left ? RELINKTRACE_PARTLY : 0);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stddef.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "handle.h"
#include "journal/index.h"
#include "restore/apart.h"
#include "restore/cleanup.h"

/* 0, or -EINVAL, logged. */
static int wish_check(const struct relinktrace_clean *wish)
{
	if (!!wish->manifest + !!wish->id + !!wish->expired != 1)
		log_error("one of a manifest, an id and an age is needed");
	else if (wish->id && !index_id_valid(wish->id))
		log_error("\"%s\" is not the id of a checkpoint", wish->id);
	else if (wish->store && !wish->manifest)
		log_error("a store goes with a manifest");
	else if (wish->age < 0)
		log_error("an age of %ld seconds", wish->age);
	else
		return handle_deadline(wish->deadline);
	return -EINVAL;
}

static int clean_what(const struct relinktrace_clean *wish, struct clean_result *result)
{
	if (wish->manifest)
		return cleanup_path(wish->manifest, wish->store, result);
	if (wish->id)
		return cleanup_id(wish->id, result);
	return cleanup_expired(wish->age, result);
}

static int clean(const struct relinktrace_clean *theirs,
		 struct relinktrace_cleaned *cleaned)
{
	struct clean_result result = {0};
	struct relinktrace_clean wish = {0};
	struct timespec until;
	int ret = handle_wish(&wish, theirs, sizeof(wish));

	ret = ret ?: wish_check(&wish);
	if (ret)
		return ret;
	if (wish.deadline > 0) {
		interrupt_time_in(wish.deadline, &until);
		interrupt_at(&until);
	}
	ret = clean_what(&wish, &result);
	interrupt_at(NULL);
	apart_forget();
	return handle_cleaned(ret, &result, cleaned);
}

int relinktrace_clean_by(struct relinktrace *rt, const struct relinktrace_clean *wish,
			 struct relinktrace_cleaned *cleaned)
{
	handle_enter(rt);
	return handle_leave(rt, clean(wish, cleaned));
}

int relinktrace_clean(struct relinktrace *rt, const char *manifest,
		      struct relinktrace_cleaned *cleaned)
{
	struct relinktrace_clean wish = {.size = sizeof(wish), .manifest = manifest};

	return relinktrace_clean_by(rt, &wish, cleaned);
}

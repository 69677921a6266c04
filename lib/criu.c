/* SPDX-License-Identifier: GPL-2.0-only */
#include "criu/order.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "handle.h"

/* Who takes a member. */
enum { DUMP = 1, PREPARE = 2, RESTORE = 4, CLEAN = 8 };

/* An order, understood. */
struct ordered {
	struct relinktrace_criu wish;
	struct criu_order order; /* its mounts and roots are owned */
};

static void ordered_fini(struct ordered *ordered)
{
	depot_mounts_fini(&ordered->order.store_mounts);
	roots_fini(&ordered->order.roots);
}

/* What was asked for that the function does not take; NULL. */
static const char *not_taken(const struct relinktrace_criu *wish, int function)
{
	const struct {
		int takers;
		bool asked;
		const char *name;
	} members[] = {
		{DUMP | PREPARE, wish->tree, "tree"},
		{DUMP | PREPARE, wish->precopy, "precopy"},
		{DUMP | PREPARE | RESTORE, wish->store, "store"},
		{DUMP | PREPARE, wish->store_mounts, "store_mounts"},
		{DUMP, wish->leave_running, "leave_running"},
		{DUMP | RESTORE, wish->words, "words"},
		{RESTORE, wish->keep, "keep"},
		{PREPARE, wish->config, "config"},
		{PREPARE, wish->frozen, "frozen"},
		{PREPARE, wish->no_store, "no_store"},
		{CLEAN, wish->roots, "roots"},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (members[i].asked && !(members[i].takers & function))
			return members[i].name;
	return NULL;
}

static int call_frozen(const char *manifest, void *data, char **why)
{
	const struct relinktrace_criu *wish = data;

	(void)manifest;
	return wish->frozen(wish->data)
		       ? why_set(why, -ECANCELED,
				 "what the caller does while the cgroup is frozen has "
				 "failed")
		       : 0;
}

static int add_roots(struct ordered *ordered)
{
	AUTO_FREE char *why = NULL;
	int ret = 0;

	for (const char *const *root = ordered->wish.roots; root && *root && !ret; root++)
		ret = roots_add(&ordered->order.roots, *root, &why);
	if (ret)
		log_error("%s", why_text(why));
	return ret;
}

/* 0 or -errno, logged. */
static int understand(struct ordered *ordered, const struct relinktrace_criu *theirs,
		      int function)
{
	struct relinktrace_criu *wish = &ordered->wish;
	int ret = handle_wish(wish, theirs, sizeof(*wish));
	const char *not = ret ? NULL : not_taken(wish, function);

	if (ret)
		return ret;
	if (not ) {
		log_error("there is no %s here", not );
		return -EINVAL;
	}
	if (!wish->images || (function & (DUMP | PREPARE) && wish->tree <= 0)) {
		log_error("the folder of the images%s needed",
			  function & (DUMP | PREPARE) ? " and a tree are" : " is");
		return -EINVAL;
	}
	if (wish->no_store && wish->store) {
		log_error("no_store goes without a store");
		return -EINVAL;
	}
	ordered->order.images = wish->images;
	ordered->order.store = wish->store;
	ordered->order.tree = wish->tree;
	ordered->order.precopy = wish->precopy;
	ordered->order.leave_running = wish->leave_running;
	ordered->order.extra = (char *const *)wish->words;
	ordered->order.keep = wish->keep;
	ordered->order.config = wish->config;
	ordered->order.no_store = wish->no_store;
	ordered->order.frozen = wish->frozen ? call_frozen : NULL;
	ordered->order.data = wish;
	ret = handle_store_mounts(wish->store, wish->store_mounts,
				  &ordered->order.store_mounts);
	return ret ?: add_roots(ordered);
}

static int dump(const struct relinktrace_criu *theirs, int function,
		struct relinktrace_dumped *dumped)
{
	AUTO(criu_outcome_fini) struct criu_outcome outcome = {0};
	AUTO(ordered_fini) struct ordered ordered = {0};
	AUTO(target_fini) struct target target;
	int ret = understand(&ordered, theirs, function);

	target_init(&target);
	ret = ret ?: target_add_process(&target, ordered.order.tree);
	if (!ret && function == DUMP)
		ret = criu_order_dump(&ordered.order, &target, &outcome);
	else if (!ret)
		ret = criu_order_prepare(&ordered.order, &target, &outcome);
	if (ret)
		return ret;
	for (size_t i = 0; i < outcome.keys.n_left; i++)
		log_warning("orphan%u is left to CRIU: %s", outcome.keys.left[i].n,
			    outcome.keys.left[i].why);
	if (dumped)
		*dumped = (struct relinktrace_dumped){outcome.preserved,
						      outcome.keys.n_left};
	return 0;
}

int relinktrace_criu_dump(struct relinktrace *rt, const struct relinktrace_criu *wish,
			  struct relinktrace_dumped *dumped)
{
	handle_enter(rt);
	return handle_leave(rt, dump(wish, DUMP, dumped));
}

int relinktrace_criu_prepare(struct relinktrace *rt, const struct relinktrace_criu *wish,
			     struct relinktrace_dumped *dumped)
{
	handle_enter(rt);
	return handle_leave(rt, dump(wish, PREPARE, dumped));
}

static int restore(const struct relinktrace_criu *theirs)
{
	AUTO(ordered_fini) struct ordered ordered = {0};
	int ret = understand(&ordered, theirs, RESTORE);

	return ret ?: criu_order_restore(&ordered.order);
}

int relinktrace_criu_restore(struct relinktrace *rt, const struct relinktrace_criu *wish)
{
	handle_enter(rt);
	return handle_leave(rt, restore(wish));
}

static int clean(const struct relinktrace_criu *theirs,
		 struct relinktrace_cleaned *cleaned)
{
	AUTO(ordered_fini) struct ordered ordered = {0};
	struct clean_result result = {0};
	int ret = understand(&ordered, theirs, CLEAN);

	ret = ret ?: criu_order_clean(&ordered.order, &result);
	return handle_cleaned(ret, &result, cleaned);
}

int relinktrace_criu_clean(struct relinktrace *rt, const struct relinktrace_criu *wish,
			   struct relinktrace_cleaned *cleaned)
{
	handle_enter(rt);
	return handle_leave(rt, clean(wish, cleaned));
}

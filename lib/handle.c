/* SPDX-License-Identifier: GPL-2.0-only */
#include "handle.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <jansson.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "proc/cgroup.h"
#include "proc/mount.h"

struct relinktrace {
	char *message; /* owned; NULL for "" */
};

/* The modules keep tables of mounts, and the log is one for all. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static libbpf_print_fn_t print_before;

int relinktrace_open(struct relinktrace **rt)
{
	struct relinktrace *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	*rt = made;
	return 0;
}

void relinktrace_close(struct relinktrace *rt)
{
	if (!rt)
		return;
	free(rt->message);
	free(rt);
}

const char *relinktrace_message(const struct relinktrace *rt)
{
	return rt->message ? rt->message : "";
}

const char *relinktrace_version(void)
{
	return RELINKTRACE_VERSION;
}

static void message_add(const char *level, const char *line, void *data)
{
	struct relinktrace *rt = data;
	char *longer;

	(void)level;
	if (asprintf(&longer, "%s%s%s", rt->message ? rt->message : "",
		     rt->message ? "\n" : "", line) < 0)
		return;
	free(rt->message);
	rt->message = longer;
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

void handle_enter(struct relinktrace *rt)
{
	pthread_mutex_lock(&turn);
	free(TAKE_PTR(rt->message));
	log_set_sink(message_add, rt);
	progress_hide(true);
	print_before = libbpf_set_print(print_nothing);
}

int handle_leave(struct relinktrace *rt, int ret)
{
	if (ret < 0 && !rt->message)
		log_error("%s", strerror(-ret));
	mount_cache_drop();
	cgroup_cache_drop();
	libbpf_set_print(print_before);
	progress_hide(false);
	log_set_sink(NULL, NULL);
	pthread_mutex_unlock(&turn);
	return ret;
}

int handle_wish(void *own, const void *wish, size_t size)
{
	size_t theirs = *(const size_t *)wish;

	for (size_t i = size; i < theirs; i++)
		if (((const char *)wish)[i])
			return -EINVAL;
	memcpy(own, wish, theirs < size ? theirs : size);
	return 0;
}

int handle_text(json_t *root, char **out)
{
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (!text)
		return -ENOMEM;
	*out = text;
	return 0;
}

int handle_store_mounts(const char *store, const char *const *points,
			struct depot_mounts *mounts)
{
	int ret = 0;

	if (points && !store) {
		log_error("mounts of a store, and no store");
		return -EINVAL;
	}
	for (; points && *points && !ret; points++) {
		ret = depot_mounts_add(mounts, *points);
		if (ret)
			log_error("\"%s\" is no list of absolute mount points", *points);
	}
	return ret;
}

int handle_cgroups(const char *const *cgroups, struct target *target)
{
	int ret = 0;

	for (; *cgroups && !ret; cgroups++)
		ret = target_add_cgroup(target, *cgroups);
	return ret;
}

int handle_cleaned(int ret, const struct clean_result *result,
		   struct relinktrace_cleaned *cleaned)
{
	if (ret && !result->removed && !result->absent && !result->left)
		return ret;
	if (cleaned)
		*cleaned = (struct relinktrace_cleaned){result->removed, result->absent,
							result->left};
	return ret || result->left ? RELINKTRACE_PARTLY : 0;
}

int handle_deadline(double seconds)
{
	if (seconds >= 0 && seconds <= INTERRUPT_SECONDS)
		return 0;
	log_error("a deadline of %f seconds", seconds);
	return -EINVAL;
}

// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include <errno.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/escape.h"
#include "base/json.h"
#include "orphan/orphan_json.h"

static int flush(void)
{
	return fflush(stdout) || ferror(stdout) ? -errno : 0;
}

/* Prints @object, which it takes, on one line. */
static int print_json(json_t *object)
{
	int failed = !object || json_dumpf(object, stdout, JSON_COMPACT);

	json_decref(object);
	if (failed)
		return errno == EPIPE ? -EPIPE : -ENOMEM;
	putchar('\n');
	return flush();
}

json_t *events_attached(const struct orphan_set *set, const struct target *target,
			bool pinned)
{
	json_t *cgroups = json_array();

	for (size_t i = 0; i < target->n; i++) {
		json_t *cgroup = json_object();

		json_set_bytes(cgroup, "path", target->cgroups[i].path);
		json_object_set_new(cgroup, "id", json_integer(target->cgroups[i].id));
		json_array_append_new(cgroups, cgroup);
	}
	return json_pack("{s:s,s:s,s:s,s:b,s:o,s:I,s:b,s:I}", "event", "attached",
			 "backend", backend_name(set->backend), "holders_by",
			 set->by_iterator ? "iterator" : "proc", "pinned", pinned,
			 "cgroups", cgroups, "orphans", (json_int_t)set->n, "complete",
			 set->complete, "lost", (json_int_t)set->lost);
}

json_t *events_happened(const char *name, uint64_t when_ns, const struct orphan *orphan)
{
	char when[31];
	json_t *object, *rest;

	json_format_time(when_ns, when);
	object = json_pack("{s:s,s:s}", "event", name, "at", when);
	rest = json_from_orphan(orphan);
	if (!object || !rest || json_object_update(object, rest)) {
		json_decref(object);
		object = NULL;
	}
	json_decref(rest);
	return object;
}

json_t *events_lost(uint64_t lost)
{
	return json_pack("{s:s,s:I}", "event", "lost", "count", (json_int_t)lost);
}

int events_print_attached(const struct orphan_set *set, const struct target *target,
			  bool pinned, bool json)
{
	if (json)
		return print_json(events_attached(set, target, pinned));
	printf("attached by %s%s: %zu orphan%s already there\n",
	       backend_name(set->backend), pinned ? ", pinned" : "", set->n,
	       set->n == 1 ? "" : "s");
	return flush();
}

static int print_line(const char *name, const char *when, const struct orphan *orphan)
{
	AUTO_FREE char *path = escape_control(orphan->path ? orphan->path : "-");

	printf("%s %-8s %u:%u %llu", when, name, orphan->dev_major, orphan->dev_minor,
	       (unsigned long long)orphan->ino);
	if (orphan->n_holders && !orphan->holders[0].pid) {
		printf(" %s", holder_kind_name(orphan->holders[0].kind));
	} else if (orphan->n_holders) {
		AUTO_FREE char *comm = escape_control(orphan->holders[0].comm);

		printf(" %s[%d]", comm ? comm : "?", orphan->holders[0].pid);
	} else if (orphan->unlinker.known) {
		AUTO_FREE char *comm = escape_control(orphan->unlinker.comm);

		printf(" unattributed, unlinked by %s[%d]", comm ? comm : "?",
		       orphan->unlinker.pid);
	}
	printf(" %s\n", path ? path : "?");
	return flush();
}

int events_print(const char *name, uint64_t when_ns, const struct orphan *orphan,
		 bool json)
{
	char when[31];

	if (json)
		return print_json(events_happened(name, when_ns, orphan));
	json_format_time(when_ns, when);
	return print_line(name, when, orphan);
}

int events_print_lost(uint64_t lost, bool json)
{
	if (json)
		return print_json(events_lost(lost));
	printf("lost     %llu records did not fit; the next listing is not complete\n",
	       (unsigned long long)lost);
	return flush();
}

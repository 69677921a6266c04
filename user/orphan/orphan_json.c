/* SPDX-License-Identifier: GPL-2.0-only */
#include "orphan_json.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"
#include "proc/container.h"

static void integer(struct jsontext *out, const char *key, uint64_t value)
{
	jsontext_key(out, key);
	jsontext_integer(out, value);
}

static void string(struct jsontext *out, const char *key, const char *text)
{
	jsontext_key(out, key);
	jsontext_string(out, text);
}

static void boolean(struct jsontext *out, const char *key, bool value)
{
	jsontext_key(out, key);
	jsontext_bool(out, value);
}

/* What only an fd has, and what was sent by one. */
static void write_fd(struct jsontext *out, const struct holder *holder)
{
	jsontext_key(out, "fd");
	jsontext_signed(out, holder->fd);
	integer(out, "flags", holder->flags);
	integer(out, "pos", holder->pos);
	boolean(out, "cloexec", holder->cloexec);
	jsontext_key(out, "ofd");
	if (holder->ofd)
		jsontext_integer(out, holder->ofd);
	else
		jsontext_null(out);
}

/* What only a mapping has; hexadecimal as in /proc/PID/map_files. */
static void write_map(struct jsontext *out, const struct holder *holder)
{
	char hex[17];

	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)holder->map_start);
	string(out, "start", hex);
	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)holder->map_end);
	string(out, "end", hex);
}

/* The task; what a loop device holds is no task's. */
static void write_task(struct jsontext *out, const struct holder *holder)
{
	if (holder->kind == RT_HOLDER_LOOP) {
		jsontext_bytes(out, "pid", NULL);
		jsontext_bytes(out, "start_time", NULL);
		jsontext_bytes(out, "comm", NULL);
		return;
	}
	jsontext_key(out, "pid");
	jsontext_signed(out, holder->pid);
	if (holder->tid)
		integer(out, "tid", holder->tid);
	integer(out, "start_time", holder->start_time);
	jsontext_bytes(out, "comm", holder->comm);
}

/* Which device, or which mount. */
static void write_place(struct jsontext *out, const struct holder *holder)
{
	char device[32];

	if (holder->kind == RT_HOLDER_LOOP) {
		holder_device(holder, device, sizeof(device));
		string(out, "device", device);
		return;
	}
	jsontext_key(out, "mount");
	jsontext_open(out, '{');
	integer(out, "id", holder->mnt_id);
	jsontext_bytes(out, "point", holder->mnt_point);
	jsontext_close(out, '}');
}

/* Which mount, where it is not the orphan's. */
static void write_via(struct jsontext *out, const struct holder *holder)
{
	jsontext_key(out, "via");
	jsontext_open(out, '{');
	integer(out, "id", holder->via.id);
	jsontext_bytes(out, "point", holder->via.point);
	jsontext_bytes(out, "root", holder->via.root);
	jsontext_close(out, '}');
}

static void write_holder(struct jsontext *out, const struct orphan *orphan,
			 const struct holder *holder)
{
	jsontext_next(out);
	jsontext_open(out, '{');
	write_task(out, holder);
	string(out, "kind", holder_kind_name(holder->kind));
	if (holder->kind == RT_HOLDER_FD || holder_is_behind(holder->kind))
		write_fd(out, holder);
	if (holder->kind == RT_HOLDER_MAP)
		write_map(out, holder);
	if (holder->kind == RT_HOLDER_LOOP || holder->kind == RT_HOLDER_MOUNT)
		write_place(out, holder);
	if (holder_has_via(orphan, holder))
		write_via(out, holder);
	jsontext_close(out, '}');
}

static void write_mount(struct jsontext *out, const struct orphan *orphan)
{
	jsontext_key(out, "mount");
	if (orphan->mnt_id < 0) {
		jsontext_null(out);
		return;
	}
	jsontext_open(out, '{');
	integer(out, "id", orphan->mnt_id);
	if (orphan->mnt_ns)
		integer(out, "ns", orphan->mnt_ns);
	jsontext_bytes(out, "point", orphan->mnt_point);
	jsontext_close(out, '}');
}

static void write_unlinker(struct jsontext *out, const struct unlinker *unlinker)
{
	char at[31];

	jsontext_key(out, "unlinked");
	if (!unlinker->known) {
		jsontext_null(out);
		return;
	}
	json_format_time(unlinker->when_ns, at);
	jsontext_open(out, '{');
	string(out, "at", at);
	jsontext_key(out, "pid");
	jsontext_signed(out, unlinker->pid);
	jsontext_bytes(out, "comm", unlinker->comm);
	integer(out, "cgroup_id", unlinker->cgroup_id);
	jsontext_close(out, '}');
}

/* What the inode is. */
static void write_inode(struct jsontext *out, const struct orphan *orphan)
{
	char text[24];

	snprintf(text, sizeof(text), "%u:%u", orphan->dev_major, orphan->dev_minor);
	string(out, "dev", text);
	/* As json_from_ino(). */
	jsontext_key(out, "ino");
	if (orphan->ino <= INT64_MAX) {
		jsontext_integer(out, orphan->ino);
	} else {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)orphan->ino);
		jsontext_string(out, text);
	}
	jsontext_key(out, "generation");
	if (orphan->has_generation)
		jsontext_integer(out, orphan->generation);
	else
		jsontext_null(out);
	string(out, "type", orphan_type_name(orphan->mode));
	integer(out, "nlink", orphan->nlink);
	integer(out, "size", orphan->size);
	integer(out, "allocated", orphan->allocated);
	jsontext_bytes(out, "fstype", orphan->fstype);
}

/* Where it is, in the words of who runs containers. */
static void write_cgroup(struct jsontext *out, const struct orphan *orphan)
{
	struct container container = {0};

	if (orphan->cgroup)
		container_of_path(orphan->cgroup, &container);
	jsontext_bytes(out, "cgroup", orphan->cgroup);
	jsontext_bytes(out, "pod", container.pod[0] ? container.pod : NULL);
	jsontext_bytes(out, "container", container.id[0] ? container.id : NULL);
}

void orphan_write_json(struct jsontext *out, const struct orphan *orphan)
{
	jsontext_open(out, '{');
	write_inode(out, orphan);
	jsontext_bytes(out, "path", orphan->path);
	boolean(out, "tmpfile", orphan->tmpfile);
	write_mount(out, orphan);
	write_cgroup(out, orphan);
	boolean(out, "unattributed", orphan->unattributed);
	write_unlinker(out, &orphan->unlinker);
	jsontext_key(out, "holders");
	jsontext_open(out, '[');
	for (size_t i = 0; i < orphan->n_holders; i++)
		write_holder(out, orphan, &orphan->holders[i]);
	jsontext_close(out, ']');
	jsontext_close(out, '}');
}

json_t *json_from_orphan(const struct orphan *orphan)
{
	AUTO(jsontext_fini) struct jsontext text = {0};

	orphan_write_json(&text, orphan);
	return text.failed ? NULL : json_loadb(text.text, text.length, 0, NULL);
}

json_t *json_from_orphan_set_head(const struct orphan_set *set)
{
	return json_pack("{s:s,s:s,s:b,s:s,s:b,s:I,s:I}", "schema", "relinktrace.list/1",
			 "backend", backend_name(set->backend), "exact",
			 backend_is_exact(set->backend), "holders_by",
			 set->by_iterator ? "iterator" : "proc", "complete",
			 set->complete, "lost", (json_int_t)set->lost, "unread",
			 (json_int_t)set->unread);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "orphan_parse.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

/* The highest pid (PID_MAX_LIMIT) and the highest fd (fs.nr_open's own limit). */
#define PID_LIMIT (1U << 22)
#define FD_LIMIT  INT_MAX

uint32_t json_to_type(struct jsonread *reader, const json_t *object)
{
	static const uint32_t types[] = {S_IFREG, S_IFDIR, S_IFIFO, S_IFSOCK,
					 S_IFCHR, S_IFBLK, S_IFLNK};
	const char *name = jsonread_string(reader, object, "type", 16);

	for (size_t i = 0; name && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(name, orphan_type_name(types[i])))
			return types[i];
	jsonread_fault(reader, "type", "is not the type of a file");
	return 0;
}

static enum rt_holder_kind read_kind(struct jsonread *reader, const json_t *object)
{
	const char *name = jsonread_string(reader, object, "kind", 16);

	for (int kind = RT_HOLDER_FD; name && kind <= RT_HOLDER_MOUNT; kind++)
		if (!strcmp(name, holder_kind_name(kind)))
			return kind;
	jsonread_fault(reader, "kind", "is not a way to hold a file");
	return 0;
}

/* Bytes into a field of fixed size, which is zeroed, and stays so at its end. */
static void read_fixed(struct jsonread *reader, const json_t *object, const char *key,
		       char *out, size_t size)
{
	AUTO_FREE char *bytes = jsonread_bytes(reader, object, key, size - 1, false);

	if (bytes)
		memcpy(out, bytes, strlen(bytes));
}

static void read_task(struct jsonread *reader, const json_t *object, struct holder *out)
{
	out->pid = jsonread_integer(reader, object, "pid", 1, PID_LIMIT);
	if (json_object_get(object, "tid"))
		out->tid = jsonread_integer(reader, object, "tid", 1, PID_LIMIT);
	out->start_time = jsonread_integer(reader, object, "start_time", 0, INT64_MAX);
	read_fixed(reader, object, "comm", out->comm, sizeof(out->comm));
}

/* The N of "/dev/loopN", as holder_device() writes it. */
static void read_device(struct jsonread *reader, const json_t *object, struct holder *out)
{
	const char *device = jsonread_string(reader, object, "device", 31);
	unsigned int n;
	char same[32];

	if (device && sscanf(device, "/dev/loop%u", &n) == 1) {
		out->loop = n;
		holder_device(out, same, sizeof(same));
		if (!strcmp(same, device))
			return;
	}
	jsonread_fault(reader, "device", "is not a loop device");
}

static void read_holder_mount(struct jsonread *reader, const json_t *object,
			      struct holder *out)
{
	const json_t *mount = jsonread_object(reader, object, "mount");

	if (!mount)
		return;
	out->mnt_id = jsonread_integer(reader, mount, "id", 0, INT_MAX);
	out->mnt_point = jsonread_bytes(reader, mount, "point", PATH_MAX, true);
}

static void read_via(struct jsonread *reader, const json_t *object, struct holder *out)
{
	const json_t *via = jsonread_object(reader, object, "via");

	if (!via)
		return;
	out->via.id = jsonread_integer(reader, via, "id", 1, INT_MAX);
	out->via.point = jsonread_bytes(reader, via, "point", PATH_MAX, true);
	out->via.root = jsonread_bytes(reader, via, "root", PATH_MAX, true);
}

static void read_holder(struct jsonread *reader, const json_t *object, struct holder *out)
{
	out->kind = read_kind(reader, object);
	out->fd = -1;
	if (out->kind == RT_HOLDER_LOOP)
		read_device(reader, object, out);
	else
		read_task(reader, object, out);
	if (out->kind == RT_HOLDER_MOUNT)
		read_holder_mount(reader, object, out);
	if (json_object_get(object, "via"))
		read_via(reader, object, out);
	if (out->kind == RT_HOLDER_FD || holder_is_behind(out->kind)) {
		out->fd = jsonread_integer(reader, object, "fd", 0, FD_LIMIT);
		out->flags = jsonread_integer(reader, object, "flags", 0, UINT32_MAX);
		out->pos = jsonread_integer(reader, object, "pos", 0, INT64_MAX);
		out->cloexec = jsonread_boolean(reader, object, "cloexec");
		if (!jsonread_null(reader, object, "ofd"))
			out->ofd = jsonread_integer(reader, object, "ofd", 1, INT64_MAX);
	}
	if (out->kind == RT_HOLDER_MAP) {
		out->map_start = jsonread_hex(reader, object, "start");
		out->map_end = jsonread_hex(reader, object, "end");
		if (out->map_start >= out->map_end)
			jsonread_fault(reader, "end", "does not come after start");
	}
}

static void read_holders(struct jsonread *reader, const json_t *object, size_t max,
			 struct orphan *out)
{
	const json_t *array = jsonread_array(reader, object, "holders", max), *element;
	char outer[sizeof(reader->where)];
	size_t i;

	memcpy(outer, reader->where, sizeof(outer));
	json_array_foreach((json_t *)array, i, element)
	{
		AUTO(holder_fini) struct holder holder = {0};

		if (reader->error)
			return;
		snprintf(reader->where, sizeof(reader->where), "%.40s.holders[%zu]",
			 outer, i);
		read_holder(reader, element, &holder);
		if (!reader->error && orphan_add_holder(out, &holder))
			reader->error = -ENOMEM;
		else if (!reader->error)
			holder = (struct holder){0};
	}
	memcpy(reader->where, outer, sizeof(outer));
}

static void read_unlinker(struct jsonread *reader, const json_t *object,
			  struct unlinker *out)
{
	const json_t *unlinked;

	if (jsonread_null(reader, object, "unlinked"))
		return;
	unlinked = jsonread_object(reader, object, "unlinked");
	if (!unlinked)
		return;
	out->known = true;
	out->when_ns = jsonread_time(reader, unlinked, "at");
	out->pid = jsonread_integer(reader, unlinked, "pid", 0, PID_LIMIT);
	read_fixed(reader, unlinked, "comm", out->comm, sizeof(out->comm));
	out->cgroup_id = jsonread_integer(reader, unlinked, "cgroup_id", 0, INT64_MAX);
}

static void read_mount(struct jsonread *reader, const json_t *object, struct orphan *out)
{
	const json_t *mount;

	out->mnt_id = -1;
	if (jsonread_null(reader, object, "mount"))
		return;
	mount = jsonread_object(reader, object, "mount");
	if (!mount)
		return;
	out->mnt_id = jsonread_integer(reader, mount, "id", 0, INT_MAX);
	if (json_object_get(mount, "ns"))
		out->mnt_ns = jsonread_integer(reader, mount, "ns", 1, UINT32_MAX);
	out->mnt_point = jsonread_bytes(reader, mount, "point", PATH_MAX, true);
}

void json_to_orphan(struct jsonread *reader, const json_t *object, size_t max_holders,
		    struct orphan *out)
{
	jsonread_dev(reader, object, "dev", &out->dev_major, &out->dev_minor);
	out->ino = jsonread_ino(reader, object, "ino");
	out->has_generation = !jsonread_null(reader, object, "generation");
	if (out->has_generation)
		out->generation =
			jsonread_integer(reader, object, "generation", 0, UINT32_MAX);
	out->mode = json_to_type(reader, object);
	out->nlink = jsonread_integer(reader, object, "nlink", 0, UINT32_MAX);
	out->size = jsonread_integer(reader, object, "size", 0, INT64_MAX);
	out->allocated = jsonread_integer(reader, object, "allocated", 0, INT64_MAX);
	read_fixed(reader, object, "fstype", out->fstype, sizeof(out->fstype));
	/* d_path() of the kernel ends at a page. */
	out->path = jsonread_bytes(reader, object, "path", RT_PATH_MAX, true);
	out->tmpfile = jsonread_boolean(reader, object, "tmpfile");
	read_mount(reader, object, out);
	out->cgroup = jsonread_bytes(reader, object, "cgroup", PATH_MAX, true);
	out->unattributed = jsonread_boolean(reader, object, "unattributed");
	read_unlinker(reader, object, &out->unlinker);
	read_holders(reader, object, max_holders, out);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "orphan_json.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "proc/container.h"

/* JSON's integers end where those of most readers end. */
static json_t *integer(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/* What only an fd has, and what was sent by one. */
static int set_fd(json_t *object, const struct holder *holder)
{
	int ret = json_set(object, "fd", json_integer(holder->fd));

	ret = ret ?: json_set(object, "flags", json_integer(holder->flags));
	ret = ret ?: json_set(object, "pos", integer(holder->pos));
	ret = ret ?: json_set(object, "cloexec", json_boolean(holder->cloexec));
	return ret
		       ?: json_set(object, "ofd",
				   holder->ofd ? integer(holder->ofd) : json_null());
}

/* What only a mapping has; hexadecimal as in /proc/PID/map_files. */
static int set_map(json_t *object, const struct holder *holder)
{
	char hex[17];
	int ret;

	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)holder->map_start);
	ret = json_set(object, "start", json_string(hex));
	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)holder->map_end);
	return ret ?: json_set(object, "end", json_string(hex));
}

/* The task; what a loop device holds is no task's. */
static int set_task(json_t *object, const struct holder *holder)
{
	char comm[RT_COMM_LEN + 1] = "";
	int ret;

	if (holder->kind == RT_HOLDER_LOOP) {
		ret = json_set(object, "pid", json_null());
		ret = ret ?: json_set(object, "start_time", json_null());
		return ret ?: json_set(object, "comm", json_null());
	}
	memcpy(comm, holder->comm, RT_COMM_LEN);
	ret = json_set(object, "pid", json_integer(holder->pid));
	if (holder->tid)
		ret = ret ?: json_set(object, "tid", json_integer(holder->tid));
	ret = ret ?: json_set(object, "start_time", integer(holder->start_time));
	return ret ?: json_set_bytes(object, "comm", comm);
}

/* Which device, or which mount. */
static int set_place(json_t *object, const struct holder *holder)
{
	char device[32];
	json_t *mount;
	int ret;

	if (holder->kind == RT_HOLDER_LOOP) {
		holder_device(holder, device, sizeof(device));
		return json_set(object, "device", json_string(device));
	}
	mount = json_object();
	ret = json_set(mount, "id", integer(holder->mnt_id));
	ret = ret ?: json_set_bytes(mount, "point", holder->mnt_point);
	return json_set(object, "mount", mount) ?: ret;
}

static json_t *from_holder(const struct holder *holder)
{
	json_t *object = json_object();
	int ret = set_task(object, holder);

	ret = ret
		      ?: json_set(object, "kind",
				  json_string(holder_kind_name(holder->kind)));
	if (holder->kind == RT_HOLDER_FD || holder_is_behind(holder->kind))
		ret = ret ?: set_fd(object, holder);
	if (holder->kind == RT_HOLDER_MAP)
		ret = ret ?: set_map(object, holder);
	if (holder->kind == RT_HOLDER_LOOP || holder->kind == RT_HOLDER_MOUNT)
		ret = ret ?: set_place(object, holder);
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *from_holders(const struct orphan *orphan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < orphan->n_holders; i++) {
		if (json_array_append_new(array, from_holder(&orphan->holders[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *from_mount(const struct orphan *orphan)
{
	json_t *object;
	int ret;

	if (orphan->mnt_id < 0)
		return json_null();
	object = json_object();
	ret = json_set(object, "id", json_integer(orphan->mnt_id));
	ret = ret ?: json_set_bytes(object, "point", orphan->mnt_point);
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *from_unlinker(const struct unlinker *unlinker)
{
	char comm[RT_COMM_LEN + 1] = "";
	char at[31];
	json_t *object;
	int ret;

	if (!unlinker->known)
		return json_null();
	memcpy(comm, unlinker->comm, RT_COMM_LEN);
	json_format_time(unlinker->when_ns, at);
	object = json_object();
	ret = json_set(object, "at", json_string(at));
	ret = ret ?: json_set(object, "pid", json_integer(unlinker->pid));
	ret = ret ?: json_set_bytes(object, "comm", comm);
	ret = ret ?: json_set(object, "cgroup_id", integer(unlinker->cgroup_id));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

/* What the inode is. */
static int set_inode(json_t *object, const struct orphan *orphan)
{
	char fstype[RT_FSTYPE_LEN + 1] = "";
	char dev[24];
	int ret;

	snprintf(dev, sizeof(dev), "%u:%u", orphan->dev_major, orphan->dev_minor);
	memcpy(fstype, orphan->fstype, RT_FSTYPE_LEN);
	ret = json_set(object, "dev", json_string(dev));
	ret = ret ?: json_set(object, "ino", json_from_ino(orphan->ino));
	ret = ret
		      ?: json_set(object, "generation",
				  orphan->has_generation
					  ? json_integer(orphan->generation)
					  : json_null());
	ret = ret
		      ?: json_set(object, "type",
				  json_string(orphan_type_name(orphan->mode)));
	ret = ret ?: json_set(object, "nlink", json_integer(orphan->nlink));
	ret = ret ?: json_set(object, "size", integer(orphan->size));
	ret = ret ?: json_set(object, "allocated", integer(orphan->allocated));
	return ret ?: json_set_bytes(object, "fstype", fstype);
}

/* Where it is, in the words of who runs containers. */
static int set_cgroup(json_t *object, const struct orphan *orphan)
{
	struct container container = {0};
	int ret = json_set_bytes(object, "cgroup", orphan->cgroup);

	if (orphan->cgroup)
		container_of_path(orphan->cgroup, &container);
	ret = ret
		      ?: json_set_bytes(object, "pod",
					container.pod[0] ? container.pod : NULL);
	return ret
		       ?: json_set_bytes(object, "container",
					 container.id[0] ? container.id : NULL);
}

json_t *json_from_orphan(const struct orphan *orphan)
{
	json_t *object = json_object();
	int ret = set_inode(object, orphan);

	ret = ret ?: json_set_bytes(object, "path", orphan->path);
	ret = ret ?: json_set(object, "tmpfile", json_boolean(orphan->tmpfile));
	ret = ret ?: json_set(object, "mount", from_mount(orphan));
	ret = ret ?: set_cgroup(object, orphan);
	ret = ret ?: json_set(object, "unattributed", json_boolean(orphan->unattributed));
	ret = ret ?: json_set(object, "unlinked", from_unlinker(&orphan->unlinker));
	ret = ret ?: json_set(object, "holders", from_holders(orphan));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

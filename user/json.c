/* SPDX-License-Identifier: GPL-2.0-only */
#include "json.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "base64.h"

/* Room for the longest key that gets "_b64" put behind it. */
#define KEY_MAX 64

/* Takes over @value, which may be NULL for want of memory. */
static int set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) ? -ENOMEM : 0;
}

/* JSON's integers end where those of most readers end. */
static json_t *integer(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *json_from_ino(uint64_t ino)
{
	char digits[21];

	if (ino <= INT64_MAX)
		return json_integer((json_int_t)ino);
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)ino);
	return json_string(digits);
}

int json_set_bytes(json_t *object, const char *key, const char *bytes)
{
	AUTO_FREE char *text = NULL;
	char key_b64[KEY_MAX];
	json_t *value;

	if (!bytes)
		return set(object, key, json_null());
	value = json_string(bytes);
	if (value)
		return set(object, key, value);
	/* Not UTF-8. Where it was for want of memory, the other form is as true. */
	text = base64_encode(bytes, strlen(bytes));
	if (!text)
		return -ENOMEM;
	snprintf(key_b64, sizeof(key_b64), "%s_b64", key);
	return set(object, key_b64, json_string(text));
}

/* The bytes behind a base64 @value, without a NUL among them. */
static int decode(const json_t *value, char **bytes)
{
	AUTO_FREE char *decoded = NULL;
	size_t len;
	int ret;

	if (!json_is_string(value) ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	ret = base64_decode(json_string_value(value), &decoded, &len);
	if (ret)
		return ret;
	if (strlen(decoded) != len)
		return -EINVAL;
	*bytes = TAKE_PTR(decoded);
	return 0;
}

int json_get_bytes(const json_t *object, const char *key, char **bytes)
{
	const json_t *value = json_object_get(object, key), *encoded;
	char key_b64[KEY_MAX];
	char *copy;

	snprintf(key_b64, sizeof(key_b64), "%s_b64", key);
	encoded = json_object_get(object, key_b64);
	if (encoded)
		return value ? -EINVAL : decode(encoded, bytes);
	if (!value || json_is_null(value)) {
		*bytes = NULL;
		return 0;
	}
	if (!json_is_string(value) ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	copy = strdup(json_string_value(value));
	if (!copy)
		return -ENOMEM;
	*bytes = copy;
	return 0;
}

void json_format_time(uint64_t realtime_ns, char buf[static 31])
{
	time_t seconds = realtime_ns / 1000000000;
	unsigned int ns = realtime_ns % 1000000000;
	struct tm tm;
	char text[64];

	/* 2^64 ns end in the year 2554: four digits do. */
	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		 tm.tm_sec, ns);
	memcpy(buf, text, 30);
	buf[30] = '\0';
}

/* What only an fd has. */
static int set_fd(json_t *object, const struct holder *holder)
{
	int ret = set(object, "fd", json_integer(holder->fd));

	ret = ret ?: set(object, "flags", json_integer(holder->flags));
	ret = ret ?: set(object, "pos", integer(holder->pos));
	ret = ret ?: set(object, "cloexec", json_boolean(holder->cloexec));
	return ret
		       ?: set(object, "ofd",
			      holder->ofd ? integer(holder->ofd) : json_null());
}

/* What only a mapping has; hexadecimal as in /proc/PID/map_files. */
static int set_map(json_t *object, const struct holder *holder)
{
	char hex[17];
	int ret;

	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)holder->map_start);
	ret = set(object, "start", json_string(hex));
	snprintf(hex, sizeof(hex), "%llx", (unsigned long long)holder->map_end);
	return ret ?: set(object, "end", json_string(hex));
}

static json_t *from_holder(const struct holder *holder)
{
	json_t *object = json_object();
	char comm[RT_COMM_LEN + 1] = "";
	int ret;

	memcpy(comm, holder->comm, RT_COMM_LEN);
	ret = set(object, "pid", json_integer(holder->pid));
	if (holder->tid)
		ret = ret ?: set(object, "tid", json_integer(holder->tid));
	ret = ret ?: set(object, "start_time", integer(holder->start_time));
	ret = ret ?: json_set_bytes(object, "comm", comm);
	ret = ret ?: set(object, "kind", json_string(holder_kind_name(holder->kind)));
	if (holder->kind == RT_HOLDER_FD)
		ret = ret ?: set_fd(object, holder);
	if (holder->kind == RT_HOLDER_MAP)
		ret = ret ?: set_map(object, holder);
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
	ret = set(object, "id", json_integer(orphan->mnt_id));
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
	ret = set(object, "at", json_string(at));
	ret = ret ?: set(object, "pid", json_integer(unlinker->pid));
	ret = ret ?: json_set_bytes(object, "comm", comm);
	ret = ret ?: set(object, "cgroup_id", integer(unlinker->cgroup_id));
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
	ret = set(object, "dev", json_string(dev));
	ret = ret ?: set(object, "ino", json_from_ino(orphan->ino));
	ret = ret
		      ?: set(object, "generation",
			     orphan->has_generation ? json_integer(orphan->generation)
						    : json_null());
	ret = ret ?: set(object, "type", json_string(orphan_type_name(orphan->mode)));
	ret = ret ?: set(object, "nlink", json_integer(orphan->nlink));
	ret = ret ?: set(object, "size", integer(orphan->size));
	ret = ret ?: set(object, "allocated", integer(orphan->allocated));
	return ret ?: json_set_bytes(object, "fstype", fstype);
}

json_t *json_from_orphan(const struct orphan *orphan)
{
	json_t *object = json_object();
	int ret = set_inode(object, orphan);

	ret = ret ?: json_set_bytes(object, "path", orphan->path);
	ret = ret ?: set(object, "tmpfile", json_boolean(orphan->tmpfile));
	ret = ret ?: set(object, "mount", from_mount(orphan));
	ret = ret ?: json_set_bytes(object, "cgroup", orphan->cgroup);
	ret = ret ?: set(object, "unattributed", json_boolean(orphan->unattributed));
	ret = ret ?: set(object, "unlinked", from_unlinker(&orphan->unlinker));
	ret = ret ?: set(object, "holders", from_holders(orphan));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "filelock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"
#include "base/list.h"

/* Of one entry: what 64 MiB of manifest could not hold anyway. */
#define MAX_LOCKS (1U << 18)

#define PID_LIMIT (1U << 22)

void filelocks_fini(struct filelocks *locks)
{
	free(locks->locks);
	*locks = (struct filelocks){0};
}

const char *filelock_type_name(enum filelock_type type)
{
	static const char *const names[] = {"flock", "posix", "ofd", "lease"};

	return names[type];
}

static int type_of(const char *word)
{
	static const char *const words[] = {"FLOCK", "POSIX", "OFDLCK", "LEASE"};

	for (int i = 0; i < 4; i++)
		if (!strcmp(word, words[i]))
			return i;
	return -EINVAL;
}

int filelock_parse(const char *line, struct filelock *out)
{
	struct filelock lock = {.fd = -1};
	unsigned long long start, ino;
	char type[16], what[16], access[8], end[24], *stop;
	int kind;

	if (sscanf(line, "lock: %*d: %15s %15s %7s %*d %*x:%*x:%llu %llu %23s", type,
		   what, access, &ino, &start, end) != 6)
		return -EINVAL;
	kind = type_of(type);
	if (kind < 0 || (strcmp(access, "READ") && strcmp(access, "WRITE")) ||
	    (kind == FILELOCK_LEASE && strcmp(what, "ACTIVE")) || start > INT64_MAX)
		return -EINVAL;
	lock.type = kind;
	lock.write = access[0] == 'W';
	lock.ino = ino;
	lock.start = start;
	lock.end = FILELOCK_EOF;
	if (strcmp(end, "EOF")) {
		errno = 0;
		lock.end = strtoull(end, &stop, 10);
		if (errno || *stop || lock.end > INT64_MAX || lock.end < start)
			return -EINVAL;
	}
	*out = lock;
	return 0;
}

int filelocks_add(struct filelocks *locks, const struct filelock *lock)
{
	struct filelock *grown = list_grow(locks->locks, locks->n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	locks->locks = grown;
	grown[locks->n++] = *lock;
	return 0;
}

static json_t *from_lock(const struct filelock *lock)
{
	json_t *object = json_object();
	int ret = json_set(object, "pid", json_integer(lock->pid));

	if (lock->tid)
		ret = ret ?: json_set(object, "tid", json_integer(lock->tid));
	ret = ret ?: json_set(object, "fd", json_integer(lock->fd));
	ret = ret
		      ?: json_set(object, "type",
				  json_string(filelock_type_name(lock->type)));
	ret = ret
		      ?: json_set(object, "access",
				  json_string(lock->write ? "write" : "read"));
	ret = ret ?: json_set(object, "start", json_integer(lock->start));
	ret = ret
		      ?: json_set(object, "end",
				  lock->end == FILELOCK_EOF ? json_null()
							    : json_integer(lock->end));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_from_filelocks(const struct filelocks *locks)
{
	json_t *array = json_array();

	for (size_t i = 0; i < locks->n; i++) {
		if (json_array_append_new(array, from_lock(&locks->locks[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void read_lock(struct jsonread *reader, const json_t *object, struct filelock *out)
{
	const char *type = jsonread_string(reader, object, "type", 16);
	const char *access = jsonread_string(reader, object, "access", 16);
	int kind = FILELOCK_LEASE;

	while (type && kind >= 0 && strcmp(type, filelock_type_name(kind)))
		kind--;
	if (kind < 0)
		jsonread_fault(reader, "type", "is not a kind of lock");
	out->type = kind < 0 ? FILELOCK_FLOCK : (enum filelock_type)kind;
	out->write = access && !strcmp(access, "write");
	if (access && !out->write && strcmp(access, "read"))
		jsonread_fault(reader, "access", "read or write is expected");
	out->pid = jsonread_integer(reader, object, "pid", 1, PID_LIMIT);
	if (json_object_get(object, "tid"))
		out->tid = jsonread_integer(reader, object, "tid", 1, PID_LIMIT);
	out->fd = jsonread_integer(reader, object, "fd", 0, INT_MAX);
	out->start = jsonread_integer(reader, object, "start", 0, INT64_MAX);
	out->end = FILELOCK_EOF;
	if (!jsonread_null(reader, object, "end"))
		out->end = jsonread_integer(reader, object, "end", out->start, INT64_MAX);
}

void json_to_filelocks(struct jsonread *reader, const json_t *object,
		       struct filelocks *out)
{
	const json_t *array, *element;
	size_t i;

	/* Younger than the schema. */
	if (reader->error || !json_object_get(object, "locks"))
		return;
	array = jsonread_array(reader, object, "locks", MAX_LOCKS);
	json_array_foreach((json_t *)array, i, element)
	{
		struct filelock lock = {0};

		read_lock(reader, element, &lock);
		if (reader->error)
			return;
		if (filelocks_add(out, &lock))
			reader->error = -ENOMEM;
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "fileowner.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/list.h"

/* Of one entry: what 64 MiB of manifest could not hold anyway. */
#define MAX_OWNERS (1U << 18)

#define PID_LIMIT (1U << 22)

/* _NSIG of the kernel. */
#define SIGNAL_LIMIT 64

void fileowners_fini(struct fileowners *owners)
{
	free(owners->owners);
	*owners = (struct fileowners){0};
}

static const char *const names[] = {"process", "thread", "group"};

const char *fileowner_type_name(enum fileowner_type type)
{
	return names[type];
}

int fileowners_add(struct fileowners *owners, const struct fileowner *owner)
{
	struct fileowner *grown = list_grow(owners->owners, owners->n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	owners->owners = grown;
	grown[owners->n++] = *owner;
	return 0;
}

static json_t *from_owner(const struct fileowner *owner)
{
	json_t *object = json_object();
	int ret = json_set(object, "pid", json_integer(owner->pid));

	if (owner->tid)
		ret = ret ?: json_set(object, "tid", json_integer(owner->tid));
	ret = ret ?: json_set(object, "fd", json_integer(owner->fd));
	ret = ret ?: json_set(object, "type", json_string(names[owner->type]));
	ret = ret
		      ?: json_set(object, "owner",
				  owner->owner ? json_integer(owner->owner)
					       : json_null());
	ret = ret
		      ?: json_set(object, "signal",
				  owner->signal ? json_integer(owner->signal)
						: json_null());
	ret = ret ?: json_set(object, "async", json_boolean(owner->async));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_from_fileowners(const struct fileowners *owners)
{
	json_t *array = json_array();

	for (size_t i = 0; i < owners->n; i++) {
		if (json_array_append_new(array, from_owner(&owners->owners[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static void read_owner(struct jsonread *reader, const json_t *object,
		       struct fileowner *out)
{
	const char *type = jsonread_string(reader, object, "type", 16);
	int kind = FILEOWNER_GROUP;

	while (type && kind >= 0 && strcmp(type, names[kind]))
		kind--;
	if (kind < 0)
		jsonread_fault(reader, "type", "is not a kind of owner");
	out->type = kind < 0 ? FILEOWNER_PROCESS : (enum fileowner_type)kind;
	out->pid = jsonread_integer(reader, object, "pid", 1, PID_LIMIT);
	if (json_object_get(object, "tid"))
		out->tid = jsonread_integer(reader, object, "tid", 1, PID_LIMIT);
	out->fd = jsonread_integer(reader, object, "fd", 0, INT_MAX);
	if (!jsonread_null(reader, object, "owner"))
		out->owner = jsonread_integer(reader, object, "owner", 1, PID_LIMIT);
	if (!jsonread_null(reader, object, "signal"))
		out->signal = jsonread_integer(reader, object, "signal", 1, SIGNAL_LIMIT);
	out->async = jsonread_boolean(reader, object, "async");
}

void json_to_fileowners(struct jsonread *reader, const json_t *object,
			struct fileowners *out)
{
	const json_t *array, *element;
	size_t i;

	/* Younger than the schema. */
	if (reader->error || !json_object_get(object, "owners"))
		return;
	array = jsonread_array(reader, object, "owners", MAX_OWNERS);
	json_array_foreach((json_t *)array, i, element)
	{
		struct fileowner owner = {0};

		read_owner(reader, element, &owner);
		if (reader->error)
			return;
		if (fileowners_add(out, &owner))
			reader->error = -ENOMEM;
	}
}

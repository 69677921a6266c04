/* SPDX-License-Identifier: GPL-2.0-only */
#include "store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/json.h"

void store_fini(struct store *store)
{
	free(store->path);
	free(store->beside);
	free(store->fstype);
	*store = (struct store){0};
}

int store_copy(const struct store *from, struct store *to)
{
	AUTO(store_fini) struct store copy = *from;

	copy.path = from->path ? strdup(from->path) : NULL;
	copy.beside = from->beside ? strdup(from->beside) : NULL;
	copy.fstype = from->fstype ? strdup(from->fstype) : NULL;
	if (!copy.path != !from->path || !copy.beside != !from->beside ||
	    !copy.fstype != !from->fstype)
		return -ENOMEM;
	*to = copy;
	copy = (struct store){0};
	return 0;
}

void store_name(const char *id, unsigned int n, char out[static RELINK_PATH_MAX])
{
	snprintf(out, RELINK_PATH_MAX, "%.32s/orphan%u", id, n);
}

json_t *store_to_json(const struct store *store)
{
	json_t *object = store->path ? json_object() : json_null();
	int ret;

	if (!store->path)
		return object;
	ret = json_set_bytes(object, "path", store->path);
	ret = ret ?: json_set_bytes(object, "beside", store->beside);
	ret = ret
		      ?: json_set(object, "dev",
				  json_sprintf("%u:%u", store->dev_major,
					       store->dev_minor));
	ret = ret ?: json_set(object, "fstype", json_string(store->fstype));
	ret = ret ?: json_set(object, "own", json_boolean(store->own));
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

void store_from_json(struct jsonread *reader, const json_t *object, struct store *out)
{
	const json_t *store = json_object_get(object, "store");
	const char *fstype;

	if (!store || json_is_null(store))
		return;
	store = jsonread_object(reader, object, "store");
	out->path = jsonread_bytes(reader, store, "path", PATH_MAX - 1, false);
	if (out->path && !absolute_path_valid(out->path))
		jsonread_fault(reader, "store",
			       "path must be absolute, without \".\" and \"..\"");
	out->beside = jsonread_bytes(reader, store, "beside", RELINK_PATH_MAX - 1, true);
	if (out->beside && strcmp(out->beside, ".") && !relink_path_valid(out->beside))
		jsonread_fault(reader, "store",
			       "beside must be relative, without \".\" and \"..\"");
	jsonread_dev(reader, store, "dev", &out->dev_major, &out->dev_minor);
	/* Younger than the schema. */
	out->own =
		json_object_get(store, "own") && jsonread_boolean(reader, store, "own");
	fstype = jsonread_string(reader, store, "fstype", 255);
	out->fstype = fstype ? strdup(fstype) : NULL;
	if (fstype && !out->fstype)
		reader->error = -ENOMEM;
}

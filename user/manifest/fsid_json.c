/* SPDX-License-Identifier: GPL-2.0-only */
#include "fsid_json.h"

#include "base/json.h"

int fsid_to_json(json_t *object, const char *fsid)
{
	return fsid[0] ? json_set(object, "fsid", json_string(fsid)) : 0;
}

void fsid_from_json(struct jsonread *reader, const json_t *object,
		    char out[static FSID_SIZE])
{
	if (json_object_get(object, "fsid"))
		jsonread_exact(reader, object, "fsid", FSID_SIZE - 1, "0123456789abcdef",
			       out);
}

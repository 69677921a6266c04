/* SPDX-License-Identifier: GPL-2.0-only */
/* "fsid" (proc/fsid.h) of an object: a manifest's entry, or a mount of a manifest or journal. It
 * is younger than their schemas, and absent where it is not known. */
#ifndef RELINKTRACE_FSID_JSON_H
#define RELINKTRACE_FSID_JSON_H

#include <jansson.h>

#include "base/jsonread.h"
#include "proc/fsid.h"

/* Sets it where @fsid is known. 0 or -ENOMEM. */
int fsid_to_json(json_t *object, const char *fsid);

/* Reads it; @out stays where there is none. */
void fsid_from_json(struct jsonread *reader, const json_t *object,
		    char out[static FSID_SIZE]);

#endif

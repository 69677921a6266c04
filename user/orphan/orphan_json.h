/* SPDX-License-Identifier: GPL-2.0-only */
/* Orphans as JSON, the same in list, in events and in the manifest. */
#ifndef RELINKTRACE_ORPHAN_JSON_H
#define RELINKTRACE_ORPHAN_JSON_H

#include <jansson.h>

#include "base/jsontext.h"
#include "orphan.h"

/* What a list says before its orphans (new reference): all members of the list's schema but
 * "orphans". NULL when memory is out. */
json_t *json_from_orphan_set_head(const struct orphan_set *set);

/* Adds the orphan as an object, in the field order of the list's schema. */
void orphan_write_json(struct jsontext *out, const struct orphan *orphan);

/* The same as a value that can be added to (new reference); NULL when memory is out. */
json_t *json_from_orphan(const struct orphan *orphan);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Orphans as JSON, the same in list, in events and in the manifest. */
#ifndef RELINKTRACE_ORPHAN_JSON_H
#define RELINKTRACE_ORPHAN_JSON_H

#include <jansson.h>

#include "orphan.h"

/* The orphan as an object (new reference), in the field order of the list's schema; NULL
 * when memory is out. */
json_t *json_from_orphan(const struct orphan *orphan);

#endif

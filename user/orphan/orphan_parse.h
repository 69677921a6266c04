/* SPDX-License-Identifier: GPL-2.0-only */
/* An orphan read back from its JSON. Pure. */
#ifndef RELINKTRACE_ORPHAN_PARSE_H
#define RELINKTRACE_ORPHAN_PARSE_H

#include "base/jsonread.h"
#include "orphan.h"

/* The field "type" of @object, as S_IFMT has it; 0 after a fault. */
uint32_t json_to_type(struct jsonread *reader, const json_t *object);

/* Fills @out, which the caller has zeroed and frees with orphan_fini() also after a
 * fault, from what json_from_orphan() writes; at most @max_holders holders. Permissions,
 * owner and rdev are not part of it. Faults go to @reader. */
void json_to_orphan(struct jsonread *reader, const json_t *object, size_t max_holders,
		    struct orphan *out);

#endif

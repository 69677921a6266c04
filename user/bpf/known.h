/* SPDX-License-Identifier: GPL-2.0-only */
/* The map of orphans, read in one go: what the hooks know of each by its address. */
#ifndef RELINKTRACE_KNOWN_H
#define RELINKTRACE_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>
#include "../../bpf/relinktrace.h"

struct known {
	struct known_entry {
		uint64_t key;
		struct rt_orphan orphan;
	} * entries; /* owned; sorted by key */
	size_t n;
};

/* Whether the map @orphans_fd has no entry. */
bool known_is_empty(int orphans_fd);

/* Reads the map @orphans_fd. Entries that come or go meanwhile may be missing: the caller
 * looks again at those that matter. 0; -ENOMEM; -errno. */
int known_read(int orphans_fd, struct known *out);

/* The entry of @key, or NULL. */
const struct rt_orphan *known_find(const struct known *known, uint64_t key);

/* Frees what @known owns; for AUTO(). */
void known_fini(struct known *known);

#endif

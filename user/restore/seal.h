/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that become immutable or append-only again, once they are open and have no name
 * left: before, those flags would be in the way. */
#ifndef RELINKTRACE_SEAL_H
#define RELINKTRACE_SEAL_H

#include "manifest/manifest.h"

struct seal {
	int fd; /* owned; O_PATH */
	const struct manifest_entry *entry;
};

struct seals {
	struct seal *seals; /* owned */
	size_t n;
};

/* Frees what @seals owns; for AUTO(). */
void seals_fini(struct seals *seals);

/* Notes that the file behind @fd, a copy made for @entry (which outlives @seals), is to get
 * its flags back; does nothing where it had neither. 0 or -errno. */
int seals_add(struct seals *seals, int fd, const struct manifest_entry *entry);

/* Sets the flags. What cannot be set is logged. */
void seals_set(const struct seals *seals);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What was preserved, taken over into a file of another's making. */
#ifndef RELINKTRACE_REFILL_H
#define RELINKTRACE_REFILL_H

#include "manifest/manifest.h"

/* Gives the new regular file @fd all that the file behind @preserved (O_PATH, verified to be
 * that of @entry) is now, since what was linked may have been written to: by FICLONE, else
 * by a copy with its holes. What of its attributes cannot be kept is logged. 0; -EINTR when
 * interrupt_pending(); -errno. */
int refill(int preserved, int fd, const struct manifest_entry *entry);

/* The bytes that refill() goes through, about, of those entries that @holder held (0: all)
 * and that are @wanted (NULL: all). */
uint64_t refill_bytes(const struct manifest *manifest, pid_t holder,
		      bool (*wanted)(const struct manifest_entry *entry));

#endif

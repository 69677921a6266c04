/* SPDX-License-Identifier: GPL-2.0-only */
/* The binary stream of the holder iterators, taken apart and put together into orphans.
 * Pure: no kernel is asked. */
#ifndef RELINKTRACE_RECORDS_H
#define RELINKTRACE_RECORDS_H

#include <stddef.h>
#include <sys/types.h>

#include "orphan/orphan.h"

/* Called for a record with its path bytes (not terminated, @record->path_len of them);
 * non-zero ends the parsing. */
typedef int (*record_fn)(const struct rt_holder *record, const char *path, void *data);

/* Calls @each for the whole records at the begin of the @length bytes of @buffer. Returns
 * how many bytes they took; -EBADMSG for a record that cannot be; what @each returned. */
ssize_t records_parse(const char *buffer, size_t length, record_fn each, void *data);

struct records_context {
	struct orphan_set *set;
	pid_t self; /* our own, whose ways to read are nobody's hold; 0: no matter */
	bool key_is_inode; /* tp_btf: the map of orphans is keyed by inodes */
	/* Whether the holder is of the target; NULL for everybody. */
	bool (*is_wanted)(const struct rt_holder *record, void *data);
	void *data; /* handed to it */
};

/* Fills in of @orphan what @record tells of the inode. */
void records_fill(struct orphan *orphan, const struct rt_holder *record);

/* A record_fn; @data is a struct records_context. Adds the orphan and its holder, when it
 * is of the target, to the set. 0 or -ENOMEM; -EBADMSG for a kind that no task holds. */
int records_collect(const struct rt_holder *record, const char *path, void *data);

/* The major and minor number in a dev_t of the kernel's own (MINORBITS is 20,
 * include/linux/kdev_t.h). */
static inline uint32_t kernel_major(uint32_t dev)
{
	return dev >> 20;
}

static inline uint32_t kernel_minor(uint32_t dev)
{
	return dev & 0xfffff;
}

#endif

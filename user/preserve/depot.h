/* SPDX-License-Identifier: GPL-2.0-only */
/* A store while a checkpoint fills it, and which orphans go into it. */
#ifndef RELINKTRACE_DEPOT_H
#define RELINKTRACE_DEPOT_H

#include <stdbool.h>
#include <stddef.h>

#include "manifest/store.h"
#include "orphan/orphan.h"

struct depot_mounts {
	char **points; /* owned; without a '/' at the end */
	size_t n;
	bool listed; /* only these, also where there are none, and what is in nobody's
		      * sight; else none are all mounts */
	/* Of these only what is nowhere else: regular files without a name, and those on a
	 * tmpfs. A file that has another name on a volume is one with that, and stays. */
	bool sparing;
};

/* Frees what @mounts owns; for AUTO(). */
void depot_mounts_fini(struct depot_mounts *mounts);

/* Adds mount points, a ',' between two of them; "\," is a comma in one. 0; -EINVAL one is
 * not absolute; -ENOMEM. */
int depot_mounts_add(struct depot_mounts *mounts, const char *list);

/* Adds a copy of @point, which is absolute and has no '/' at the end. 0 or -ENOMEM. */
int depot_mounts_put(struct depot_mounts *mounts, const char *point);

/* Whether @point is one of them. */
bool depot_mounts_have(const struct depot_mounts *mounts, const char *point);

struct depot {
	struct store store;		   /* owned; where it is */
	int fd;				   /* the directory, O_PATH; owned */
	bool made;			   /* else it is the folder that it will be in */
	const struct depot_mounts *mounts; /* not owned */
};

#define DEPOT_INIT                                                                       \
	{                                                                                \
		.fd = -1                                                                 \
	}

/* Closes and frees what @depot owns; for AUTO(). */
void depot_fini(struct depot *depot);

/* Opens directory @path as the store of a manifest that will be at @manifest. Nobody but root and
 * us may be able to write to it, and its last component is no symbolic link. Where it is not there,
 * nothing is made: @depot says where the store will be, and has its folder. @mounts outlives @depot.
 * 0; -ELOOP, -ENOTDIR; -EPERM somebody else's; -errno; and the reason with what to do in @why. */
int depot_try(struct depot *depot, const char *path, const struct depot_mounts *mounts,
	      const char *manifest, char **why);

/* Makes the directory of @depot, of depot_try() with the same @path, where it was not there (0700),
 * and opens it. As depot_try(). */
int depot_make(struct depot *depot, const char *path, char **why);

/* Whether @orphan goes into @depot (NULL: there is none). Pure. */
bool depot_takes(const struct depot *depot, const struct orphan *orphan);

/* Warns of each mount point that was asked for and that none of @set is on: it may be
 * misspelt, and what was meant is on its mount then. */
void depot_tell_unused(const struct depot *depot, const struct orphan_set *set);

#endif

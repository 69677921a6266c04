/* SPDX-License-Identifier: GPL-2.0-only */
/* What an inode has beside type, owner, permissions and data: it goes with a copy, and
 * into the manifest. */
#ifndef RELINKTRACE_ATTRIBUTES_H
#define RELINKTRACE_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "base/jsonread.h"

/* Of one inode; XATTR_LIST_MAX (linux/limits.h) bytes of names are fewer. */
#define ATTRIBUTES_MAX_XATTRS 16384

struct attributes_xattr {
	char *name;  /* owned */
	void *value; /* owned; never NULL */
	size_t size;
};

struct attributes {
	bool has_flags;
	uint32_t flags; /* FS_*_FL, linux/fs.h; only those of attributes_flags() */
	bool has_project;
	uint32_t project;
	/* How space is allocated (xfs): FS_XFLAG_*, linux/fs.h, only those of
	 * attributes_hints(), and bytes that go with them; has_project says whether known. */
	uint32_t hints, extsize, cowextsize;
	struct attributes_xattr *xattrs; /* owned */
	size_t n_xattrs;
	struct timespec atime, mtime;
};

/* Frees what @attributes owns and zeroes it; for AUTO(). */
void attributes_fini(struct attributes *attributes);

/* The inode flags that a program or chattr(1) can set, and that are therefore carried:
 * of FS_FL_USER_MODIFIABLE those that are no property of the format. */
uint32_t attributes_flags(void);

/* The FS_XFLAG_* that say how space is allocated, and that no inode flag is for. */
uint32_t attributes_hints(void);

/* "immutable", "nodump"…; NULL when @flag (one bit) is not of attributes_flags(). */
const char *attributes_flag_name(uint32_t flag);

/* Takes @name and @value over where it returns 0; -ENOMEM. */
int attributes_add_xattr(struct attributes *attributes, char *name, void *value,
			 size_t size);

/* As JSON (new reference), NULL when memory is out. */
json_t *attributes_to_json(const struct attributes *attributes);

/* Reads what attributes_to_json() wrote; faults are @reader's. @out has been zeroed and
 * is the caller's to attributes_fini(), also after a fault. */
void attributes_parse(struct jsonread *reader, const json_t *object,
		      struct attributes *out);

#endif

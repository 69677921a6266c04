/* SPDX-License-Identifier: GPL-2.0-only */
/* The store of a checkpoint: the directory that copies went into which were not to be made
 * on their own mounts. docs/manifest.md describes it. */
#ifndef RELINKTRACE_STORE_H
#define RELINKTRACE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/jsonread.h"
#include "template.h"

struct store {
	char *path;   /* owned; absolute, without symbolic links; NULL there is none */
	char *beside; /* owned; the same from the manifest's directory, "." that itself;
		       * NULL where it is not below it */
	uint32_t dev_major, dev_minor; /* the superblock's */
	char *fstype;		       /* owned */
	bool own; /* made by itself, and nobody's else: it goes when nothing is in it */
};

/* What a store in a container's own root is called there; so it has to be in the root of what
 * a runtime restores, where nobody hands its files over. */
#define STORE_OF_ROOT ".relinktrace-store"

/* Frees what @store owns and zeroes it. */
void store_fini(struct store *store);

/* Makes @to, which is not initialised, a copy of @from. 0 or -ENOMEM. */
int store_copy(const struct store *from, struct store *to);

/* The name of orphan @n of checkpoint @id, below the store: in a folder of the checkpoint's
 * own. */
void store_name(const char *id, unsigned int n, char out[static RELINK_PATH_MAX]);

/* As JSON (new reference), null where there is none; NULL when memory is out. */
json_t *store_to_json(const struct store *store);

/* Reads field "store" of @object, where it is there and not null. */
void store_from_json(struct jsonread *reader, const json_t *object, struct store *out);

#endif

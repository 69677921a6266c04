/* SPDX-License-Identifier: GPL-2.0-only */
/* The ladder: link, else clone, else copy; for what is no regular file link, else leave
 * it to be made again. */
#ifndef RELINKTRACE_LADDER_H
#define RELINKTRACE_LADDER_H

#include "folder.h"
#include "manifest/manifest.h"
#include "source.h"

#define LADDER_STEPS 3

struct ladder {
	const struct manifest *manifest; /* its template and ktime make the names */
	unsigned int *next_n;		 /* the number that is given out next */
	bool stop;			 /* an O_TMPFILE may be linked */
	const struct source *source;
	const struct folder *folder;  /* NULL where only recreate is wanted */
	struct manifest_entry *entry; /* filled; its n and orphan are set */
};

/* The methods that come into question for @orphan, in order; of a regular file only
 * @forced, unless that is METHOD_AUTO. Returns how many. Pure. */
size_t ladder_methods(const struct orphan *orphan, enum method forced,
		      enum method out[static LADDER_STEPS]);

/* Tries @n @methods one after the other; the entry records why one was not taken. 0; the
 * last one's -errno with all reasons in @why; -EINTR, -ENOMEM. Nothing that a method
 * made is left when it failed. */
int ladder_climb(struct ladder *ladder, const enum method *methods, size_t n, char **why);

#endif

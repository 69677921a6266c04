/* SPDX-License-Identifier: GPL-2.0-only */
/* The name of what a ladder has prepared: chosen, written down, and made. */
#ifndef RELINKTRACE_NAMING_H
#define RELINKTRACE_NAMING_H

#include "ladder.h"

/* The last component of @path, inside of it. Pure. */
const char *naming_last(const char *path);

/* Chooses the next name that is free, for the file that entry->relinked tells of, and
 * writes it down: ladder->path. 0; -EEXIST too many in a row are taken; -errno. */
int naming_choose(struct ladder *ladder);

/* Gives what was prepared its name, ladder->path. 0; -EEXIST somebody else has taken it;
 * -errno: it is not there, or folder_doubt() was told. */
int naming_make(struct ladder *ladder);

/* Sets @why to why naming_make() has failed with @ret. */
void naming_explain(const struct ladder *ladder, int ret, char **why);

#endif

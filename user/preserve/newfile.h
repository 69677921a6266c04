/* SPDX-License-Identifier: GPL-2.0-only */
/* The file that a clone or a copy is filled into. */
#ifndef RELINKTRACE_NEWFILE_H
#define RELINKTRACE_NEWFILE_H

#include "ladder.h"

/* Makes a file for the contents that has no name, ladder->fd: nothing half filled is ever seen.
 * Where the filesystem cannot (O_TMPFILE, open(2); overlay can from 6.3 on), it has a name of our
 * own until it is filled, ladder->own. 0 or -errno. */
int newfile_make(struct ladder *ladder);

#endif

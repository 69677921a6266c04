/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of copies that have none when their holders run again: nobody waits for them. Until
 * then a copy goes with this process, and there is nothing to clean. */
#ifndef RELINKTRACE_LATE_H
#define RELINKTRACE_LATE_H

#include "preserve.h"

/* Gives the files of preserve->unsynced that have none their names, each of which is in the
 * journal on the disk before, and leaves none of them. What cannot have one has failed. 0;
 * -ENOMEM; -EINTR; -errno of the journal, which was logged. */
int late_name(struct preserve *preserve);

#endif

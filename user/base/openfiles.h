/* SPDX-License-Identifier: GPL-2.0-only */
/* How many files this process may have open: a checkpoint and a restore have two for each
 * of many orphans. */
#ifndef RELINKTRACE_OPENFILES_H
#define RELINKTRACE_OPENFILES_H

#include <stddef.h>

/* Raises RLIMIT_NOFILE to what it may be. A program that is executed is to have it as it
 * was (select(2) has trouble above 1024): openfiles_reset(). */
void openfiles_raise(void);

/* Puts the limit back as it was before openfiles_raise(), for a program that has fds below
 * @used: where these leave no room, so many more are allowed as were before. Files that are
 * open stay so. */
void openfiles_reset(size_t used);

/* How many more can be opened now. */
size_t openfiles_room(void);

#endif

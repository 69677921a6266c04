/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is sent the signals of an orphan's descriptions. */
#ifndef RELINKTRACE_OWNED_H
#define RELINKTRACE_OWNED_H

#include "manifest/fileowner.h"
#include "orphan/orphan.h"
#include "proc/theirfd.h"

/* Adds to @out whom the fds that hold @orphan name by F_SETOWN, with F_SETSIG and O_ASYNC;
 * a description that several fds share once. @their is kept for the next orphan. What
 * cannot be asked (fcntl(2) answers only whoever has the description) has none. 0 or
 * -ENOMEM. */
int owned_read(const struct orphan *orphan, struct theirfd *their,
	       struct fileowners *out);

/* Whether @owner is of the description that @holder, one of @orphan, had. */
bool owned_is_of(const struct orphan *orphan, const struct fileowner *owner,
		 const struct holder *holder);

#endif

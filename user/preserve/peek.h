/* SPDX-License-Identifier: GPL-2.0-only */
/* Getting at what is in flight over a Unix socket: a look at the messages that leaves them
 * there (MSG_PEEK, unix(7)). */
#ifndef RELINKTRACE_PEEK_H
#define RELINKTRACE_PEEK_H

#include "source.h"

/* Opens @orphan, which waits in the socket that is fd holder->fd of @holder (kind flight),
 * or in a socket that waits there itself. Nothing is received; the look goes past the
 * first message with files only where the holder is @frozen, because the place from which
 * others peek (SO_PEEK_OFF) is moved for that, and put back. 0; -ESRCH the holder is gone;
 * -ESTALE it is not in there (any more); -EAGAIN behind other messages, and not @frozen;
 * -errno; and the reason in @why. */
int peek_open(const struct orphan *orphan, const struct holder *holder, bool frozen,
	      struct source *out, char **why);

#endif

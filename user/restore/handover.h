/* SPDX-License-Identifier: GPL-2.0-only */
/* Open descriptions handed over a Unix socket (unix(7), SCM_RIGHTS). docs/handover.md
 * describes what goes over it. */
#ifndef RELINKTRACE_HANDOVER_H
#define RELINKTRACE_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "restore.h"

struct handover {
	int fd;	    /* listening; owned; -1 unset */
	char *path; /* owned */
	dev_t dev;  /* of the socket's inode */
	ino_t ino;
};

#define HANDOVER_INIT                                                                    \
	{                                                                                \
		.fd = -1                                                                 \
	}

/* Nothing below waits beyond @until (CLOCK_MONOTONIC; NULL: as long as it takes); -ETIMEDOUT
 * then. */

/* Listens on a new Unix socket (SOCK_SEQPACKET, mode 0600) at @path. 0; -EEXIST; -errno;
 * and the reason in @why. */
int handover_listen(struct handover *handover, const char *path, char **why);

/* Waits for somebody of our own user; others are sent away, which is logged. The
 * connection, owned by the caller; -EINTR when interrupt_pending(); -errno. */
int handover_accept(const struct handover *handover, const struct timespec *until);

/* Sends all of @restore to @client and waits for the word that they are taken. 0;
 * -ECONNRESET the client left without it; -EPROTO it said something else; -EINTR;
 * -errno. */
int handover_send(int client, const struct restore *restore,
		  const struct timespec *until);

/* Tells @client that the names are gone, or where @kept that they stay. */
void handover_confirm(int client, bool kept, const struct timespec *until);

/* Closes, and removes the socket where it is still ours; for AUTO(). */
void handover_fini(struct handover *handover);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The files of a manifest, for whoever connects: one client after the other. */
#ifndef RELINKTRACE_SERVER_H
#define RELINKTRACE_SERVER_H

#include "handover.h"

struct server {
	const struct manifest *manifest; /* not owned; outlives the server */
	pid_t holder;			 /* only what it held; 0: everything */
	bool keep;			 /* the names stay, for another client */
	struct handover handover;
	struct restore restore; /* for the next client; not open: its manifest is NULL */
};

#define SERVER_INIT                                                                      \
	{                                                                                \
		.handover = HANDOVER_INIT, .restore = RESTORE_INIT                       \
	}

/* Opens what @server is to hand out, and listens on a new socket at @path. manifest, holder
 * and keep are set. 0; -errno, as restore_open_files() and handover_listen() do; and the
 * reason in @why. */
int server_begin(struct server *server, const char *path, char **why);

/* Waits for the next client, until @until (CLOCK_MONOTONIC; NULL: as long as it takes), and
 * for its word that it has taken all; the names go then, unless they are kept: *@left of them
 * could not go. 0; -EAGAIN the client has not taken them, which is logged, and the names stay
 * for the next one; -ETIMEDOUT nobody came; -EINTR; -errno, and the reason in @why. */
int server_next(struct server *server, const struct timespec *until, size_t *left,
		char **why);

/* Closes, and removes the socket; for AUTO(). */
void server_fini(struct server *server);

#endif

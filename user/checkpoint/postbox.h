/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages from a worker to the process that waits for it no longer than it wants to. */
#ifndef RELINKTRACE_POSTBOX_H
#define RELINKTRACE_POSTBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct postbox {
	int fd;	    /* a stream socket; owned */
	char *data; /* owned; what came and was not taken yet */
	size_t len, size, taken;
};

#define POSTBOX_INIT                                                                     \
	{                                                                                \
		.fd = -1                                                                 \
	}

struct message {
	char kind;
	uint32_t len;
	const char *text; /* of the postbox, until the next call */
};

/* Closes and frees what @box owns; for AUTO(). */
void postbox_fini(struct postbox *box);

/* Forks a child that ends when we do (abandon_fork()), with a socket between: *@theirs is its
 * end, in the child and owned by it; ours is that of @box, in the parent. 0 in the child; its
 * process id; -errno. */
pid_t postbox_fork(struct postbox *box, int *theirs);

/* Sends a message of @kind with the @len bytes at @text. 0 or -errno. */
int postbox_send(int fd, char kind, const void *text, size_t len);

/* Waits for a message until @until (CLOCK_MONOTONIC). 0; -ETIMEDOUT; -EINTR a signal came;
 * -EPIPE there is nobody any more who could send one; -errno. */
int postbox_take(struct postbox *box, const struct timespec *until, struct message *out);

#endif

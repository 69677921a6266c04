/* SPDX-License-Identifier: GPL-2.0-only */
/* A criu(8) that was started before it is needed, and waits for its request: what it takes to
 * begin is not taken from the time that a program is frozen. */
#ifndef RELINKTRACE_CRIU_WORKER_H
#define RELINKTRACE_CRIU_WORKER_H

#include <sys/types.h>

#include "rpc.h"

struct criu_worker {
	pid_t pid; /* -1: there is none */
	int fd;	   /* owned: the way to it */
};

#define CRIU_WORKER_INIT                                                                 \
	{                                                                                \
		.pid = -1, .fd = -1                                                      \
	}

/* Executes $CRIU, or criu of $PATH, as `criu swrk FD`. 0 or -errno. */
int criu_worker_start(struct criu_worker *out);

/* Has it dump by the options @opts, and waits until it has. What fds they name are this
 * process's, or were when the worker was started by another. 0; -EAGAIN it could not be
 * asked, and has done nothing; -ECANCELED it failed; -EOPNOTSUPP for
 * that an option is missing, see criu_wants_option(); -errno; and the reason in @why. */
int criu_worker_dump(struct criu_worker *worker, const struct criu_rpc *opts, char **why);

/* Ends one that has no request, waits for one that had; for AUTO(). */
void criu_worker_fini(struct criu_worker *worker);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a FIFO: read without taking it out, and put into another one. */
#ifndef RELINKTRACE_FIFO_H
#define RELINKTRACE_FIFO_H

#include "manifest/manifest.h"

/* Copies what is in the FIFO behind O_PATH fd @fd, and its capacity, to @out (owned by the
 * caller): tee(2) leaves every byte where it is. Nothing, with its capacity, where nobody
 * but O_PATH fds holds it: a pipe is only as long as it is open. While its programs run it
 * may be out of date at once. *@packets is set where somebody wrote
 * it in packets (O_DIRECT, pipe(2)), of which @out has the bytes alone. 0 or -errno. */
int fifo_read(int fd, struct manifest_pipe *out, bool *packets);

/* Opens the FIFO behind O_PATH fd @fd, sets its capacity and puts what @pipe has into it,
 * unless there is something in it already: then it is the old one, that its programs still
 * hold. The fd, owned by the caller, keeps it there until the program's own are open;
 * -errno. */
int fifo_write(int fd, const struct manifest_pipe *pipe);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/log.h"
#include "proc/ownfd.h"

/* Without waiting for the other end (fifo(7)). */
static int fifo_open(int fd, int flags)
{
	return ownfd_open(fd, flags | O_NONBLOCK);
}

/* Everything that is in pipe @fd, taken out of it. A read ends with a packet (fs/pipe.c,
 * pipe_read). */
static int drain(int fd, size_t size, struct manifest_pipe *out, bool *packets)
{
	AUTO_FREE char *data = malloc(size + 1);
	size_t got = 0;

	if (!data)
		return -ENOMEM;
	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);

		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		got += n;
		*packets |= got < size;
	}
	out->data = TAKE_PTR(data);
	out->size = size;
	return 0;
}

/* As many slots for pipe @fd as one of @capacity has, or as many as we may have (pipe(7)):
 * names are made without CAP_SYS_RESOURCE. 0 or -errno. */
static int room_make(int fd, int capacity)
{
	while (fcntl(fd, F_SETPIPE_SZ, capacity) < 0) {
		if (errno != EPERM || capacity <= PIPE_BUF)
			return -errno;
		capacity /= 2;
	}
	return 0;
}

int fifo_read(int fd, struct manifest_pipe *out, bool *packets)
{
	AUTO_FD source = fifo_open(fd, O_RDONLY), in = -1, end = -1;
	struct manifest_pipe pipe = {.known = true};
	int ends[2], capacity, unread, ret;
	ssize_t size;

	if (source < 0)
		return source;
	capacity = fcntl(source, F_GETPIPE_SZ);
	if (capacity < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	end = ends[0];
	in = ends[1];
	/* As many slots as there, so that one call sees all: it begins at the front each
	 * time. */
	ret = room_make(in, capacity);
	if (ret)
		return ret;
	size = tee(source, in, MANIFEST_MAX_PIPE, SPLICE_F_NONBLOCK);
	if (size < 0 && errno == EAGAIN)
		size = 0;
	if (size < 0)
		return -errno;
	/* What came meanwhile does not matter where there was room for all. */
	if (size == MANIFEST_MAX_PIPE ||
	    (fcntl(in, F_GETPIPE_SZ) < capacity &&
	     (ioctl(source, FIONREAD, &unread) || unread > size)))
		return -EFBIG;
	pipe.capacity = capacity;
	ret = drain(end, size, &pipe, packets);
	if (!ret)
		*out = pipe;
	return ret;
}

static void set_capacity(int fd, const struct manifest_pipe *pipe)
{
	int ret, room = fcntl(fd, F_GETPIPE_SZ);

	if (room == (int)pipe->capacity)
		return;
	ret = room_make(fd, pipe->capacity);
	room = fcntl(fd, F_GETPIPE_SZ);
	if (ret || room < (int)pipe->capacity)
		log_warning("a FIFO that had room for %u bytes has room for %d%s%s%s",
			    pipe->capacity, room, ret ? ": " : "",
			    ret ? strerror(-ret) : "",
			    caps_refused(ret ?: -EPERM, CAPS_LIMITS));
}

int fifo_write(int fd, const struct manifest_pipe *pipe)
{
	AUTO_FD opened = fifo_open(fd, O_RDWR);
	int unread;

	if (opened < 0)
		return TAKE_FD(opened);
	if (ioctl(opened, FIONREAD, &unread))
		return -errno;
	if (unread)
		return TAKE_FD(opened);
	set_capacity(opened, pipe);
	for (size_t done = 0; done < pipe->size;) {
		ssize_t n = write(opened, pipe->data + done, pipe->size - done);

		if (n < 0)
			return errno == EAGAIN ? -ENOSPC : -errno;
		done += n;
	}
	return TAKE_FD(opened);
}

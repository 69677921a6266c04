/* SPDX-License-Identifier: GPL-2.0-only */
#include "peek.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/why.h"
#include "proc/theirfd.h"

/* Messages of one queue, as in bpf/flight.h; sockets in sockets. */
#define MAX_MESSAGES 4096
#define MAX_DEPTH    4

/* A stream's bytes in front of the files; the default of net.core.wmem_default is less. */
#define DATA_BYTES (256U << 10)

/* SCM_MAX_FD files (include/net/scm.h), and what else may come: credentials, a security
 * label, a pidfd. */
#define CONTROL_BYTES (CMSG_SPACE(253 * sizeof(int)) + 4096)

/* include/linux/socket.h, since 6.5 (5e2ff6704a27): a file too, of the sender. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

struct look {
	const struct orphan *orphan;
	const struct holder *holder;
	bool frozen;
	bool cut;   /* a message had more files than we may open */
	char *data; /* for bytes that nobody reads */
	struct source *out;
};

static int get_option(int socket, int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(socket, SOL_SOCKET, option, &value, &len) ? -errno : value;
}

static int look_into(struct look *look, int socket, int depth);

/* Whether @fd, which came with a message, is it, or is a socket that it waits in. 0;
 * -ENOENT; -errno. */
static int look_at(struct look *look, int fd, int depth)
{
	int ret = source_from_fd(look->orphan, look->holder, fd, look->out);

	if (!ret || ret == -ENOMEM)
		return ret;
	if (depth < MAX_DEPTH && get_option(fd, SO_DOMAIN) == AF_UNIX)
		return look_into(look, fd, depth + 1);
	return -ENOENT;
}

/* Looks at every file of the message and closes all. */
static int look_at_files(struct look *look, struct msghdr *message, int depth)
{
	int found = -ENOENT;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (part->cmsg_level != SOL_SOCKET ||
		    (part->cmsg_type != SCM_RIGHTS && part->cmsg_type != SCM_PIDFD))
			continue;
		for (size_t i = 0; i < n; i++) {
			AUTO_FD fd = -1;

			memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
			if (found == -ENOENT && part->cmsg_type == SCM_RIGHTS)
				found = look_at(look, fd, depth);
		}
	}
	return found;
}

/* Peeks once. The bytes that were there; -EAGAIN none; *@found is look_at_files()'s. */
static ssize_t peek(struct look *look, int socket, int depth, int *found)
{
	_Alignas(struct cmsghdr) char control[CONTROL_BYTES];
	struct iovec vector = {look->data, DATA_BYTES};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(socket, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	if (message.msg_flags & MSG_CTRUNC)
		look->cut = true;
	*found = look_at_files(look, &message, depth);
	return n;
}

/* One after the other, by SO_PEEK_OFF (socket(7)). */
static int look_through(struct look *look, int socket, int depth, bool is_stream)
{
	int found = -ENOENT, zero = 0;

	if (setsockopt(socket, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)))
		return -errno;
	for (int i = 0; i < MAX_MESSAGES && found == -ENOENT; i++) {
		ssize_t n = peek(look, socket, depth, &found);

		/* 0 is the end of a stream, and elsewhere a message without bytes. */
		if (n < 0 || (!n && is_stream))
			break;
	}
	return found;
}

/* 0 when it was found in the queue of @socket; -ENOENT; -EAGAIN there are more messages
 * than one look shows; -errno. */
static int look_into(struct look *look, int socket, int depth)
{
	int place = get_option(socket, SO_PEEK_OFF), found = -ENOENT, ret;
	bool is_stream = get_option(socket, SO_TYPE) == SOCK_STREAM;

	/* A place of the program's own would be moved by our look. */
	if (place < 0 && peek(look, socket, depth, &found) == -EAGAIN)
		return -ENOENT;
	if (found != -ENOENT)
		return found;
	if (!look->frozen)
		return -EAGAIN;
	ret = look_through(look, socket, depth, is_stream);
	if (setsockopt(socket, SOL_SOCKET, SO_PEEK_OFF, &place, sizeof(place)))
		return -errno;
	return ret;
}

static int explain(const struct look *look, int ret, char **why)
{
	pid_t pid = look->holder->pid;
	int fd = look->holder->fd;

	if (ret == -EAGAIN)
		return why_set(why, ret,
			       "process %d: behind other messages in socket %d: --freeze "
			       "lets them be looked through",
			       pid, fd);
	if (ret == -ENOENT && look->cut)
		return why_set(why, -EMFILE,
			       "process %d: a message in socket %d has more files than "
			       "can be opened: raise the limit of open files",
			       pid, fd);
	if (ret == -ENOENT)
		return why_set(why, -ESTALE,
			       "process %d: no message in socket %d that can be looked "
			       "at has it",
			       pid, fd);
	return why_set(why, ret, "process %d: socket %d: %s", pid, fd, strerror(-ret));
}

int peek_open(const struct orphan *orphan, const struct holder *holder, bool frozen,
	      struct source *out, char **why)
{
	AUTO(theirfd_fini) struct theirfd their = THEIRFD_INIT;
	AUTO_FD socket = theirfd_get(&their, holder->pid, holder->tid, holder->start_time,
				     holder->fd);
	AUTO_FREE char *data = malloc(DATA_BYTES);
	struct look look = {.orphan = orphan,
			    .holder = holder,
			    .frozen = frozen,
			    .data = data,
			    .out = out};
	int ret = socket < 0 ? socket : 0;

	if (!data)
		return -ENOMEM;
	if (!ret && get_option(socket, SO_DOMAIN) != AF_UNIX)
		ret = -ESTALE;
	ret = ret ?: look_into(&look, socket, 0);
	return ret ? explain(&look, ret, why) : 0;
}

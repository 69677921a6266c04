/* SPDX-License-Identifier: GPL-2.0-only */
/* Situations of hold.c in which no fd leads to the file: it is in flight over a Unix
 * socket, or registered with an io_uring. */
#ifndef RELINKTRACE_TEST_HOLD_KERNEL_H
#define RELINKTRACE_TEST_HOLD_KERNEL_H

#include <linux/io_uring.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "hold.h"

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

/* One message: the byte @byte, and @fd beside it. */
static inline void message_send(int socket, char byte, int fd)
{
	union control control = {.header = {.cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec vector = {&byte, 1};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket, &message, 0) != 1)
		die("sendmsg");
}

/* Receives the message that must be @byte; the fd that came with it. */
static inline int message_receive(int socket, char byte)
{
	union control control;
	char got;
	struct iovec vector = {&got, 1};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	int fd;

	if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		die("recvmsg");
	if (got != byte || message.msg_controllen < sizeof(control.header) ||
	    control.header.cmsg_type != SCM_RIGHTS) {
		errno = EBADMSG;
		die("message %c was %c", byte, got);
	}
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

static inline void pair_make(int type, int sockets[2])
{
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets))
		die("socketpair");
}

/* A connection that nobody has accepted: @sockets are the listening and the connected
 * one. */
static inline void backlog_make(const struct hold *hold, int sockets[2])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "hold-%d", getpid());
	(void)hold;
	sockets[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sockets[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sockets[0] < 0 || sockets[1] < 0 ||
	    bind(sockets[0], (void *)&address, sizeof(address)) ||
	    listen(sockets[0], 1) ||
	    connect(sockets[1], (void *)&address, sizeof(address)))
		die("connect");
}

/* What `receive` has to undo. */
static struct {
	const char *shape;
	int socket; /* where the message waits, or the socket does that it waits in */
	int place;  /* SO_PEEK_OFF of it, -1 none */
} flight = {.place = -1};

/* Whoever looked into the socket must have put the place back from which others peek. */
static inline void place_check(void)
{
	socklen_t len = sizeof(int);
	int place;

	if (getsockopt(flight.socket, SOL_SOCKET, SO_PEEK_OFF, &place, &len))
		die("SO_PEEK_OFF");
	if (place != flight.place) {
		errno = EBADMSG;
		die("SO_PEEK_OFF is %d and was %d", place, flight.place);
	}
}

/* In a message that nobody has received, so that no fd leads to it: DIR [SHAPE], which is
 * stream, dgram, seqpacket; third (behind two other messages, in a socket that is
 * peeked from the second byte on); backlog (in a connection
 * that is not accepted); nested (in a socket that is in flight itself). */
static inline void make_in_flight(struct hold *hold)
{
	int sockets[2], outer[2], fd = file_make(hold, "in-flight", SMALL, O_RDWR);
	int type = SOCK_STREAM;

	seek(fd, 77);
	flight.shape = arg_or(hold, 0, "stream");
	if (!strcmp(flight.shape, "dgram"))
		type = SOCK_DGRAM;
	if (!strcmp(flight.shape, "seqpacket"))
		type = SOCK_SEQPACKET;
	if (!strcmp(flight.shape, "backlog")) {
		backlog_make(hold, sockets);
		message_send(sockets[1], 'm', fd);
		flight.socket = sockets[0];
	} else {
		pair_make(type, sockets);
		if (!strcmp(flight.shape, "third"))
			for (char byte = '1'; byte < '3'; byte++)
				message_send(sockets[0], byte, STDERR_FILENO);
		message_send(sockets[0], 'm', fd);
		flight.socket = sockets[1];
	}
	if (!strcmp(flight.shape, "nested")) {
		pair_make(SOCK_STREAM, outer);
		message_send(outer[0], 'o', sockets[1]);
		close(sockets[1]);
		flight.socket = outer[1];
	}
	if (!strcmp(flight.shape, "third")) {
		flight.place = 1;
		if (setsockopt(flight.socket, SOL_SOCKET, SO_PEEK_OFF, &flight.place,
			       sizeof(flight.place)))
			die("SO_PEEK_OFF");
	}
	tell(hold, " socket=%d", flight.socket);
	close(fd);
	unlink_or_die(hold, "in-flight");
}

/* Receives it, and looks whether every message is as it was sent; the fd. */
static inline int flight_receive(void)
{
	place_check();
	if (!strcmp(flight.shape, "backlog"))
		flight.socket = accept(flight.socket, NULL, NULL);
	else if (!strcmp(flight.shape, "nested"))
		flight.socket = message_receive(flight.socket, 'o');
	else if (!strcmp(flight.shape, "third"))
		for (char byte = '1'; byte < '3'; byte++)
			close(message_receive(flight.socket, byte));
	return message_receive(flight.socket, 'm');
}

/* Registered with an io_uring, and its fd closed. */
static inline void make_uring(struct hold *hold)
{
	struct io_uring_params params = {0};
	int fd = file_make(hold, "uring", SMALL, O_RDWR);
	int ring = syscall(SYS_io_uring_setup, 4, &params);

	if (ring < 0 ||
	    syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) < 0)
		die("io_uring");
	seek(fd, 78);
	tell(hold, " ring=%d", ring);
	close(fd);
	unlink_or_die(hold, "uring");
}

/* Signals: of a FIFO and of a lease to itself, of another FIFO to its parent. */
static inline void make_owned(struct hold *hold)
{
	struct f_owner_ex self = {F_OWNER_PID, getpid()},
			  parent = {F_OWNER_PID, getppid()};
	int other, leased;

	if (mkfifo(in_dir(hold, "one"), 0600) || mkfifo(in_dir(hold, "two"), 0600))
		die("mkfifo");
	hold->fd = open_or_die(in_dir(hold, "one"), O_RDWR | O_NONBLOCK);
	other = open_or_die(in_dir(hold, "two"), O_RDWR | O_NONBLOCK);
	close(file_make(hold, "leased", SMALL, O_WRONLY));
	leased = open_or_die(in_dir(hold, "leased"), O_RDONLY);
	if (fcntl(hold->fd, F_SETOWN_EX, &self) || fcntl(hold->fd, F_SETSIG, 40) ||
	    fcntl(hold->fd, F_SETFL, O_NONBLOCK | O_ASYNC) ||
	    fcntl(other, F_SETOWN_EX, &parent) || fcntl(leased, F_SETLEASE, F_RDLCK) ||
	    fcntl(leased, F_SETSIG, 41))
		die("fcntl");
	unlink_or_die(hold, "one");
	unlink_or_die(hold, "two");
	unlink_or_die(hold, "leased");
	tell(hold, " other=%d leased=%d parent=%d", other, leased, getppid());
}

#endif

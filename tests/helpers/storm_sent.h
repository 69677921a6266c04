/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of the random workload (storm.c) whose holdings no file of /proc tells:
 * messages of a Unix socket, and files registered with an io_uring. They are written into
 * the ledger. All files in it have lost the name that they were opened by for good, at the
 * latest when the entry is sure. */
#ifndef RELINKTRACE_TEST_STORM_SENT_H
#define RELINKTRACE_TEST_STORM_SENT_H

#include <linux/io_uring.h>
#include <sys/socket.h>

#include "storm.h"

static struct ledger *ledger;

/* Of all files that the ledger has. */
static dev_t dir_dev;

static inline dev_t dev_of_fd(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return st.st_dev;
}

static inline uint64_t ino_of(int fd)
{
	struct stat stat;

	if (fstat(fd, &stat))
		die("fstat");
	return stat.st_ino;
}

/* How a file loses its name for good, and when: before it is sent or after that. */
enum loss { NEVER_NAMED, BEFORE, AFTER, RENAMED_OVER, LINKED, LOSSES };

static inline int lost_open(enum loss loss, const char *name)
{
	int fd = loss == NEVER_NAMED ? open_name(".", O_TMPFILE | O_RDWR | O_EXCL)
				     : open_name(name, O_RDWR | O_CREAT);

	if (fd < 0 && loss == NEVER_NAMED) /* not on this filesystem */
		return -1;
	if (fd < 0)
		die("make %s", name);
	if (loss == BEFORE)
		unlink_or_die(name, 0);
	if (loss == RENAMED_OVER) {
		close(open_name(path_of("%s-over", name), O_WRONLY | O_CREAT));
		if (renameat(DIR_FD, path_of("%s-over", name), DIR_FD, name))
			die("rename over %s", name);
		unlink_or_die(name, 0);
	}
	if (loss == LINKED) {
		if (linkat(DIR_FD, name, DIR_FD, path_of("%s-link", name), 0))
			die("link %s", name);
		unlink_or_die(name, 0);
	}
	return fd;
}

static inline void lost_end(enum loss loss, const char *name)
{
	if (loss == AFTER)
		unlink_or_die(name, 0);
	if (loss == LINKED)
		unlink_or_die(path_of("%s-link", name), 0);
}

static inline void pair_open(void)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, me->pair))
		die("socketpair");
	me->sent = ledger_socket(ledger, ino_of(me->pair[1]));
	ledger_begin(me->sent);
	me->sent->socket = ino_of(me->pair[1]);
	me->sent->n = 0;
	memset(me->sent->inos, 0, sizeof(me->sent->inos));
	ledger_end(me->sent);
}

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static inline struct msghdr message_with(struct iovec *byte, union control *control)
{
	return (struct msghdr){.msg_iov = byte,
			       .msg_iovlen = 1,
			       .msg_control = control->room,
			       .msg_controllen = sizeof(control->room)};
}

static inline void do_send(void)
{
	union control control = {.header = {.cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec byte = {"", 1};
	struct msghdr message = message_with(&byte, &control);
	const char *name = own_name("sent");
	enum loss loss = draw(LOSSES);
	int fd;

	if (me->is_alien)
		return;
	if (me->pair[0] < 0)
		pair_open();
	if (me->sent->n == LEDGER_FILES)
		return;
	fd = lost_open(loss, name);
	if (fd < 0)
		return;
	/* Another thread of the process may have mounted something there meanwhile. */
	if (dev_of_fd(fd) != dir_dev) {
		lost_end(loss, name);
		close(fd);
		return;
	}
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ledger_begin(me->sent);
	me->sent->inos[me->sent->n] = ino_of(fd);
	if (sendmsg(me->pair[0], &message, 0) == 1)
		me->sent->n++;
	lost_end(loss, name);
	close(fd);
	ledger_end(me->sent);
}

/* Received, looked at, or read without what came with it, which closes that. */
static inline void do_receive(void)
{
	union control control = {};
	char read;
	struct iovec byte = {&read, 1};
	struct msghdr message = message_with(&byte, &control);
	bool peek = draw(4) == 0;
	int fd;

	if (me->pair[0] < 0)
		return;
	if (!peek && draw(4) == 0)
		message.msg_controllen = 0;
	ledger_begin(me->sent);
	if (recvmsg(me->pair[1], &message, MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0)) ==
	    1) {
		if (message.msg_controllen) {
			memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
			keep(fd);
		}
		if (!peek) {
			me->sent->n--;
			memmove(me->sent->inos, me->sent->inos + 1,
				me->sent->n * sizeof(me->sent->inos[0]));
		}
	}
	ledger_end(me->sent);
}

/* Children may still have it, and then what waits in it is as it was: the entry stays. */
static inline void do_pair_close(void)
{
	if (me->pair[0] < 0)
		return;
	close(me->pair[0]);
	close(me->pair[1]);
	me->pair[0] = me->pair[1] = -1;
}

static inline int ring_register(int op, const int *fds, unsigned int n)
{
	int ret;

	/* To be frozen interrupts it. */
	do
		ret = syscall(SYS_io_uring_register, RING_FD + me->ring, op, fds, n);
	while (ret < 0 && errno == EINTR);
	return ret;
}

/* All that is registered goes, and a few others come. */
static inline void do_ring(void)
{
	struct ledger_entry *entry;
	unsigned int wanted = draw(4), n = 0;
	int fds[4];

	if (me->ring < 0)
		return;
	entry = &ledger->rings[me->ring];
	ledger_begin(entry);
	if (entry->n && ring_register(IORING_UNREGISTER_FILES, NULL, 0))
		die("unregister");
	entry->n = 0;
	for (; n < wanted; n++) {
		fds[n] = lost_open(BEFORE, own_name("ring"));
		entry->inos[LEDGER_FILES - 1 - n] = ino_of(fds[n]);
	}
	if (n && !ring_register(IORING_REGISTER_FILES, fds, n)) {
		memcpy(entry->inos, entry->inos + LEDGER_FILES - n,
		       n * sizeof(entry->inos[0]));
		entry->n = n;
	}
	while (n)
		close(fds[--n]);
	ledger_end(entry);
}

#endif

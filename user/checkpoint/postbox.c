/* SPDX-License-Identifier: GPL-2.0-only */
#include "postbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/abandon.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/list.h"

/* What comes before the text. */
struct head {
	uint32_t len;
	char kind;
};

/* Read at a time. */
#define PIECE 65536

void postbox_fini(struct postbox *box)
{
	auto_close(&box->fd);
	free(box->data);
	*box = (struct postbox)POSTBOX_INIT;
}

pid_t postbox_fork(struct postbox *box, int *theirs)
{
	AUTO_FD our_end = -1, their_end = -1;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	our_end = ends[0];
	their_end = ends[1];
	pid = abandon_fork(SIGKILL);
	if (!pid)
		*theirs = TAKE_FD(their_end);
	else if (pid > 0)
		box->fd = TAKE_FD(our_end);
	return pid;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : n;
	}
	return 0;
}

int postbox_send(int fd, char kind, const void *text, size_t len)
{
	struct head head;
	int ret;

	if (len > UINT32_MAX)
		return -EMSGSIZE;
	memset(&head, 0, sizeof(head));
	head.len = len;
	head.kind = kind;
	ret = send_all(fd, (const char *)&head, sizeof(head));
	return ret ?: send_all(fd, text, len);
}

/* Gives back the room of what was taken. */
static void settle(struct postbox *box)
{
	if (!box->taken)
		return;
	box->len -= box->taken;
	memmove(box->data, box->data + box->taken, box->len);
	box->taken = 0;
}

/* Some more bytes. */
static int receive(struct postbox *box, const struct timespec *until)
{
	struct pollfd polled = {.fd = box->fd, .events = POLLIN};
	int n = poll(&polled, 1, interrupt_ms_to(until));
	ssize_t got;

	if (n <= 0)
		return n ? -errno : -ETIMEDOUT;
	if (list_reserve(&box->data, &box->size, PIECE, box->len + PIECE))
		return -ENOMEM;
	got = recv(box->fd, box->data + box->len, PIECE, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!got)
		return -EPIPE;
	box->len += got;
	return 0;
}

int postbox_take(struct postbox *box, const struct timespec *until, struct message *out)
{
	struct head head;

	settle(box);
	for (;;) {
		int ret;

		if (box->len >= sizeof(head)) {
			memcpy(&head, box->data, sizeof(head));
			if (box->len - sizeof(head) >= head.len)
				break;
		}
		ret = receive(box, until);
		if (ret)
			return ret;
	}
	box->taken = sizeof(head) + head.len;
	*out = (struct message){
		.kind = head.kind, .len = head.len, .text = box->data + sizeof(head)};
	return 0;
}

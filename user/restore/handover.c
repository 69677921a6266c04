/* SPDX-License-Identifier: GPL-2.0-only */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/why.h"

/* What the client says. */
#define TAKEN "taken"

/* SCM_MAX_FD, include/net/scm.h. */
#define BATCH_FDS 253

/* Bytes of descriptions in a message, and a last one whatever its path: far below the
 * smallest default of net.core.wmem_default, which a message has to fit. */
#define BATCH_BYTES 65536

int handover_listen(struct handover *handover, const char *path, char **why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return why_set(why, -ENAMETOOLONG,
			       "%s: the path of a socket has at most %zu bytes", path,
			       sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	handover->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (handover->fd < 0)
		return why_set(why, -errno, "cannot make a socket: %s", strerror(errno));
	/* The mode that the socket has is the one that its name gets (net/unix/af_unix.c,
	 * unix_bind): umask(2) would be all threads'. */
	ret = fchmod(handover->fd, 0600) ||
			      bind(handover->fd, (struct sockaddr *)&address,
				   sizeof(address))
		      ? -errno
		      : 0;
	if (ret)
		return why_set(why, ret == -EADDRINUSE ? -EEXIST : ret,
			       "cannot make %s: %s", path,
			       strerror(ret == -EADDRINUSE ? EEXIST : -ret));
	handover->path = strdup(path);
	if (!handover->path || lstat(path, &st) || listen(handover->fd, 8))
		return why_set(why, -errno, "cannot listen on %s: %s", path,
			       strerror(errno));
	handover->dev = st.st_dev;
	handover->ino = st.st_ino;
	return 0;
}

void handover_fini(struct handover *handover)
{
	struct stat st;

	auto_close(&handover->fd);
	if (handover->path && !lstat(handover->path, &st) && st.st_dev == handover->dev &&
	    st.st_ino == handover->ino)
		unlink(handover->path);
	free(handover->path);
	*handover = (struct handover)HANDOVER_INIT;
}

/* Whether @client is of our own user. */
static bool is_ours(int client)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	if (peer.uid == geteuid())
		return true;
	log_warning("process %d of user %u was sent away: the files are for user %u",
		    peer.pid, peer.uid, geteuid());
	return false;
}

/* Waits for @events of @fd. 0; -ETIMEDOUT @until (NULL: it is the call that waits); -errno. */
static int await(int fd, short events, const struct timespec *until)
{
	struct pollfd polled = {.fd = fd, .events = events};
	int n = 1;

	if (until)
		do
			n = poll(&polled, 1, interrupt_ms_to(until));
		while (n < 0 && errno == EINTR && !interrupt_pending());
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

int handover_accept(const struct handover *handover, const struct timespec *until)
{
	while (!interrupt_pending()) {
		AUTO_FD client = -1;
		int ret = await(handover->fd, POLLIN, until);

		if (ret)
			return ret;
		client = accept4(handover->fd, NULL, NULL, SOCK_CLOEXEC);

		if (client >= 0 && is_ours(client))
			return TAKE_FD(client);
		if (client < 0 && errno != EINTR && errno != ECONNABORTED)
			return -errno;
	}
	return -EINTR;
}

/* One description; NULL when memory is out. */
static json_t *from_file(const struct restore_file *file, int fd)
{
	const struct orphan *orphan = &file->entry->orphan;
	const struct holder *holder = file->holder;
	json_t *object = json_object();
	int ret = json_set(object, "n", json_integer(file->entry->n));

	ret = ret ?: json_set_bytes(object, "path", orphan->path);
	ret = ret
		      ?: json_set(object, "type",
				  json_string(orphan_type_name(orphan->mode)));
	ret = ret ?: json_set(object, "flags", json_integer(fcntl(fd, F_GETFL)));
	ret = ret ?: json_set(object, "pos", json_integer(holder ? holder->pos : 0));
	ret = ret
		      ?: json_set(object, "pid",
				  holder ? json_integer(holder->pid) : json_null());
	ret = ret
		      ?: json_set(object, "fd",
				  holder ? json_integer(holder->fd) : json_null());
	ret = ret
		      ?: json_set(object, "ofd",
				  holder && holder->ofd ? json_integer(holder->ofd)
							: json_null());
	if (!ret)
		return object;
	json_decref(object);
	return NULL;
}

/* Sends @text with @n fds. */
static int send_message(int client, const char *text, const int *fds, size_t n,
			const struct timespec *until)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * BATCH_FDS)];
	} control = {0};
	struct iovec bytes = {(char *)text, strlen(text)};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
	ssize_t sent = -1;
	int ret;

	if (n) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n);
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n);
	}
	do {
		ret = await(client, POLLOUT, until);
		if (!ret)
			sent = sendmsg(client, &message,
				       MSG_NOSIGNAL | (until ? MSG_DONTWAIT : 0));
	} while (!ret && sent < 0 && (errno == EINTR || errno == EAGAIN) &&
		 !interrupt_pending());
	return ret ?: sent < 0 ? -errno : 0;
}

/* A message of the descriptions from @first on. How many there are in it; -errno. */
static ssize_t send_batch(int client, const struct restore *restore, size_t first,
			  const struct timespec *until)
{
	json_t *array = json_array();
	json_t *root = json_pack(
		"{s:s,s:s,s:I,s:I,s:o}", "schema", "relinktrace.handover/1", "manifest",
		restore->manifest->id, "total", (json_int_t)restore->plan.n, "first",
		(json_int_t)first, "files", array);
	AUTO_FREE char *text = NULL;
	size_t n = 0, bytes = 0;
	int fds[BATCH_FDS], ret = root ? 0 : -ENOMEM;

	while (!ret && first + n < restore->plan.n && n < BATCH_FDS &&
	       bytes < BATCH_BYTES) {
		int fd = restore->plan.items[first + n].fd;
		json_t *object = from_file(&restore->files[first + n], fd);

		if (!object || json_array_append_new(array, object)) {
			ret = -ENOMEM;
			break;
		}
		bytes += json_dumpb(object, NULL, 0, JSON_COMPACT);
		fds[n++] = fd;
	}
	text = ret ? NULL : json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (!text)
		return -ENOMEM;
	ret = send_message(client, text, fds, n, until);
	return ret ?: (ssize_t)n;
}

/* The client's word. */
static int await_taken(int client, const struct timespec *until)
{
	char word[16];
	ssize_t n;
	int ret = await(client, POLLIN, until);

	if (ret)
		return ret;
	do
		n = recv(client, word, sizeof(word), 0);
	while (n < 0 && errno == EINTR && !interrupt_pending());
	if (n < 0)
		return -errno;
	if (!n)
		return -ECONNRESET;
	return n == strlen(TAKEN) && !memcmp(word, TAKEN, n) ? 0 : -EPROTO;
}

int handover_send(int client, const struct restore *restore, const struct timespec *until)
{
	size_t done = 0;

	/* One at least, so that somebody who is given nothing hears of it. */
	do {
		ssize_t n = send_batch(client, restore, done, until);

		if (n < 0)
			return n == -EPIPE ? -ECONNRESET : n;
		done += n;
	} while (done < restore->plan.n);
	return await_taken(client, until);
}

void handover_confirm(int client, bool kept, const struct timespec *until)
{
	send_message(client, kept ? "{\"names\":\"kept\"}" : "{\"names\":\"removed\"}",
		     NULL, 0, until);
}

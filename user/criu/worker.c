/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/why.h"

extern char **environ;

/* More than an answer has (criu/cr-service.c: one message of some lines). */
#define ANSWER_MOST (64 << 10)

int criu_worker_start(struct criu_worker *out)
{
	const char *program = getenv("CRIU") ?: "criu";
	AUTO_FD ours = -1, its = -1;
	char number[16];
	char *argv[] = {(char *)program, "swrk", number, NULL};
	int ends[2], ret;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	ours = ends[0];
	its = ends[1];
	if (fcntl(its, F_SETFD, 0))
		return -errno;
	snprintf(number, sizeof(number), "%d", its);
	ret = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (ret)
		return -ret;
	out->pid = pid;
	out->fd = TAKE_FD(ours);
	return 0;
}

/* One message has to fit into the buffer as a whole (unix(7)): thousands of files do not fit
 * into what is usual. */
static int send_whole(int fd, const struct criu_rpc *request)
{
	int room = request->len + 4096;

	if (request->len > INT32_MAX / 2)
		return -EMSGSIZE;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	while (send(fd, request->bytes, request->len, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int receive(int fd, struct criu_answer *answer)
{
	AUTO_FREE unsigned char *bytes = malloc(ANSWER_MOST);
	ssize_t len;

	if (!bytes)
		return -ENOMEM;
	do
		len = recv(fd, bytes, ANSWER_MOST, 0);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return len ? criu_rpc_answer(bytes, len, answer) : -EPIPE;
}

int criu_worker_dump(struct criu_worker *worker, const struct criu_rpc *opts, char **why)
{
	AUTO(criu_rpc_fini) struct criu_rpc request = {0};
	struct criu_answer answer = {0};
	AUTO_FREE char *message = NULL;
	int ret = criu_rpc_dump(opts, &request);

	if (worker->fd < 0 || ret || send_whole(worker->fd, &request))
		return -EAGAIN;
	ret = receive(worker->fd, &answer);
	message = answer.message;
	/* It ends now by itself. */
	auto_close(&worker->fd);
	if (ret)
		return why_set(why, ret,
			       "criu ended without an answer; its log tells why");
	if (answer.success)
		return 0;
	return why_set(why, criu_wants_option(message) ? -EOPNOTSUPP : -ECANCELED,
		       "criu failed%s%s; its log tells why", message ? ": " : "",
		       message ?: "");
}

void criu_worker_fini(struct criu_worker *worker)
{
	/* Else it would complain that nobody asked. */
	if (worker->pid > 0 && worker->fd >= 0)
		kill(worker->pid, SIGKILL);
	auto_close(&worker->fd);
	while (worker->pid > 0 && waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	worker->pid = -1;
}

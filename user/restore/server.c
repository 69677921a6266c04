/* SPDX-License-Identifier: GPL-2.0-only */
#include "server.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"

/* For each client anew, as the one before may have moved a position. */
static int open_files(struct server *server, char **why)
{
	int ret;

	if (server->restore.manifest)
		return 0;
	ret = restore_open_files(&server->restore, server->manifest, server->holder, why);
	if (ret)
		restore_fini(&server->restore);
	return ret;
}

int server_begin(struct server *server, const char *path, char **why)
{
	int ret = open_files(server, why);

	return ret ?: handover_listen(&server->handover, path, why);
}

static const char *reason(int ret)
{
	if (ret == -EPROTO)
		return "it said another word";
	return ret == -ETIMEDOUT ? "it took too long" : strerror(-ret);
}

int server_next(struct server *server, const struct timespec *until, size_t *left,
		char **why)
{
	AUTO_FD client = -1;
	int ret = open_files(server, why);

	if (ret)
		return ret;
	client = handover_accept(&server->handover, until);
	if (client == -EINTR || client == -ETIMEDOUT)
		return client;
	if (client < 0)
		return why_set(why, client, "%s: %s", server->handover.path,
			       strerror(-client));
	ret = handover_send(client, &server->restore, until);
	if (!ret && !server->keep)
		*left = restore_unlink_names(&server->restore);
	restore_fini(&server->restore);
	if (interrupt_pending())
		return -EINTR;
	if (ret) {
		log_warning("a client has not taken the files: %s; the names stay",
			    reason(ret));
		return -EAGAIN;
	}
	handover_confirm(client, server->keep, until);
	return 0;
}

void server_fini(struct server *server)
{
	restore_fini(&server->restore);
	handover_fini(&server->handover);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "handle.h"
#include "opened.h"
#include "restore/server.h"

struct relinktrace_listener {
	struct opened opened;
	struct server server;
};

void relinktrace_listener_free(struct relinktrace_listener *listener)
{
	if (!listener)
		return;
	server_fini(&listener->server);
	opened_fini(&listener->opened);
	free(listener);
}

static void listener_release(struct relinktrace_listener **listener)
{
	relinktrace_listener_free(*listener);
}

static int begin(const struct relinktrace_restore *wish, const char *path, int keep,
		 struct relinktrace_listener **out)
{
	AUTO(listener_release)
	struct relinktrace_listener *listener = calloc(1, sizeof(*listener));
	AUTO_FREE char *why = NULL;
	int ret;

	if (!listener)
		return -ENOMEM;
	listener->server = (struct server)SERVER_INIT;
	ret = opened_read(&listener->opened, wish);
	if (ret)
		return ret;
	listener->server.manifest = &listener->opened.manifest;
	listener->server.holder = listener->opened.wish.holder;
	listener->server.keep = keep;
	ret = server_begin(&listener->server, path, &why);
	if (ret) {
		log_error("%s", why_text(why));
		return ret;
	}
	ret = opened_partly(&listener->opened.manifest);
	*out = TAKE_PTR(listener);
	return ret;
}

int relinktrace_listen(struct relinktrace *rt, const struct relinktrace_restore *wish,
		       const char *path, int keep, struct relinktrace_listener **listener)
{
	handle_enter(rt);
	return handle_leave(rt, begin(wish, path, keep, listener));
}

int relinktrace_listener_fd(const struct relinktrace_listener *listener)
{
	return listener->server.handover.fd;
}

static int serve(struct relinktrace_listener *listener, double seconds)
{
	AUTO_FREE char *why = NULL;
	struct timespec until;
	size_t left = 0;
	int ret;

	if (!(seconds >= 0) || seconds > INTERRUPT_SECONDS) {
		log_error("%f seconds to wait", seconds);
		return -EINVAL;
	}
	if (seconds > 0)
		interrupt_time_in(seconds, &until);
	ret = server_next(&listener->server, seconds > 0 ? &until : NULL, &left, &why);
	if (ret && why)
		log_error("%s", why);
	return ret ?: left ? RELINKTRACE_PARTLY : 0;
}

int relinktrace_listener_serve(struct relinktrace *rt,
			       struct relinktrace_listener *listener, double seconds)
{
	handle_enter(rt);
	return handle_leave(rt, serve(listener, seconds));
}

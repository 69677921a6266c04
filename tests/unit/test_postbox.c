/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages: whole whatever the pieces that they come in, and no wait without an end. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "check.h"
#include "checkpoint/postbox.h"

#define LARGE 300000

static void take(struct postbox *box, double seconds, int want, struct message *out)
{
	struct timespec until;

	interrupt_time_in(seconds, &until);
	CHECK_INT(postbox_take(box, &until, out), want);
}

int main(void)
{
	AUTO(postbox_fini) struct postbox box = POSTBOX_INIT;
	AUTO_FREE char *large = calloc(1, LARGE);
	struct message message = {0};
	int ends[2], status;
	pid_t pid;

	MUST(large && !socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	large[LARGE - 1] = 'x';
	box.fd = ends[0];
	take(&box, 0.01, -ETIMEDOUT, &message);
	/* half of a head, and then half of what it tells of */
	MUST(send(ends[1], "\3\0\0", 3, 0) == 3);
	take(&box, 0.01, -ETIMEDOUT, &message);
	MUST(send(ends[1], "\0k\0\0\0ab", 7, 0) == 7);
	take(&box, 0.01, -ETIMEDOUT, &message);
	MUST(send(ends[1], "c", 1, 0) == 1);
	take(&box, 1, 0, &message);
	CHECK(message.kind == 'k' && message.len == 3 && !memcmp(message.text, "abc", 3));
	/* more than a socket takes at once */
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		_exit(postbox_send(ends[1], 'a', large, LARGE) ||
		      postbox_send(ends[1], 'b', "", 0));
	close(ends[1]);
	take(&box, 60, 0, &message);
	CHECK(message.kind == 'a' && message.len == LARGE &&
	      !memcmp(message.text, large, LARGE));
	take(&box, 60, 0, &message);
	CHECK(message.kind == 'b' && !message.len);
	take(&box, 60, -EPIPE, &message);
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	return check_done();
}

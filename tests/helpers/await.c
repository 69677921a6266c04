/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Waits until a key of a cgroup's cgroup.events has a value, so that no test sleeps:
 *
 *   await CGROUP_DIR populated 0
 *   await CGROUP_DIR frozen 1
 *
 * Ends with 1 after a minute. The kernel wakes pollers of that file at every change
 * (Documentation/admin-guide/cgroup-v2.rst).
 */
#include <poll.h>
#include <time.h>

#include "lib.h"

#define PATIENCE_S 60

static int key_is(int fd, const char *key, const char *value)
{
	char text[256], *save = NULL;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		die("read cgroup.events");
	text[n] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!strcmp(line, path_of("%s %s", key, value)))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	time_t deadline = time(NULL) + PATIENCE_S;
	struct pollfd events = {.events = POLLPRI};

	if (argc != 4) {
		fprintf(stderr, "usage: await CGROUP_DIR KEY VALUE\n");
		return 2;
	}
	events.fd = open_or_die(path_of("%s/cgroup.events", argv[1]), O_RDONLY);
	while (!key_is(events.fd, argv[2], argv[3])) {
		if (time(NULL) >= deadline) {
			fprintf(stderr, "await: %s %s is not %s\n", argv[1], argv[2],
				argv[3]);
			return 1;
		}
		if (poll(&events, 1, 1000) < 0)
			die("poll cgroup.events");
	}
	return 0;
}

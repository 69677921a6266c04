/* SPDX-License-Identifier: GPL-2.0-only */
#include "gates.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

#define FREEZE "cgroup.freeze"
#define EVENTS "cgroup.events"

void gates_fini(struct gates *gates)
{
	for (size_t i = 0; i < gates->n_held; i++)
		close(gates->held[i]);
	for (size_t i = 0; i < gates->n; i++)
		close(gates->gates[i].freeze);
	auto_close(&gates->fan);
	*gates = (struct gates)GATES_INIT;
}

/* Watches the cgroup of directory @dir. 0; -ENOENT it cannot be frozen, as the root; -errno. */
static int add(struct gates *gates, int dir)
{
	AUTO_FD freeze = openat(dir, FREEZE, O_RDONLY | O_CLOEXEC);
	struct stat st, events;

	if (freeze < 0 || fstat(freeze, &st) || fstatat(dir, EVENTS, &events, 0))
		return -errno;
	if (gates->n && st.st_dev != gates->dev)
		return -ENOENT;
	if (fanotify_mark(gates->fan, FAN_MARK_ADD, FAN_MODIFY, dir, FREEZE) ||
	    fanotify_mark(gates->fan, FAN_MARK_ADD, FAN_OPEN_PERM, dir, EVENTS))
		return -errno;
	gates->dev = st.st_dev;
	gates->gates[gates->n++] = (struct gate){.freeze = TAKE_FD(freeze),
						 .freeze_ino = st.st_ino,
						 .events_ino = events.st_ino};
	return 0;
}

int gates_open(struct gates *out, const struct cgroup *cg)
{
	AUTO(gates_fini) struct gates gates = GATES_INIT;
	AUTO_FREE char *own = NULL, *path = strdup(cg->path);
	AUTO_FD dir = dup(cg->fd);
	int ret = cgroup_of_pid(getpid(), &own);

	if (!path)
		return -ENOMEM;
	/* Above our own namespace, so in no cgroup that has a path. */
	if (ret && ret != -EXDEV)
		return ret;
	if (own && cgroup_contains(path, own))
		return -EDEADLK;
	gates.fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
				  O_RDONLY | O_CLOEXEC);
	if (gates.fan < 0 || dir < 0)
		return -errno;
	ret = add(&gates, dir);
	while (!ret && gates.n < GATES_MOST) {
		char *slash = strrchr(path, '/');
		AUTO_FD up = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (!slash || slash == path || up < 0)
			break;
		*slash = '\0';
		if ((own && cgroup_contains(path, own)) || add(&gates, up))
			break;
		close(dir);
		dir = TAKE_FD(up);
	}
	if (ret)
		return ret;
	*out = gates;
	gates = (struct gates)GATES_INIT;
	return 0;
}

static void answer(const struct gates *gates, int fd)
{
	struct fanotify_response response = {.fd = fd, .response = FAN_ALLOW};
	ssize_t n;

	do /* -ENOENT: who waited is gone */
		n = write(gates->fan, &response, sizeof(response));
	while (n < 0 && errno == EINTR);
}

void gates_let_go(struct gates *gates)
{
	while (gates->n_held) {
		int fd = gates->held[--gates->n_held];

		answer(gates, fd);
		close(fd);
	}
}

size_t gates_fds(const struct gates *gates, int *fds, size_t n)
{
	fds[n++] = gates->fan;
	for (size_t i = 0; i < gates->n; i++)
		fds[n++] = gates->gates[i].freeze;
	return n;
}

/* Whether @gate has been told to freeze. */
static bool is_told(const struct gate *gate)
{
	char value = '0';

	return pread(gate->freeze, &value, 1, 0) == 1 && value == '1';
}

static bool has_frozen(const struct gates *gates, pid_t pid)
{
	for (size_t i = 0; i < GATES_PIDS; i++)
		if (gates->froze[i] == pid)
			return true;
	return false;
}

static const struct gate *find(const struct gates *gates, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_dev != gates->dev)
		return NULL;
	for (size_t i = 0; i < gates->n; i++)
		if (gates->gates[i].freeze_ino == st.st_ino ||
		    gates->gates[i].events_ino == st.st_ino)
			return &gates->gates[i];
	return NULL;
}

/* Whether who has opened what @event tells of is to wait. */
static bool take_one(struct gates *gates, const struct fanotify_event_metadata *event,
		     const struct gates_calls *calls)
{
	const struct gate *gate = find(gates, event->fd);
	/* 0: not in sight; and the first process must not wait for anybody. */
	bool theirs = event->pid > 1 && event->pid != getpid() &&
		      event->pid != calls->ours(calls->data);

	if (!gate || !theirs)
		return false;
	if (event->mask & FAN_MODIFY) {
		gates->froze[gates->n_froze++ % GATES_PIDS] = event->pid;
		calls->written(event->pid, calls->data);
	}
	return (event->mask & FAN_OPEN_PERM) && gates->n_held < GATES_HELD &&
	       has_frozen(gates, event->pid) && is_told(gate) &&
	       calls->hold(event->pid, calls->data);
}

int gates_take(struct gates *gates, const struct gates_calls *calls)
{
	char buffer[4096]
		__attribute__((aligned(__alignof__(struct fanotify_event_metadata))));
	const struct fanotify_event_metadata *event = (const void *)buffer;
	ssize_t n = read(gates->fan, buffer, sizeof(buffer));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
		if (event->fd < 0) /* some were lost, of whatever kind */
			calls->written(0, calls->data);
		else if (take_one(gates, event, calls))
			gates->held[gates->n_held++] = event->fd;
		else {
			if (event->mask & FAN_OPEN_PERM)
				answer(gates, event->fd);
			close(event->fd);
		}
	}
	return 0;
}

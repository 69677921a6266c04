/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "postbox.h"
#include "proc/mount.h"

/* Where what a probe has to say goes. */
#define ANSWER_FD 3

static bool is_known(const struct probe *probe, int id)
{
	for (size_t i = 0; i < probe->n; i++)
		if (probe->ids[i] == id)
			return true;
	return false;
}

/* In a process of its own, which nobody waits for: asks mount @id, and says that it is the
 * one of number @number when that has answered, whatever the answer is. */
static void __attribute__((noreturn)) ask(pid_t pid, int id, uint16_t number, int answer)
{
	int root;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "relink-probe");
	/* What else is open would be so for as long as the mount hangs. */
	if (answer != ANSWER_FD && dup2(answer, ANSWER_FD) < 0)
		_exit(EXIT_FAILURE);
	close_range(ANSWER_FD + 1, UINT_MAX, 0);
	root = mount_open_root(pid, id);
	if (root >= 0)
		openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	_exit(write(ANSWER_FD, &number, sizeof(number)) != sizeof(number));
}

/* Takes answers from @fd until all have come, or @until. */
static void listen_to(struct probe *probe, int fd, const struct timespec *until)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	uint16_t number;

	for (size_t n = 0; n < probe->n; n++) {
		int ret = poll(&polled, 1, interrupt_ms_to(until));

		/* The end comes when all have ended, and each has its turn then. */
		if (ret <= 0 || read(fd, &number, sizeof(number)) != sizeof(number))
			return;
		if (number < probe->n)
			probe->answered[number] = true;
	}
}

int probe_mounts(struct probe *probe, const struct orphan_set *set, int ms)
{
	AUTO_FD answers = -1, answer = -1;
	pid_t pids[PROBE_MOST];
	struct timespec until;
	int ends[2];

	*probe = (struct probe){0};
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	answers = ends[0];
	answer = ends[1];
	interrupt_time_in(ms / 1000.0, &until);
	for (size_t i = 0; i < set->n && probe->n < PROBE_MOST; i++) {
		const struct orphan *orphan = &set->orphans[i];
		const struct holder *holder = orphan_first_linked(orphan);

		if (!holder || mount_may_hang(orphan->fstype) ||
		    is_known(probe, orphan->mnt_id))
			continue;
		pids[probe->n] = fork();
		if (pids[probe->n] < 0)
			break;
		if (!pids[probe->n])
			ask(holder->pid, orphan->mnt_id, probe->n, answer);
		probe->ids[probe->n++] = orphan->mnt_id;
	}
	close(TAKE_FD(answer));
	listen_to(probe, answers, &until);
	for (size_t i = 0; i < probe->n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, probe->answered[i] ? 0 : WNOHANG);
	}
	return 0;
}

bool probe_may_hang(const struct probe *probe, const struct orphan *orphan)
{
	for (size_t i = 0; i < probe->n; i++)
		if (probe->ids[i] == orphan->mnt_id)
			return !probe->answered[i];
	return mount_may_hang(orphan->fstype);
}

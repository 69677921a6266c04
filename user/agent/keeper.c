/* SPDX-License-Identifier: GPL-2.0-only */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/abandon.h"
#include "base/advice.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/why.h"
#include "gates.h"
#include "journal/index.h"
#include "proc/freezer.h"
#include "proc/proctext.h"
#include "retake.h"
#include "undo.h"

/* As long as a task may sit in an uninterruptible sleep on a busy disk. */
#define FREEZE_MS 10000

/* What has undone itself at its deadline has this long for it. */
#define GRACE_SECONDS 5

struct keeper {
	struct action_wish wish;
	char id[TXN_ID_MAX + 1];
	char checkpoint[33]; /* of the transaction, as it is known here */
	struct gates gates;  /* owned */
	int watch;	     /* inotify of the transaction; owned */
	int events;	     /* cgroup.events; owned */
	int lock;	     /* owned */
	struct timespec until;
	/* The process that takes everything again; -1 none. */
	pid_t worker;
	int worker_fd; /* its pidfd; owned */
	struct timespec worker_until;
	bool taken;  /* copies are there */
	bool served; /* the pause that still lasts: what failed is not tried again in it */
};

#define KEEPER_INIT                                                                      \
	.gates = GATES_INIT, .watch = -1, .events = -1, .lock = -1, .worker = -1,        \
	.worker_fd = -1

static void keeper_fini(struct keeper *keeper)
{
	gates_fini(&keeper->gates);
	auto_close(&keeper->watch);
	auto_close(&keeper->events);
	auto_close(&keeper->lock);
	auto_close(&keeper->worker_fd);
}

/* For log_set_sink(): a line that keeper_tell() finds. */
static void note(const char *level, const char *line, void *data)
{
	const int *lock = data;

	(void)level;
	if (dprintf(*lock, "%s\n", line) < 0)
		return;
}

/* The worker: takes everything again. */
static void __attribute__((noreturn)) work(struct keeper *keeper)
{
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	const struct cgroup *cg = &keeper->wish.target->cgroups[0];
	int lock = TAKE_FD(keeper->lock);
	AUTO_FREE char *path = NULL;
	bool done = false;

	prctl(PR_SET_NAME, "relink-retake");
	log_set_sink(note, &lock);
	keeper_fini(keeper);
	if (interrupt_after(keeper->wish.deadline) ||
	    freezer_await_frozen(cg, FREEZE_MS) ||
	    txn_open(&txn, keeper->id, false, NULL))
		_exit(EXIT_FAILURE);
	if (txn.phase == TXN_PREPARED && !strcmp(txn.checkpoint, keeper->checkpoint) &&
	    !index_find(txn.checkpoint, &path))
		done = !undo_attempt(&txn, NULL) && !retake(&txn, &keeper->wish);
	txn_fini(&txn);
	_exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* 0 or -errno. */
static int work_begin(struct keeper *keeper)
{
	pid_t pid = abandon_fork(SIGKILL);

	if (!pid)
		work(keeper);
	if (pid < 0)
		return pid;
	keeper->worker = pid;
	keeper->worker_fd = syscall(SYS_pidfd_open, pid, 0);
	interrupt_time_in(keeper->wish.deadline + GRACE_SECONDS, &keeper->worker_until);
	keeper->served = true;
	return keeper->worker_fd < 0 ? -errno : 0;
}

/* Whether process @pid has a name that begins with @begin. */
static bool is_called(pid_t pid, const char *begin)
{
	AUTO_FREE char *name = NULL;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	return !proctext_read(AT_FDCWD, path, &name) &&
	       !strncmp(name, begin, strlen(begin));
}

/* For gates_calls. CRIU thaws what somebody else has paused when it holds all tasks itself, and
 * freezes it again in the end (criu/seize.c): that is one pause. */
static void written(pid_t pid, void *data)
{
	struct keeper *keeper = data;

	if (!pid || !is_called(pid, "criu\n"))
		keeper->served = false;
}

/* For gates_calls. */
static pid_t ours(void *data)
{
	return ((struct keeper *)data)->worker;
}

/* For gates_calls. Who must not be kept waiting: we, who may be another's keeper that this one
 * waits for; and CRIU that freezes by itself: it has read its options, and counts the seconds. It
 * is left to what it knows, unless that are copies of an earlier pause. */
static bool hold(pid_t pid, void *data)
{
	struct keeper *keeper = data;

	if (is_called(pid, "relink") || (!keeper->taken && is_called(pid, "criu\n")))
		return false;
	if (keeper->worker >= 0)
		return true;
	return !keeper->served && !work_begin(keeper);
}

/* Whether @keeper still waits for something. */
static bool is_wanted(struct keeper *keeper)
{
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	AUTO_FREE char *path = NULL;
	char text[4096];

	/* What has happened there is to be seen by the state. */
	while (read(keeper->watch, text, sizeof(text)) > 0)
		;
	memcpy(txn.id, keeper->id, sizeof(txn.id));
	return !txn_peek(&txn) && txn.phase == TXN_PREPARED &&
	       !strcmp(txn.checkpoint, keeper->checkpoint) &&
	       !index_find(txn.checkpoint, &path);
}

/* Where the state is, and the index, which `clean` takes the checkpoint out of. 0 or -errno. */
static int watch(const struct keeper *keeper, const struct txn *txn)
{
	const uint32_t mask = IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;

	return inotify_add_watch(keeper->watch, txn->dir, mask) < 0 ||
			       inotify_add_watch(keeper->watch, index_directory(), mask) <
				       0
		       ? -errno
		       : 0;
}

/* The worker has ended, or is to: whoever waits goes on. */
static void work_end(struct keeper *keeper)
{
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	int status = -1;

	if (waitpid(keeper->worker, &status, WNOHANG) != keeper->worker)
		abandon_end(&keeper->worker);
	keeper->worker = -1;
	close(TAKE_FD(keeper->worker_fd));
	memcpy(txn.id, keeper->id, sizeof(txn.id));
	if (!txn_peek(&txn) && txn.phase == TXN_PREPARED)
		memcpy(keeper->checkpoint, txn.checkpoint, sizeof(txn.checkpoint));
	keeper->taken |= !status || txn.attempt;
	gates_let_go(&keeper->gates);
}

/* Whether the cgroup has tasks. */
static bool is_populated(const struct keeper *keeper)
{
	char text[512];
	ssize_t n = pread(keeper->events, text, sizeof(text) - 1, 0);
	uint64_t value;

	if (n < 0)
		return false;
	text[n] = '\0';
	return proctext_value(text, "populated", 10, &value) || value;
}

/* Waits for one thing, and does it. Whether there is more to wait for. */
static bool step(struct keeper *keeper)
{
	const struct gates_calls calls = {written, hold, ours, keeper};
	bool works = keeper->worker >= 0;
	struct pollfd polled[] = {
		{.fd = keeper->gates.fan, .events = POLLIN},
		{.fd = keeper->worker_fd, .events = POLLIN},
		/* What the worker writes there itself is looked at afterwards. */
		{.fd = works ? -1 : keeper->watch, .events = POLLIN},
		{.fd = works ? -1 : keeper->events, .events = POLLPRI},
	};
	int n = poll(polled, sizeof(polled) / sizeof(*polled),
		     interrupt_ms_to(works ? &keeper->worker_until : &keeper->until));

	if (interrupt_pending() && works)
		kill(keeper->worker, SIGTERM);
	else if (interrupt_pending() || (n < 0 && errno != EINTR))
		return false;
	if (n < 0)
		return true;
	if (works && (!n || polled[1].revents)) {
		work_end(keeper);
		return is_wanted(keeper);
	}
	if (!n || (polled[2].revents && !is_wanted(keeper)) ||
	    (polled[3].revents && !is_populated(keeper)))
		return false;
	return !polled[0].revents || !gates_take(&keeper->gates, &calls);
}

/* Closes all but what @keeper needs: the lock of the transaction goes with it, and what the
 * caller has. */
static void shed(const struct keeper *keeper, int told)
{
	int keep[GATES_MOST + 8];
	size_t n = gates_fds(&keeper->gates, keep, 0);
	AUTO_DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	keep[n++] = keeper->watch;
	keep[n++] = keeper->events;
	keep[n++] = keeper->lock;
	keep[n++] = keeper->wish.target->cgroups[0].fd;
	keep[n++] = told;
	cgroup_cache_drop();
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		bool kept = fd <= STDERR_FILENO || fd == dirfd(dir);

		for (size_t i = 0; i < n; i++)
			kept |= keep[i] == fd;
		if (!kept)
			close(fd);
	}
}

/* The keeper. Tells its process id to @told when nothing is in its way any more. */
static void __attribute__((noreturn)) run(struct keeper *keeper, int told)
{
	const struct action_wish *wish = &keeper->wish;
	AUTO_FREE char *text = NULL;
	pid_t pid = getpid();
	int len;

	prctl(PR_SET_NAME, "relink-keeper");
	shed(keeper, told);
	abandon_shed_fds();
	log_set_sink(NULL, NULL);
	/* No folder is to be in use by it, unless something is found from there. */
	if (index_directory()[0] == '/' && wish->config[0] == '/' &&
	    (!wish->store || wish->store[0] == '/') &&
	    (!wish->images || wish->images[0] == '/') && chdir("/"))
		_exit(EXIT_FAILURE);
	interrupt_time_in(wish->wait, &keeper->until);
	len = asprintf(&text, "%d\n", pid);
	if (len < 0 || ftruncate(keeper->lock, 0) ||
	    write(keeper->lock, text, len) != len ||
	    write(told, &pid, sizeof(pid)) != sizeof(pid))
		_exit(EXIT_FAILURE);
	close(told);
	while (step(keeper))
		;
	abandon_end(&keeper->worker);
	_exit(EXIT_SUCCESS);
}

/* Forks it, as nobody's child who would have to wait for it. */
static int fork_apart(struct keeper *keeper, pid_t *pid)
{
	AUTO_FD ours_end = -1, theirs_end = -1;
	int ends[2];
	ssize_t n;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	ours_end = ends[0];
	theirs_end = ends[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (!child) {
		setsid();
		child = fork();
		if (!child)
			run(keeper, theirs_end);
		_exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	close(TAKE_FD(theirs_end));
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	do
		n = read(ours_end, pid, sizeof(*pid));
	while (n < 0 && errno == EINTR);
	return n == sizeof(*pid) ? 0 : -ECHILD;
}

/* Opens the file that a keeper has locked. 0 and we have it; -EWOULDBLOCK; -errno. */
static int take_lock(const struct txn *txn, int how, int *out)
{
	AUTO_FD fd = openat(txn->dir_fd, TXN_KEEPER,
			    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, how))
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}

bool keeper_is_there(const struct txn *txn, pid_t *pid)
{
	AUTO_FREE char *text = NULL;
	AUTO_FD fd = -1;

	if (proctext_read(txn->dir_fd, TXN_KEEPER, &text) || atoi(text) <= 0 ||
	    take_lock(txn, LOCK_EX | LOCK_NB, &fd) != -EWOULDBLOCK)
		return false;
	*pid = atoi(text);
	return true;
}

bool keeper_tell(const struct txn *txn)
{
	AUTO_FREE char *text = NULL;
	char *line, *save;

	if (proctext_read(txn->dir_fd, TXN_KEEPER, &text))
		return false;
	/* Behind the process id. */
	for (line = strtok_r(text, "\n", &save);
	     line && (line = strtok_r(NULL, "\n", &save));)
		log_warning("in the pause: %s", line);
	return true;
}

int keeper_start(const struct txn *txn, const struct action_wish *wish, pid_t *pid,
		 char **why)
{
	AUTO(keeper_fini) struct keeper keeper = {.wish = *wish, KEEPER_INIT};
	const struct cgroup *cg = &wish->target->cgroups[0];
	/* One of an earlier checkpoint is on its way out. */
	int ret = take_lock(txn, LOCK_EX, &keeper.lock);

	if (ret)
		return why_set(why, ret, "cannot lock %s/" TXN_KEEPER ": %s", txn->dir,
			       strerror(-ret));
	memcpy(keeper.id, txn->id, sizeof(keeper.id));
	memcpy(keeper.checkpoint, txn->checkpoint, sizeof(keeper.checkpoint));
	keeper.watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	keeper.events = openat(cg->fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (keeper.watch < 0 || keeper.events < 0)
		ret = -errno;
	is_populated(&keeper);
	ret = ret ?: watch(&keeper, txn);
	ret = ret ?: gates_open(&keeper.gates, cg);
	if (ret)
		return why_set(why, ret, "cannot watch how cgroup %s is frozen: %s%s",
			       cg->path, strerror(-ret), advice(ret));
	ret = fork_apart(&keeper, pid);
	return ret ? why_set(why, ret,
			     "cannot begin a process that waits for the pause: %s",
			     strerror(-ret))
		   : 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "apart.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/abandon.h"
#include "base/auto.h"
#include "base/durable.h"
#include "base/interrupt.h"
#include "base/list.h"
#include "base/log.h"
#include "base/readall.h"
#include "proc/mount.h"

/* Of what all processes of a run have to say. */
#define LOG_MOST (16U << 20)

/* What one process does, in memory that is shared with it. */
struct doing {
	struct clean_result result;
	int ret;
	bool ended;
};

/* The filesystems that have been left behind: processes that come later know of them too.
 * What is beyond is asked again. */
#define MOST_LOST 256

static struct lost {
	size_t n;
	struct {
		uint32_t dev_major, dev_minor;
	} all[MOST_LOST];
} * lost;

void shares_fini(struct shares *shares)
{
	free(shares->shares);
	*shares = (struct shares){0};
}

bool share_same(const struct share *a, const struct share *b)
{
	return a->store == b->store && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor;
}

void shares_add(struct shares *shares, const struct share *share)
{
	struct share *grown;

	for (size_t i = 0; i < shares->n; i++) {
		if (!share_same(&shares->shares[i], share))
			continue;
		shares->shares[i].names += share->names;
		return;
	}
	grown = list_grow(shares->shares, shares->n, sizeof(*grown));
	if (!grown) {
		shares->err = -ENOMEM;
		return;
	}
	shares->shares = grown;
	grown[shares->n++] = *share;
}

static void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void lose(const struct share *share)
{
	/* 0:0 is not known. */
	if (!lost || lost->n == MOST_LOST || (!share->dev_major && !share->dev_minor))
		return;
	lost->all[lost->n].dev_major = share->dev_major;
	lost->all[lost->n].dev_minor = share->dev_minor;
	lost->n++;
}

void apart_forget(void)
{
	if (lost)
		lost->n = 0;
}

/* A store on it would not answer either. */
static bool is_lost(const struct share *share)
{
	for (size_t i = 0; lost && i < lost->n; i++)
		if (lost->all[i].dev_major == share->dev_major &&
		    lost->all[i].dev_minor == share->dev_minor)
			return true;
	return false;
}

/* For log_set_sink(): nobody has to wait until it is read. */
static void keep_line(const char *level, const char *line, void *data)
{
	AUTO_FREE char *text = NULL;
	int len = asprintf(&text, "%c%s\n", *level, line);

	if (len > 0)
		durable_write(*(int *)data, text, len);
}

/* Says what the processes had to say. */
static void tell_lines(int fd)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	char *line, *rest;

	if (lseek(fd, 0, SEEK_SET) || readall(fd, LOG_MOST, &text, &len))
		return;
	for (line = text; (rest = memchr(line, '\n', text + len - line));
	     line = rest + 1) {
		*rest = '\0';
		if (*line == 'w')
			log_warning("%s", line + 1);
		else
			log_error("%s", line + 1);
	}
}

/* What the processes of one run and we share. */
struct shared {
	struct doing *doing; /* one for each */
	size_t bytes;
	int log; /* what they have to say */
};

static void shared_fini(struct shared *shared)
{
	auto_close(&shared->log);
	if (shared->doing)
		munmap(shared->doing, shared->bytes);
}

/* For @n processes. 0 or -errno. */
static int shared_init(struct shared *shared, size_t n)
{
	shared->bytes = (n + 1) * sizeof(struct doing);
	shared->log = memfd_create("log", MFD_CLOEXEC);
	if (shared->log < 0)
		return -errno;
	shared->doing = shared_memory(shared->bytes);
	lost = lost ?: shared_memory(sizeof(*lost));
	return shared->doing && lost ? 0 : -ENOMEM;
}

/* The process that @work is done by, with @data, or -errno. */
static pid_t begin(struct doing *doing, int *log,
		   int (*work)(void *data, struct clean_result *result), void *data)
{
	pid_t pid = abandon_fork(SIGKILL);

	if (pid)
		return pid;
	prctl(PR_SET_NAME, "relink-cleaner");
	abandon_shed_fds();
	log_set_sink(keep_line, log);
	doing->ret = work(data, &doing->result);
	doing->ended = true;
	_exit(EXIT_SUCCESS);
}

/* Waits for @pid, not longer than to @until. */
static void await(pid_t pid, const struct timespec *until)
{
	struct pollfd polled = {.events = POLLIN};

	if (pid < 0)
		return;
	polled.fd = syscall(SYS_pidfd_open, pid, 0);
	if (polled.fd >= 0) {
		poll(&polled, 1, interrupt_ms_to(until));
		close(polled.fd);
	}
	abandon_end(&pid);
}

/* Adds what was done of @share to @result, and tells of what was not. */
static void add(const struct share *share, const struct doing *doing, pid_t pid,
		struct clean_result *result)
{
	size_t left = doing->result.left,
	       told = doing->result.removed + doing->result.absent + left;

	if (!doing->ended) {
		left += share->names > told ? share->names - told : 1;
		log_error("what is on the filesystem at %s is left: %s",
			  share->point ? share->point : "a lost mount",
			  pid < 0 ? strerror(-pid) : "it did not answer in time");
		if (pid >= 0)
			lose(share);
	}
	result->removed += doing->result.removed;
	result->absent += doing->result.absent;
	result->left += left;
}

/* What is done of one share. */
struct part {
	const struct share *share;
	void (*work)(const struct share *share, struct clean_result *result, void *data);
	void *data;
};

static int do_part(void *data, struct clean_result *result)
{
	const struct part *part = data;

	part->work(part->share, result, part->data);
	return 0;
}

void apart_run(const struct shares *shares,
	       void (*work)(const struct share *share, struct clean_result *result,
			    void *data),
	       void *data, struct clean_result *result)
{
	size_t n = shares->n;
	AUTO_FREE pid_t *pids = calloc(n + 1, sizeof(*pids));
	AUTO(shared_fini) struct shared shared = {.log = -1};
	int ret = shares->err ?: pids ? shared_init(&shared, n) : -ENOMEM;
	struct timespec until;

	if (ret) {
		log_error("cannot clean: %s", strerror(-ret));
		result->left++;
		return;
	}
	interrupt_time_in(interrupt_ms_left() / 2000.0, &until);
	for (size_t i = 0; i < n; i++) {
		struct part part = {&shares->shares[i], work, data};

		pids[i] = is_lost(part.share)
				  ? -ETIMEDOUT
				  : begin(&shared.doing[i], &shared.log, do_part, &part);
	}
	for (size_t i = 0; i < n; i++)
		await(pids[i], &until);
	tell_lines(shared.log);
	for (size_t i = 0; i < n; i++)
		add(&shares->shares[i], &shared.doing[i], pids[i], result);
}

/* What @path is on, without asking it. */
static struct share share_of_path(const char *path)
{
	AUTO_FREE char *cwd = getcwd(NULL, 0), *whole = NULL;
	AUTO(mount_fini) struct mount mount = {0};
	struct share share = {.point = path};

	if (*path != '/' && (!cwd || asprintf(&whole, "%s/%s", cwd, path) < 0)) {
		whole = NULL;
		return share;
	}
	if (!mount_find_by_letters(whole ? whole : path, &mount)) {
		share.dev_major = mount.dev_major;
		share.dev_minor = mount.dev_minor;
	}
	return share;
}

/* Of @pid, which has ended, or been left behind. */
static int outcome(const struct share *share, const struct doing *doing, pid_t pid,
		   struct clean_result *result)
{
	result->removed += doing->result.removed;
	result->absent += doing->result.absent;
	result->left += doing->result.left;
	if (doing->ended)
		return doing->ret;
	log_error("%s is left: %s", share->point,
		  pid < 0 && pid != -ETIMEDOUT
			  ? strerror(-pid)
			  : "a filesystem that it needs did not answer in time");
	result->left++;
	if (pid >= 0)
		lose(share);
	return pid < 0 ? pid : -ETIMEDOUT;
}

int apart_do(const char *path, int (*work)(void *data, struct clean_result *result),
	     void *data, struct clean_result *result)
{
	AUTO(shared_fini) struct shared shared = {.log = -1};
	struct share share;
	struct timespec until;
	pid_t pid;
	int ret;

	if (!interrupt_is_timed())
		return work(data, result);
	ret = shared_init(&shared, 1);
	if (ret)
		return ret;
	share = share_of_path(path);
	interrupt_time_in(interrupt_ms_left() * 3 / 4000.0, &until);
	pid = is_lost(&share) ? -ETIMEDOUT : begin(shared.doing, &shared.log, work, data);
	await(pid, &until);
	tell_lines(shared.log);
	return outcome(&share, shared.doing, pid, result);
}

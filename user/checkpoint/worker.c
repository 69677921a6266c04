/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/abandon.h"
#include "base/auto.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "probe.h"
#include "stages.h"

/* What the worker says. */
#define SAYS_PENDING  'p' /* a manifest of failed ones: orphans that it begins with */
#define SAYS_LOOKED   'l' /* forget those: it has looked again, and they follow */
#define SAYS_RECORDED 'r' /* a manifest of what has come since the last one */
#define SAYS_ANEW     'n' /* a manifest of all of that: forget what came before */
#define SAYS_COPIED   'c' /* the precopies are made; waits for one of the next two */
#define SAYS_ERROR    'e' /* a line of the log */
#define SAYS_WARNING  'w' /* another */
#define SAYS_DONE     'd' /* a struct done; the last */

/* What it is told. */
#define TOLD_GO	  'g'
#define TOLD_UNDO 'u'

/* Orphans told at a time. */
#define PIECE 1024

/* A mount that has not answered by then is taken for one that hangs. */
#define PROBE_MS 1000

struct done {
	int ret;
	size_t left;
	bool complete;
};

/* The worker, in its own process. */
struct labour {
	const struct worker_task *task;
	const struct worker *worker;
	int fd;
	struct preserve preserve;
	struct probe probe;
	size_t n_entries, n_failed, n_folders; /* of the manifest, that were told */
};

/* Sends @part, whose lists are another's. */
static int send_part(int fd, char kind, const struct manifest *part)
{
	json_t *root = manifest_to_json(part);
	AUTO_FREE char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	return text ? postbox_send(fd, kind, text, strlen(text)) : -ENOMEM;
}

/* For preserve_options. */
static int tell_recorded(bool anew, void *data)
{
	struct labour *labour = data;
	struct manifest part = *labour->task->manifest;
	int ret;

	if (anew)
		labour->n_entries = labour->n_failed = labour->n_folders = 0;
	part.entries += labour->n_entries;
	part.n_entries -= labour->n_entries;
	part.failed += labour->n_failed;
	part.n_failed -= labour->n_failed;
	part.folders += labour->n_folders;
	part.n_folders -= labour->n_folders;
	ret = send_part(labour->fd, anew ? SAYS_ANEW : SAYS_RECORDED, &part);
	labour->n_entries += part.n_entries;
	labour->n_failed += part.n_failed;
	labour->n_folders += part.n_folders;
	return ret;
}

static int tell_pending(const struct labour *labour, const struct orphan_set *set)
{
	AUTO_FREE struct manifest_failed *failed = calloc(PIECE, sizeof(*failed));
	static char text[] = INTERRUPT_LATE;
	int ret = failed ? postbox_send(labour->fd, SAYS_LOOKED, "", 0) : -ENOMEM;

	for (size_t i = 0; i < set->n && !ret; i += PIECE) {
		struct manifest part = *labour->task->manifest;

		part.n_entries = part.n_folders = part.n_failed = 0;
		part.failed = failed;
		for (size_t j = i; j < set->n && j < i + PIECE; j++)
			failed[part.n_failed++] = (struct manifest_failed){
				.n = j + 1,
				.orphan = set->orphans[j],
				.error = ETIMEDOUT,
				.text = text,
			};
		ret = send_part(labour->fd, SAYS_PENDING, &part);
	}
	return ret;
}

/* Those that may never answer come last, and each mount's are together. */
static int by_patience(const void *left, const void *right, void *probe)
{
	const struct orphan *a = left, *b = right;
	bool hangs_a = probe_may_hang(probe, a), hangs_b = probe_may_hang(probe, b);

	if (hangs_a != hangs_b)
		return hangs_a - hangs_b;
	if (a->mnt_id != b->mnt_id)
		return a->mnt_id < b->mnt_id ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

/* Until it is told to go on. */
static int await_word(int fd)
{
	char word = 0;
	ssize_t n;

	do
		n = recv(fd, &word, 1, 0);
	while (n < 0 && errno == EINTR && !interrupt_pending());
	if (n < 0)
		return -errno;
	return word == TOLD_GO ? 0 : -ECANCELED;
}

/* Looks, and tells what there is to do. */
static int labour_look(struct labour *labour, struct orphan_set *set)
{
	int ret = stage_look(labour->task->target, labour->task->scanner,
			     labour->task->select, labour->task->data, set);
	int ms = interrupt_ms_to(&labour->worker->soft) / 10;

	ret = ret ?: probe_mounts(&labour->probe, set, ms < PROBE_MS ? ms : PROBE_MS);
	if (ret)
		return ret;
	if (set->n)
		qsort_r(set->orphans, set->n, sizeof(*set->orphans), by_patience,
			&labour->probe);
	return tell_pending(labour, set);
}

static int labour_precopy(struct labour *labour, struct precopies *copies)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct orphan_set answering;
	struct timespec half;
	int ret;

	orphan_set_init(&set);
	ret = labour_look(labour, &set);
	if (ret)
		return ret;
	/* Nothing is begun early that may never end. */
	answering = set;
	while (answering.n &&
	       probe_may_hang(&labour->probe, &answering.orphans[answering.n - 1]))
		answering.n--;
	/* Half of the time that there is goes to what is copied beforehand. */
	interrupt_time_in(interrupt_ms_to(&labour->worker->soft) / 2000.0, &half);
	interrupt_at(&half);
	ret = stage_precopy(&labour->preserve, &answering, labour->task->frozen, copies);
	interrupt_at(&labour->worker->soft);
	ret = ret ?: postbox_send(labour->fd, SAYS_COPIED, "", 0);
	return ret ?: await_word(labour->fd);
}

static int labour_preserve(struct labour *labour)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	int ret;

	orphan_set_init(&set);
	ret = labour_look(labour, &set);
	return ret ?: stage_preserve(&labour->preserve, &set);
}

/* For log_set_sink(). */
static void tell_line(const char *level, const char *line, void *data)
{
	const struct labour *labour = data;

	postbox_send(labour->fd, strcmp(level, "error") ? SAYS_WARNING : SAYS_ERROR, line,
		     strlen(line));
}

static void __attribute__((noreturn))
labour_run(const struct worker *worker, const struct worker_task *task, int fd)
{
	struct labour labour = {.task = task, .worker = worker, .fd = fd};
	struct preserve_options options = task->options;
	struct precopies copies = {0};
	struct done done;

	prctl(PR_SET_NAME, "relink-worker");
	abandon_shed_fds();
	log_set_sink(tell_line, &labour);
	/* Another thaws, and must not wait for us to close this. */
	freezer_forget(task->freezer);
	interrupt_at(&worker->soft);
	memset(&done, 0, sizeof(done));
	options.recorded = tell_recorded;
	options.data = &labour;
	options.precopies = &copies;
	preserve_begin(&labour.preserve, &options, task->manifest);
	if (task->frozen)
		done.ret = labour_precopy(&labour, &copies);
	done.ret = done.ret ?: labour_preserve(&labour);
	done.left = done.ret ? preserve_undo(&labour.preserve)
			     : labour.preserve.folders.n_litter;
	done.complete = task->manifest->complete;
	postbox_send(fd, SAYS_DONE, &done, sizeof(done));
	/* The names stay, or are gone; nothing is to be given back to the kernel by hand. */
	_exit(EXIT_SUCCESS);
}

/* The other side. */

/* @until without a part of the time to it that is @share of 100, at most @most_ms. */
static void before(const struct timespec *until, int share, int most_ms,
		   struct timespec *out)
{
	int64_t ms = (int64_t)interrupt_ms_to(until) * share / 100;

	ms = ms > most_ms ? most_ms : ms;
	*out = *until;
	out->tv_sec -= ms / 1000;
	out->tv_nsec -= ms % 1000 * 1000000L;
	if (out->tv_nsec < 0) {
		out->tv_sec--;
		out->tv_nsec += 1000000000;
	}
}

int worker_start(struct worker *worker, const struct worker_task *task)
{
	int theirs;
	pid_t pid;

	worker->manifest = task->manifest;
	before(task->until, 30, 3000, &worker->soft);
	before(task->until, 20, 2000, &worker->hard);
	pid = postbox_fork(&worker->box, &theirs);
	if (!pid)
		labour_run(worker, task, theirs);
	if (pid < 0)
		return pid;
	worker->pid = pid;
	return 0;
}

static bool same_orphan(const struct orphan *a, const struct orphan *b)
{
	return a->ino == b->ino && a->mnt_id == b->mnt_id &&
	       a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
	       a->has_generation == b->has_generation && a->generation == b->generation;
}

/* Something is known of @orphan by now. They come about in the order of the list. */
static void strike_out(struct worker *worker, const struct orphan *orphan)
{
	struct manifest_failed *failed = worker->pending.failed;
	size_t n = worker->pending.n_failed, *first = &worker->first_pending;

	for (size_t i = *first; i < n; i++) {
		if (!failed[i].n || !same_orphan(&failed[i].orphan, orphan))
			continue;
		manifest_failed_fini(&failed[i]);
		break;
	}
	while (*first < n && !failed[*first].n)
		++*first;
}

static int take_failed(struct manifest *from, struct manifest *to)
{
	int ret = 0;

	for (size_t i = 0; i < from->n_failed && !ret; i++)
		ret = manifest_add_failed(to, &from->failed[i]);
	return ret;
}

/* What was told before. */
static void forget_recorded(struct manifest *manifest)
{
	while (manifest->n_entries)
		manifest_entry_fini(&manifest->entries[--manifest->n_entries]);
	while (manifest->n_failed)
		manifest_failed_fini(&manifest->failed[--manifest->n_failed]);
	while (manifest->n_folders)
		manifest_folder_fini(&manifest->folders[--manifest->n_folders]);
}

static int take_recorded(struct worker *worker, struct manifest *part)
{
	int ret = 0;

	for (size_t i = 0; i < part->n_failed; i++)
		strike_out(worker, &part->failed[i].orphan);
	ret = take_failed(part, worker->manifest);
	for (size_t i = 0; i < part->n_entries && !ret; i++) {
		strike_out(worker, &part->entries[i].orphan);
		ret = manifest_add_entry(worker->manifest, &part->entries[i]);
	}
	for (size_t i = 0; i < part->n_folders && !ret; i++)
		ret = manifest_add_folder(worker->manifest, &part->folders[i]);
	return ret;
}

static int take_part(struct worker *worker, const struct message *message)
{
	AUTO(manifest_fini) struct manifest part = {0};
	AUTO_FREE char *why = NULL;
	int ret = manifest_parse(message->text, message->len, &part, &why);

	if (ret)
		log_error("what the worker tells cannot be read: %s", why ? why : "?");
	else if (message->kind == SAYS_PENDING)
		ret = take_failed(&part, &worker->pending);
	else if (message->kind == SAYS_ANEW)
		forget_recorded(worker->manifest);
	if (!ret && message->kind != SAYS_PENDING)
		ret = take_recorded(worker, &part);
	return ret;
}

/* Any message but those that end something. */
static int take_message(struct worker *worker, const struct message *message)
{
	switch (message->kind) {
	case SAYS_LOOKED:
		manifest_fini(&worker->pending);
		worker->first_pending = 0;
		return 0;
	case SAYS_ERROR:
		log_error("%.*s", (int)message->len, message->text);
		return 0;
	case SAYS_WARNING:
		log_warning("%.*s", (int)message->len, message->text);
		return 0;
	case SAYS_PENDING:
	case SAYS_RECORDED:
	case SAYS_ANEW:
		return take_part(worker, message);
	}
	return 0;
}

/* Takes messages until one of kind @wanted; @done gets what the last says. -ETIMEDOUT. */
static int take_until(struct worker *worker, char wanted, struct done *done)
{
	bool told = false;
	int ret;

	for (;;) {
		struct message message;

		ret = postbox_take(&worker->box, &worker->hard, &message);
		if (ret == -EINTR) {
			/* It undoes what it did, as it would by itself. */
			if (interrupt_pending() && !told)
				told = !kill(worker->pid, SIGTERM);
			continue;
		}
		if (ret)
			return ret;
		if (message.kind == SAYS_DONE && message.len == sizeof(*done))
			memcpy(done, message.text, sizeof(*done));
		else
			ret = take_message(worker, &message);
		if (ret || message.kind == wanted || message.kind == SAYS_DONE)
			return ret ?: message.kind == wanted ? 0 : -ECANCELED;
	}
}

int worker_await_precopy(struct worker *worker)
{
	struct done done = {0};
	int ret = take_until(worker, SAYS_COPIED, &done);

	if (ret == -ECANCELED && done.ret) {
		worker->left = done.left;
		return done.ret;
	}
	worker->abandoned = ret;
	return ret;
}

void worker_go_on(struct worker *worker, bool go)
{
	char word = go ? TOLD_GO : TOLD_UNDO;

	send(worker->box.fd, &word, 1, MSG_NOSIGNAL);
}

static unsigned int highest_number(const struct manifest *manifest)
{
	unsigned int highest = 0;

	for (size_t i = 0; i < manifest->n_entries; i++)
		if (manifest->entries[i].n > highest)
			highest = manifest->entries[i].n;
	for (size_t i = 0; i < manifest->n_failed; i++)
		if (manifest->failed[i].n > highest)
			highest = manifest->failed[i].n;
	return highest;
}

/* Those that nothing is known of were not preserved. */
static int fail_pending(struct worker *worker)
{
	unsigned int n = highest_number(worker->manifest);
	int ret = 0;

	for (size_t i = worker->first_pending; i < worker->pending.n_failed && !ret;
	     i++) {
		struct manifest_failed *failed = &worker->pending.failed[i];

		if (!failed->n)
			continue;
		failed->n = ++n;
		ret = manifest_add_failed(worker->manifest, failed);
	}
	worker->manifest->complete = false;
	return ret;
}

int worker_finish(struct worker *worker)
{
	struct done done = {0};
	int ret = worker->abandoned ? -ETIMEDOUT : take_until(worker, SAYS_DONE, &done);

	if (!ret) {
		worker->left = done.left;
		worker->manifest->complete = done.complete;
		return done.ret;
	}
	worker->abandoned = true;
	abandon_end(&worker->pid);
	if (ret != -ETIMEDOUT) {
		log_error("the work was ended before its time: %s",
			  ret == -EPIPE ? "its process was killed" : strerror(-ret));
		return ret;
	}
	return fail_pending(worker);
}

void worker_fini(struct worker *worker)
{
	abandon_end(&worker->pid);
	postbox_fini(&worker->box);
	manifest_fini(&worker->pending);
	*worker = (struct worker)WORKER_INIT;
}

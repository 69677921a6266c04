/* SPDX-License-Identifier: GPL-2.0-only */
#include "steward.h"

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
#include "journal/index.h"
#include "postbox.h"
#include "proc/freezer.h"

/* What the steward says. */
#define SAYS_COMMITTED                                                                   \
	'c'		 /* the manifest, which is on the disk; waits for the next one */
#define SAYS_ERROR   'e' /* a line of the log */
#define SAYS_WARNING 'w' /* another */
#define SAYS_DONE    'd' /* an int, what the work returned; the last */

/* The guardian thaws at the same time as we give up. */
#define THAW_MS 1000

/* The steward, in its own process. */
struct office {
	const struct checkpoint_wish *wish;
	int fd;
};

/* For log_set_sink(). */
static void tell_line(const char *level, const char *line, void *data)
{
	const struct office *office = data;

	postbox_send(office->fd, strcmp(level, "error") ? SAYS_WARNING : SAYS_ERROR, line,
		     strlen(line));
}

/* For checkpoint_wish. */
static void select_theirs(struct orphan_set *set, void *data)
{
	const struct office *office = data;

	office->wish->select(set, office->wish->data);
}

/* For checkpoint_wish: waits until what is to be done in between was done. */
static int tell_committed(const struct manifest *manifest, void *data)
{
	const struct office *office = data;
	json_t *root = manifest_to_json(manifest);
	AUTO_FREE char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	char failed = 1;
	ssize_t n;

	json_decref(root);
	if (!text || postbox_send(office->fd, SAYS_COMMITTED, text, strlen(text)))
		return 1;
	do
		n = recv(office->fd, &failed, 1, 0);
	while (n < 0 && errno == EINTR);
	return failed;
}

static void __attribute__((noreturn))
office_run(steward_work work, const struct checkpoint_wish *theirs,
	   const struct target *target, int fd)
{
	struct office office = {theirs, fd};
	struct checkpoint_wish wish = *theirs;
	struct manifest manifest = {0};
	int ret;

	prctl(PR_SET_NAME, "relink-steward");
	abandon_shed_fds();
	log_set_sink(tell_line, &office);
	wish.select = theirs->select ? select_theirs : NULL;
	wish.inside = tell_committed;
	wish.data = &office;
	ret = work(&wish, target, &manifest);
	postbox_send(fd, SAYS_DONE, &ret, sizeof(ret));
	_exit(EXIT_SUCCESS);
}

/* The other side. */

struct steward {
	const struct checkpoint_wish *wish;
	pid_t pid;
	struct postbox box;
	struct manifest manifest; /* what was committed */
	bool committed;
	bool failed; /* what was done then */
	bool told;   /* to undo what it did */
};

static void steward_fini(struct steward *steward)
{
	abandon_end(&steward->pid);
	postbox_fini(&steward->box);
	manifest_fini(&steward->manifest);
}

static int start(struct steward *steward, steward_work work, const struct target *target)
{
	int theirs;
	pid_t pid = postbox_fork(&steward->box, &theirs);

	if (!pid)
		office_run(work, steward->wish, target, theirs);
	if (pid < 0)
		return pid;
	steward->pid = pid;
	return 0;
}

/* Does what is to be done when the manifest is on the disk, and the cgroup still frozen. */
static int take_committed(struct steward *steward, const struct message *message)
{
	const struct checkpoint_wish *wish = steward->wish;
	AUTO_FREE char *why = NULL;
	int ret = manifest_parse(message->text, message->len, &steward->manifest, &why);
	char failed;

	if (ret) {
		log_error("what the checkpoint wrote cannot be read: %s",
			  why ? why : "?");
		return ret;
	}
	steward->committed = true;
	steward->failed = wish->inside && wish->inside(&steward->manifest, wish->data);
	failed = steward->failed;
	send(steward->box.fd, &failed, 1, MSG_NOSIGNAL);
	return 0;
}

/* Takes messages until the last, which *@out is of. 0; -ETIMEDOUT; -EPIPE; -errno. */
static int take_all(struct steward *steward, int *out)
{
	for (;;) {
		struct message message;
		int ret = postbox_take(&steward->box, steward->wish->until, &message);

		if (ret == -EINTR) {
			/* It undoes what it did, as it would by itself. */
			if (interrupt_pending() && !steward->told)
				steward->told = !kill(steward->pid, SIGTERM);
			continue;
		}
		if (!ret && message.kind == SAYS_COMMITTED)
			ret = take_committed(steward, &message);
		else if (!ret && message.kind == SAYS_ERROR)
			log_error("%.*s", (int)message.len, message.text);
		else if (!ret && message.kind == SAYS_WARNING)
			log_warning("%.*s", (int)message.len, message.text);
		if (ret)
			return ret;
		if (message.kind == SAYS_DONE && message.len == sizeof(*out)) {
			memcpy(out, message.text, sizeof(*out));
			return 0;
		}
	}
}

/* It did not end (@ret). */
static int leave_behind(struct steward *steward, int ret)
{
	const char *path = steward->wish->manifest;

	abandon_end(&steward->pid);
	/* All that was asked for is there: what it had left to do is to thaw. */
	if (steward->committed) {
		log_warning("what %s is on did not answer any more: `relinktrace clean "
			    "%s` removes what is beside it, too",
			    path, path);
		return steward->failed;
	}
	if (ret == -ETIMEDOUT)
		log_error("what the manifest %s, its journal, the store or %s are on did "
			  "not answer by the deadline: when it does, `relinktrace clean "
			  "%s` removes what was made",
			  path, index_directory(), path);
	else
		log_error("the checkpoint was ended before its time: %s; `relinktrace "
			  "clean %s` removes what was made",
			  ret == -EPIPE ? "its process was killed" : strerror(-ret),
			  path);
	return ret;
}

int steward_run(steward_work work, const struct checkpoint_wish *wish,
		const struct target *target, struct manifest *out)
{
	AUTO(steward_fini)
	struct steward steward = {.wish = wish, .pid = -1, .box = POSTBOX_INIT};
	bool frozen = freezer_is_frozen(&target->cgroups[0]);
	int ret = start(&steward, work, target), done = 0;

	if (ret) {
		log_error("cannot begin a process: %s", strerror(-ret));
		return ret;
	}
	ret = take_all(&steward, &done);
	if (ret) {
		ret = leave_behind(&steward, ret);
		if (!frozen)
			freezer_await_thawed(&target->cgroups[0], THAW_MS);
	} else {
		ret = done;
	}
	if (ret < 0)
		return ret;
	*out = steward.manifest;
	steward.manifest = (struct manifest){0};
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What an agent does around a dump, by a process of its own: that has a deadline, which is a
 * signal, and signals are not ours to catch. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/call.h"
#include "base/abandon.h"
#include "base/auto.h"
#include "base/durable.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/readall.h"
#include "handle.h"

/* Of an answer. */
#define MOST_BYTES (256U << 20)

/* A call, understood. */
struct called {
	struct relinktrace_hook wish;
	const struct call_action *action;
	struct action_wish asked;
	char *roots[TXN_MAX_ROOTS]; /* owned */
};

static void called_fini(struct called *called)
{
	depot_mounts_fini(&called->asked.store_mounts);
	for (size_t i = 0; i < called->asked.n_roots; i++)
		free(called->roots[i]);
}

/* What was asked for that the action does not take; NULL. */
static const char *not_taken(const struct called *called)
{
	const struct relinktrace_hook *wish = &called->wish;
	const struct {
		char letter;
		bool asked;
		const char *name;
	} members[] = {
		{CALL_CGROUP, wish->cgroup, "cgroup"},
		{CALL_TREE, wish->tree, "tree"},
		{CALL_IMAGES, wish->images, "images"},
		{CALL_EXTERNAL, wish->external, "external"},
		{CALL_CONFIG, wish->config, "config"},
		{CALL_STORE, wish->store, "store"},
		{CALL_MOUNTS, wish->store_mounts, "store_mounts"},
		{CALL_NO_STORE, wish->no_store, "no_store"},
		{CALL_WAIT, wish->wait != 0, "wait"},
		{CALL_ROOT, wish->roots, "roots"},
		{CALL_STRICT, wish->strict, "strict"},
		{CALL_KEEP, wish->keep, "keep"},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (members[i].asked && !strchr(called->action->takes, members[i].letter))
			return members[i].name;
	return NULL;
}

/* 0, or -EINVAL, logged. */
static int wish_check(const struct called *called)
{
	const struct relinktrace_hook *wish = &called->wish;
	const char *not = called->action ? not_taken(called) : NULL;
	bool prepare = called->action && called->action->run == action_prepare;

	if (!called->action)
		log_error("there is no action \"%s\"", wish->action ? wish->action : "");
	else if (!wish->id || !txn_id_valid(wish->id))
		log_error("an id is needed: up to %d letters, digits and ._-",
			  TXN_ID_MAX);
	else if (not )
		log_error("%s takes no %s", wish->action, not );
	else if (prepare && !wish->cgroup && !wish->tree)
		log_error("a cgroup or a tree is needed");
	else if (wish->config && !wish->tree)
		log_error("config goes with tree");
	else if (prepare && wish->store && !wish->external && !wish->config)
		log_error("store goes with external or config");
	else if (wish->no_store && (wish->store || wish->store_mounts || !wish->config))
		log_error("no_store goes with config, and no other store");
	else
		return handle_deadline(wish->deadline);
	return -EINVAL;
}

static int add_roots(struct called *called)
{
	for (const char *const *root = called->wish.roots; root && *root; root++) {
		char *made = NULL;

		if (called->asked.n_roots < TXN_MAX_ROOTS)
			made = call_root(*root);
		else
			errno = E2BIG;
		if (!made) {
			log_error("root %s: %s", *root, strerror(errno));
			return -EINVAL;
		}
		called->roots[called->asked.n_roots++] = made;
	}
	return 0;
}

static int understand(struct called *called, const struct relinktrace_hook *theirs)
{
	struct relinktrace_hook *wish = &called->wish;
	int ret = handle_wish(wish, theirs, sizeof(*wish));

	if (ret)
		return ret;
	called->action = wish->action ? call_find(wish->action) : NULL;
	ret = wish_check(called);
	ret = ret
		      ?: handle_store_mounts(wish->store ?: wish->config,
					     wish->store_mounts,
					     &called->asked.store_mounts);
	ret = ret ?: add_roots(called);
	called->asked.images = wish->images;
	called->asked.roots = (const char *const *)called->roots;
	called->asked.store = wish->store;
	called->asked.no_store = wish->no_store;
	/* 0 is what an earlier version has there. */
	called->asked.wait = wish->wait ?: ACTION_WAIT_SECONDS;
	called->asked.deadline = wish->deadline > 0 ? wish->deadline : ACTION_SECONDS;
	called->asked.external = wish->external || wish->config;
	called->asked.config = wish->config;
	called->asked.tree = wish->tree;
	called->asked.strict = wish->strict;
	called->asked.keep = wish->keep;
	return ret;
}

/* The cgroup that is meant. 0 or -errno, logged. */
static int find_target(const struct called *called, struct target *target)
{
	if (called->wish.cgroup)
		return target_add_cgroup(target, called->wish.cgroup);
	return called->wish.tree ? target_add_process(target, called->wish.tree) : 0;
}

/* Does it, and writes the outcome and the answer to @fd. 0 or -errno. */
static int answer(struct called *called, int fd)
{
	AUTO(report_fini) struct report report;
	AUTO(target_fini) struct target target;
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	AUTO_FREE char *text = NULL;
	char outcome;
	int ret;

	report_begin(&report, called->action->name);
	target_init(&target);
	strncpy(txn.id, called->wish.id, TXN_ID_MAX);
	if (find_target(called, &target)) {
		report_worsen(&report, OUTCOME_FAILED);
		report.proceed = !called->wish.strict;
	} else {
		called->asked.target = target.n ? &target : NULL;
		call_run(called->action, called->wish.id, &called->asked, &txn, &report);
	}
	ret = handle_text(report_to_json(&report, &txn), &text);
	outcome = (char)('0' + report.outcome);
	ret = ret ?: durable_write(fd, &outcome, 1);
	return ret ?: durable_write(fd, text, strlen(text));
}

/* In the process of its own: what the caller has set for signals is not for us. */
static void __attribute__((noreturn)) run(struct called *called, int fd)
{
	double deadline = called->wish.deadline;
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	interrupt_catch();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	abandon_shed_fds();
	_exit(interrupt_after(deadline > 0 ? deadline : ACTION_SECONDS) ||
			      answer(called, fd)
		      ? EXIT_FAILURE
		      : EXIT_SUCCESS);
}

/* Starts it, and waits for its end. 0 or -errno. */
static int run_apart(struct called *called, int fd)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	/* Then it takes back what it has begun. */
	pid = abandon_fork(SIGTERM);
	if (!pid) {
		prctl(PR_SET_NAME, "relink-hook");
		run(called, fd);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return pid;
	/* Where the caller ignores SIGCHLD: ECHILD, at the same time. */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* What the answer @text has to say becomes the message. */
static void tell(const char *text)
{
	json_t *root = json_loads(text, 0, NULL), *message;
	size_t i;

	json_array_foreach(json_object_get(root, "messages"), i, message)
	{
		const char *line = json_string_value(json_object_get(message, "text"));

		if (line)
			log_warning("%s", line);
	}
	json_decref(root);
}

static int hook(const struct relinktrace_hook *theirs, char **json)
{
	static const int results[] = {
		[OUTCOME_DONE] = 0,
		[OUTCOME_PART] = RELINKTRACE_PARTLY,
		[OUTCOME_FAILED] = -ECANCELED,
	};
	AUTO(called_fini) struct called called = {0};
	AUTO_FD fd = memfd_create("answer", MFD_CLOEXEC);
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	int ret = fd < 0 ? -errno : understand(&called, theirs);

	ret = ret ?: run_apart(&called, fd);
	if (!ret && lseek(fd, 0, SEEK_SET))
		ret = -errno;
	ret = ret ?: readall(fd, MOST_BYTES, &text, &len);
	if (ret)
		return ret;
	if (len < 2 || text[0] < '0' || text[0] > '0' + OUTCOME_FAILED) {
		log_error("the process that did it was killed: call again");
		return -ECHILD;
	}
	tell(text + 1);
	ret = results[text[0] - '0'];
	*json = strdup(text + 1);
	return *json ? ret : -ENOMEM;
}

int relinktrace_hook(struct relinktrace *rt, const struct relinktrace_hook *wish,
		     char **json)
{
	handle_enter(rt);
	return handle_leave(rt, hook(wish, json));
}

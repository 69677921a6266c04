/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that calls functions of librelinktrace, as its words say, with the options of
 * the command that does the same:
 *
 *   do FUNCTION [MEMBER=VALUE]... [then FUNCTION [MEMBER=VALUE]...]...
 *
 * What the function gives goes to stdout, what it has to say to stderr, the errno of a
 * failure before that. Exits like the command, for the last function: 0, 3 in part, 1 failed;
 * 2 for words that mean nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <relinktrace.h>

#define MOST_WORDS 16

static struct relinktrace *rt;
static char **words; /* those behind FUNCTION; each goes when it is taken */

/* Takes the next value of @member; NULL there is none. */
static const char *take(const char *member)
{
	size_t len = strlen(member);

	for (char **word = words; *word; word++) {
		const char *value = *word + len + 1;

		if (strncmp(*word, member, len) || (*word)[len] != '=')
			continue;
		for (; *word; word++)
			*word = word[1];
		return value;
	}
	return NULL;
}

static double take_number(const char *member)
{
	const char *value = take(member);

	return value ? strtod(value, NULL) : 0;
}

/* All values of @member, ended by NULL, for free(3); NULL where there are none. */
static const char *const *take_all(const char *member)
{
	const char **values = calloc(MOST_WORDS + 1, sizeof(*values));
	size_t n = 0;

	while (n < MOST_WORDS && (values[n] = take(member)))
		n++;
	if (n)
		return values;
	free(values);
	return NULL;
}

static int print(int ret, char *json)
{
	if (json)
		puts(json);
	free(json);
	return ret;
}

static int do_list(void)
{
	struct relinktrace_list wish = {
		.size = sizeof(wish),
		.cgroups = take_all("cgroup"),
		.pid = take_number("pid"),
		.all = take_number("all"),
	};
	char *json = NULL;
	int ret = relinktrace_list(rt, &wish, &json);

	free((void *)wish.cgroups);
	return print(ret, json);
}

/* Each line as it comes, until there are so many of them. */
static int print_event(const char *json, void *data)
{
	int *events = data;

	puts(json);
	fflush(stdout);
	return --*events == 0;
}

static int do_attach(void)
{
	int events = take_number("events");
	struct relinktrace_attach wish = {
		.size = sizeof(wish),
		.cgroups = take_all("cgroup"),
		.backend = take("backend"),
		.max_orphans = take_number("max_orphans"),
		.pin = take_number("pin"),
		.event = events ? print_event : NULL,
		.data = &events,
		.stop_fd = take_number("stop_fd"),
	};
	char *json = NULL;
	int ret = relinktrace_attach(rt, &wish, &json);

	free((void *)wish.cgroups);
	return print(ret, json);
}

static int do_detach(void)
{
	struct relinktrace_detach wish = {
		.size = sizeof(wish),
		.cgroups = take_all("cgroup"),
		.all = take_number("all"),
	};
	int ret = relinktrace_detach(rt, &wish);

	free((void *)wish.cgroups);
	return ret;
}

static int do_doctor(void)
{
	char *json = NULL;
	int ret = relinktrace_doctor(rt, &json);

	return print(ret, json);
}

static int do_forecast(void)
{
	struct relinktrace_forecast wish = {
		.size = sizeof(wish),
		.cgroups = take_all("cgroup"),
		.stop = take_number("stop"),
		.store = take("store"),
		.store_mounts = take_all("store_mounts"),
	};
	char *json = NULL;
	int ret = relinktrace_forecast(rt, &wish, &json);

	free((void *)wish.cgroups);
	free((void *)wish.store_mounts);
	return print(ret, json);
}

static int do_checkpoint(void)
{
	struct relinktrace_checkpoint wish = {
		.size = sizeof(wish),
		.cgroup = take("cgroup"),
		.manifest = take("manifest"),
		.names = take("names"),
		.method = take("method"),
		.freeze = take_number("freeze"),
		.stop = take_number("stop"),
		.store = take("store"),
		.store_mounts = take_all("store_mounts"),
		.deadline = take_number("deadline"),
		.precopy = take_number("precopy"),
		.max_bytes = take_number("max_bytes"),
		.digest = take_number("digest"),
	};
	char *json = NULL;
	int ret = relinktrace_checkpoint(rt, &wish, &json);

	free((void *)wish.store_mounts);
	return print(ret, json);
}

/* The members of a restore. Its roots are for free(3). */
static struct relinktrace_restore take_restore(void)
{
	return (struct relinktrace_restore){
		.size = sizeof(struct relinktrace_restore),
		.manifest = take("manifest"),
		.holder = take_number("holder"),
		.roots = take_all("root"),
		.store = take("store"),
	};
}

/* As restore --listen. With @poll it is waited for a client first, however long. */
static int do_listen(void)
{
	struct relinktrace_restore wish = take_restore();
	struct relinktrace_listener *listener = NULL;
	const char *path = take("path");
	int keep = take_number("keep");
	int first = take_number("poll");
	double wait = take_number("wait");
	int ret = relinktrace_listen(rt, &wish, path, keep, &listener);

	free((void *)wish.roots);
	if (ret < 0)
		return ret;
	printf("listening on %s\n", path);
	fflush(stdout);
	do {
		struct pollfd polled = {.fd = relinktrace_listener_fd(listener),
					.events = POLLIN};

		if (first)
			poll(&polled, 1, -1);
		ret = relinktrace_listener_serve(rt, listener, wait);
		if (ret)
			fprintf(stderr, "%s\n", relinktrace_message(rt));
	} while (ret == -EAGAIN || (!ret && keep));
	relinktrace_listener_free(listener);
	return ret;
}

static int print_cleaned(int ret, const struct relinktrace_cleaned *cleaned)
{
	if (ret >= 0)
		printf("%zu removed, %zu gone already, %zu left\n", cleaned->removed,
		       cleaned->absent, cleaned->left);
	return ret;
}

static int do_clean(void)
{
	struct relinktrace_cleaned cleaned;

	return print_cleaned(relinktrace_clean(rt, take("manifest"), &cleaned), &cleaned);
}

static int do_clean_by(void)
{
	struct relinktrace_clean wish = {
		.size = sizeof(wish),
		.manifest = take("manifest"),
		.id = take("id"),
		.expired = take_number("expired"),
		.age = take_number("age"),
		.store = take("store"),
		.deadline = take_number("deadline"),
	};
	struct relinktrace_cleaned cleaned;

	return print_cleaned(relinktrace_clean_by(rt, &wish, &cleaned), &cleaned);
}

static int do_hook(void)
{
	struct relinktrace_hook wish = {
		.size = sizeof(wish),
		.action = take("action"),
		.id = take("id"),
		.cgroup = take("cgroup"),
		.tree = take_number("tree"),
		.images = take("images"),
		.external = take_number("external"),
		.config = take("config"),
		.store = take("store"),
		.store_mounts = take_all("store_mounts"),
		.roots = take_all("root"),
		.strict = take_number("strict"),
		.keep = take_number("keep"),
		.deadline = take_number("deadline"),
		.no_store = take_number("no_store"),
	};
	char *json = NULL;
	int ret = relinktrace_hook(rt, &wish, &json);

	free((void *)wish.store_mounts);
	free((void *)wish.roots);
	return print(ret, json);
}

/* For what is done while a cgroup is frozen. */
static int run_frozen(void *data)
{
	return system(data);
}

/* The members of what is done with CRIU; its lists are for criu_free(). */
static struct relinktrace_criu take_criu(void)
{
	const char *frozen = take("frozen");

	return (struct relinktrace_criu){
		.size = sizeof(struct relinktrace_criu),
		.images = take("images"),
		.tree = take_number("tree"),
		.precopy = take_number("precopy"),
		.store = take("store"),
		.store_mounts = take_all("store_mounts"),
		.leave_running = take_number("leave_running"),
		.words = take_all("word"),
		.keep = take_number("keep"),
		.config = take("config"),
		.frozen = frozen ? run_frozen : NULL,
		.data = (void *)frozen,
		.roots = take_all("root"),
		.no_store = take_number("no_store"),
	};
}

static int criu_free(struct relinktrace_criu *wish, int ret)
{
	free((void *)wish->store_mounts);
	free((void *)wish->words);
	free((void *)wish->roots);
	return ret;
}

static int print_dumped(const char *done, int ret,
			const struct relinktrace_dumped *dumped)
{
	if (ret >= 0)
		printf("%s: %zu orphans preserved, %zu left to CRIU\n", done,
		       dumped->preserved, dumped->left);
	return ret;
}

static int do_criu_dump(void)
{
	struct relinktrace_criu wish = take_criu();
	struct relinktrace_dumped dumped;
	int ret = relinktrace_criu_dump(rt, &wish, &dumped);

	return criu_free(&wish, print_dumped("dumped", ret, &dumped));
}

static int do_criu_prepare(void)
{
	struct relinktrace_criu wish = take_criu();
	struct relinktrace_dumped dumped;
	int ret = relinktrace_criu_prepare(rt, &wish, &dumped);

	return criu_free(&wish, print_dumped("prepared", ret, &dumped));
}

static int do_criu_restore(void)
{
	struct relinktrace_criu wish = take_criu();
	int ret = relinktrace_criu_restore(rt, &wish);

	if (!ret)
		puts("restored");
	return criu_free(&wish, ret);
}

static int do_criu_clean(void)
{
	struct relinktrace_criu wish = take_criu();
	struct relinktrace_cleaned cleaned;
	int ret = relinktrace_criu_clean(rt, &wish, &cleaned);

	return criu_free(&wish, print_cleaned(ret, &cleaned));
}

/* Becomes the program, of one word. */
static int do_execute(void)
{
	struct relinktrace_restore wish = take_restore();
	char *argv[] = {(char *)take("program"), NULL};
	int ret = relinktrace_execute(rt, &wish, take_number("keep"), argv);

	free((void *)wish.roots);
	return ret;
}

/* For what happens between two calls. */
static int do_shell(void)
{
	return system(take("command")) ? -ECANCELED : 0;
}

static const struct {
	const char *name;
	int (*call)(void);
} functions[] = {
	{"list", do_list},
	{"attach", do_attach},
	{"detach", do_detach},
	{"doctor", do_doctor},
	{"forecast", do_forecast},
	{"checkpoint", do_checkpoint},
	{"execute", do_execute},
	{"listen", do_listen},
	{"clean", do_clean},
	{"clean_by", do_clean_by},
	{"hook", do_hook},
	{"criu_dump", do_criu_dump},
	{"criu_prepare", do_criu_prepare},
	{"criu_restore", do_criu_restore},
	{"criu_clean", do_criu_clean},
	{"shell", do_shell},
};

static int call(const char *name)
{
	size_t i = 0, n = sizeof(functions) / sizeof(*functions);
	int ret;

	while (i < n && strcmp(name, functions[i].name))
		i++;
	if (i == n)
		return 2;
	ret = functions[i].call();
	if (ret < 0)
		fprintf(stderr, "errno %d\n", -ret);
	if (*relinktrace_message(rt))
		fprintf(stderr, "%s\n", relinktrace_message(rt));
	if (*words)
		fprintf(stderr, "do: nobody has taken \"%s\"\n", *words);
	return *words ? 2 : ret < 0 ? 1 : ret == RELINKTRACE_PARTLY ? 3 : 0;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc < 2 || relinktrace_open(&rt))
		return 2;
	for (char **word = argv + 1, **end; word < argv + argc; word = end + 1) {
		for (end = word; *end && strcmp(*end, "then");)
			end++;
		*end = NULL;
		words = word + 1;
		status = call(*word);
		fflush(stdout);
	}
	relinktrace_close(rt);
	return status;
}

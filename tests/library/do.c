/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that calls one function of librelinktrace, as its words say, with the options of
 * the command that does the same:
 *
 *   do FUNCTION [MEMBER=VALUE]...
 *
 * What the function gives goes to stdout, what it has to say to stderr, the errno of a
 * failure before that. Exits like the command: 0, 3 in part, 1 failed; 2 for words that mean
 * nothing.
 */
#include <errno.h>
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

static const struct {
	const char *name;
	int (*call)(void);
} functions[] = {
	{"checkpoint", do_checkpoint},
};

int main(int argc, char **argv)
{
	int ret = 0;
	size_t i = 0, n = sizeof(functions) / sizeof(*functions);

	while (argc > 1 && i < n && strcmp(argv[1], functions[i].name))
		i++;
	if (argc < 2 || i == n || relinktrace_open(&rt))
		return 2;
	words = argv + 2;
	ret = functions[i].call();
	if (ret < 0)
		fprintf(stderr, "errno %d\n", -ret);
	if (*relinktrace_message(rt))
		fprintf(stderr, "%s\n", relinktrace_message(rt));
	relinktrace_close(rt);
	if (*words)
		fprintf(stderr, "do: nobody has taken \"%s\"\n", *words);
	return *words ? 2 : ret < 0 ? 1 : ret == RELINKTRACE_PARTLY ? 3 : 0;
}

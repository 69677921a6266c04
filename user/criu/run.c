/* SPDX-License-Identifier: GPL-2.0-only */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/why.h"

extern char **environ;

void criu_words_fini(struct criu_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->words[i]);
	free(words->words);
	*words = (struct criu_words){0};
}

int criu_words_add(struct criu_words *words, const char *format, ...)
{
	char **grown = reallocarray(words->words, words->n + 2, sizeof(*grown));
	va_list args;
	int len;

	if (!grown)
		return -ENOMEM;
	words->words = grown;
	va_start(args, format);
	len = vasprintf(&grown[words->n], format, args);
	va_end(args);
	if (len < 0) {
		grown[words->n] = NULL;
		return -ENOMEM;
	}
	grown[++words->n] = NULL;
	return 0;
}

int criu_words_dump(struct criu_words *words, const struct criu_keys *keys)
{
	int ret = 0;

	for (size_t i = 0; i < keys->n_keys && !ret; i++) {
		char text[64];

		criu_key_text(&keys->keys[i], text);
		ret = criu_words_add(words, "--external");
		ret = ret ?: criu_words_add(words, "%s", text);
	}
	if (keys->n_left || keys->others)
		ret = ret ?: criu_words_add(words, "--link-remap");
	if (keys->ghost_bytes) {
		ret = ret ?: criu_words_add(words, "--ghost-limit");
		ret = ret ?: criu_words_add(words, "%" PRIu64, keys->ghost_bytes);
	}
	return ret;
}

char *criu_words_line(const struct criu_words *words, size_t *at)
{
	const char *option = words->words[(*at)++], *value = NULL;
	char *line;

	if (*at < words->n && strncmp(words->words[*at], "--", 2))
		value = words->words[(*at)++];
	if (asprintf(&line, "%s%s%s", option + strspn(option, "-"), value ? " " : "",
		     value ? value : "") < 0)
		return NULL;
	return line;
}

int criu_run(const struct criu_words *words, char **why)
{
	const char *program = getenv("CRIU") ?: "criu";
	char **argv = calloc(words->n + 2, sizeof(*argv));
	int status, ret;
	pid_t pid;

	if (!argv)
		return -ENOMEM;
	argv[0] = (char *)program;
	if (words->n)
		memcpy(argv + 1, words->words, words->n * sizeof(*argv));
	ret = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	free(argv);
	if (ret)
		return why_set(why, -ret, "cannot run %s: %s; install criu, or set $CRIU",
			       program, strerror(ret));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return why_set(why, -errno, "cannot wait for criu: %m");
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return why_set(why, -ECANCELED, "criu %s %d; its log tells why",
		       WIFSIGNALED(status) ? "was ended by signal" : "ended with status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Running criu(8) with the files that were taken off its hands. */
#ifndef RELINKTRACE_CRIU_RUN_H
#define RELINKTRACE_CRIU_RUN_H

#include "keys.h"

/* A command line that is being made. */
struct criu_words {
	char **words; /* owned, as are the words; NULL behind the last */
	size_t n;
};

/* Frees what @words owns; for AUTO(). */
void criu_words_fini(struct criu_words *words);

/* Appends a word. 0 or -ENOMEM. */
int criu_words_add(struct criu_words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends what a dump needs so that @keys are left out of it, and what is left to CRIU is
 * possible: --external for each key; --link-remap and --ghost-limit where something is
 * left. 0 or -ENOMEM. */
int criu_words_dump(struct criu_words *words, const struct criu_keys *keys);

/* The option that is word *@at of @words as a line of a file that criu reads: without the
 * dashes, with its value. Moves *@at behind both. Owned by the caller; NULL when memory is
 * out. */
char *criu_words_line(const struct criu_words *words, size_t *at);

/* Executes $CRIU, or criu of $PATH, with @words behind its name, and waits for its end.
 * Fds that are not close-on-exec go with it. 0 when it ended with status 0; -ENOENT there
 * is none; -ECANCELED it failed; -errno; and the reason in @why. */
int criu_run(const struct criu_words *words, char **why);

#endif

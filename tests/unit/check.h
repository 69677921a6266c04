/* SPDX-License-Identifier: GPL-2.0-only */
/* The unit tests' frame: TAP on stdout, exit status 1 when a check failed. */
#ifndef RELINKTRACE_CHECK_H
#define RELINKTRACE_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_n, check_failed;

/* A failed check goes on: one run shows all that is wrong. */
#define CHECK(condition) check_report(condition, #condition, __FILE__, __LINE__)

/* Strings, shown where they differ; NULL equals NULL. */
#define CHECK_STR(got, want) check_string(got, want, #got, __FILE__, __LINE__)

/* Numbers, shown where they differ. */
#define CHECK_INT(got, want) check_number(got, want, #got, __FILE__, __LINE__)

/* What the test itself needs and cannot go on without. */
#define MUST(condition)                                                                  \
	do {                                                                             \
		if (!(condition)) {                                                      \
			printf("Bail out! %s:%d: %s: %m\n", __FILE__, __LINE__,          \
			       #condition);                                              \
			exit(1);                                                         \
		}                                                                        \
	} while (0)

static inline bool check_report(bool good, const char *what, const char *file, int line)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++check_n, what);
	if (!good) {
		printf("# %s:%d\n", file, line);
		check_failed++;
	}
	fflush(stdout);
	return good;
}

static inline void check_string(const char *got, const char *want, const char *what,
				const char *file, int line)
{
	bool good = got && want ? !strcmp(got, want) : got == want;

	if (!check_report(good, what, file, line))
		printf("# got  \"%s\"\n# want \"%s\"\n", got ? got : "(null)",
		       want ? want : "(null)");
}

static inline bool check_number(long long got, long long want, const char *what,
				const char *file, int line)
{
	if (check_report(got == want, what, file, line))
		return true;
	printf("# got %lld, want %lld\n", got, want);
	return false;
}

/* Leaves out what this machine cannot do, and says why. */
static inline void check_skip(const char *what, const char *why)
{
	printf("ok %d - # SKIP %s: %s\n", ++check_n, what, why);
}

/* Ends the plan; what main() returns. */
static inline int check_done(void)
{
	printf("1..%d\n", check_n);
	return check_failed || !check_n ? 1 : 0;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Diagnostics: stderr, one line each, never stdout. Under -j a line is a JSON object. */
#ifndef RELINKTRACE_LOG_H
#define RELINKTRACE_LOG_H

#include <stdbool.h>

/* Makes every further line {"level":…,"message":…}, for callers that parse stderr. */
void log_set_json(bool json);

/* Every further line goes to @sink, escaped and without "relinktrace: ", with @data, and
 * nothing to stderr; NULL: to stderr again. */
void log_set_sink(void (*sink)(const char *level, const char *line, void *data),
		  void *data);

/* Each takes a printf format without a newline and writes "relinktrace: …\n". Control
 * bytes in the result are escaped, since names come from strangers. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "auto.h"
#include "escape.h"

static bool as_json;
static void (*sink)(const char *level, const char *line, void *data);
static void *sink_data;

void log_set_sink(void (*to)(const char *level, const char *line, void *data), void *data)
{
	sink = to;
	sink_data = data;
}

void log_set_json(bool json)
{
	as_json = json;
}

/* One write for a line, so that lines of several processes do not mix. */
static void line_write(const char *level, const char *message)
{
	json_t *object;

	if (sink) {
		sink(level, message, sink_data);
		return;
	}
	if (!as_json) {
		fprintf(stderr, "relinktrace: %s%s\n",
			strcmp(level, "warning") ? "" : "warning: ", message);
		return;
	}
	object = json_pack("{s:s, s:s}", "level", level, "message", message);
	if (object) {
		AUTO_FREE char *line = json_dumps(object, JSON_COMPACT);

		if (line)
			fprintf(stderr, "%s\n", line);
	}
	json_decref(object);
}

static void log_format(const char *level, const char *format, va_list args)
{
	AUTO_FREE char *raw = NULL;
	AUTO_FREE char *message = NULL;
	int saved = errno;

	if (vasprintf(&raw, format, args) < 0)
		raw = NULL;
	if (raw)
		message = escape_control(raw);
	/* Out of memory, the format still says what it was about. */
	line_write(level, message ? message : format);
	errno = saved;
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_format("error", format, args);
	va_end(args);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_format("warning", format, args);
	va_end(args);
}

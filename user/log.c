/* SPDX-License-Identifier: GPL-2.0-only */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "auto.h"

static bool as_json;

void log_set_json(bool json)
{
	as_json = json;
}

/* Length of the UTF-8 sequence at @s (RFC 3629: no overlong form, no surrogate, nothing
 * above U+10FFFF), 0 when there is none. Stops at the terminating zero. */
static size_t utf8_length(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	switch (s[0]) {
	case 0xe0:
		low = 0xa0;
		break;
	case 0xed:
		high = 0x9f;
		break;
	case 0xf0:
		low = 0x90;
		break;
	case 0xf4:
		high = 0x8f;
		break;
	}
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return n;
}

/* C0, DEL and, as U+0080 to U+009F, C1: a terminal obeys all of them. */
static bool is_control(const unsigned char *s)
{
	return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

/* A copy of @text that is UTF-8 and has no control characters: what is not becomes \xNN.
 * NULL when memory is out. */
static char *text_escape(const char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	char *copy = malloc(strlen(text) * 4 + 1);
	char *out = copy;

	if (!copy)
		return NULL;
	while (*in) {
		size_t n = utf8_length(in);

		if (n && !is_control(in)) {
			out = mempcpy(out, in, n);
			in += n;
			continue;
		}
		for (n = n ? n : 1; n; n--)
			out += sprintf(out, "\\x%02x", *in++);
	}
	*out = '\0';
	return copy;
}

/* One write for a line, so that lines of several processes do not mix. */
static void line_write(const char *level, const char *message)
{
	json_t *object;

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
		message = text_escape(raw);
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

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_format("info", format, args);
	va_end(args);
}

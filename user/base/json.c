/* SPDX-License-Identifier: GPL-2.0-only */
#include "json.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "base64.h"

/* Room for the longest key that gets "_b64" put behind it. */
#define KEY_MAX 64

int json_set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) ? -ENOMEM : 0;
}

json_t *json_from_ino(uint64_t ino)
{
	char digits[21];

	if (ino <= INT64_MAX)
		return json_integer((json_int_t)ino);
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)ino);
	return json_string(digits);
}

int json_set_bytes(json_t *object, const char *key, const char *bytes)
{
	AUTO_FREE char *text = NULL;
	char key_b64[KEY_MAX];
	json_t *value;

	if (!bytes)
		return json_set(object, key, json_null());
	value = json_string(bytes);
	if (value)
		return json_set(object, key, value);
	/* Not UTF-8. Where it was for want of memory, the other form is as true. */
	text = base64_encode(bytes, strlen(bytes));
	if (!text)
		return -ENOMEM;
	snprintf(key_b64, sizeof(key_b64), "%s_b64", key);
	return json_set(object, key_b64, json_string(text));
}

/* The bytes behind a base64 @value, without a NUL among them. */
static int decode(const json_t *value, char **bytes)
{
	AUTO_FREE char *decoded = NULL;
	size_t len;
	int ret;

	if (!json_is_string(value) ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	ret = base64_decode(json_string_value(value), &decoded, &len);
	if (ret)
		return ret;
	if (strlen(decoded) != len)
		return -EINVAL;
	*bytes = TAKE_PTR(decoded);
	return 0;
}

int json_get_bytes(const json_t *object, const char *key, char **bytes)
{
	const json_t *value = json_object_get(object, key), *encoded;
	char key_b64[KEY_MAX];
	char *copy;

	snprintf(key_b64, sizeof(key_b64), "%s_b64", key);
	encoded = json_object_get(object, key_b64);
	if (encoded)
		return value ? -EINVAL : decode(encoded, bytes);
	if (!value || json_is_null(value)) {
		*bytes = NULL;
		return 0;
	}
	if (!json_is_string(value) ||
	    strlen(json_string_value(value)) != json_string_length(value))
		return -EINVAL;
	copy = strdup(json_string_value(value));
	if (!copy)
		return -ENOMEM;
	*bytes = copy;
	return 0;
}

bool json_format_date(const struct timespec *when, char buf[static 31])
{
	struct tm tm;
	char text[64];

	/* Four digits are all that RFC 3339 has for a year; and tv_nsec may be what
	 * utimensat(2) takes for no time. */
	if (when->tv_nsec < 0 || when->tv_nsec > 999999999 ||
	    !gmtime_r(&when->tv_sec, &tm) || tm.tm_year < 0 - 1900 ||
	    tm.tm_year > 9999 - 1900)
		return false;
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ",
		 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		 tm.tm_sec, when->tv_nsec);
	memcpy(buf, text, 30);
	buf[30] = '\0';
	return true;
}

void json_format_time(uint64_t realtime_ns, char buf[static 31])
{
	const struct timespec when = {.tv_sec = realtime_ns / 1000000000,
				      .tv_nsec = realtime_ns % 1000000000};

	/* 2^64 ns end in the year 2554. */
	json_format_date(&when, buf);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "jsonread.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "json.h"

/* The last whole year that 64 bits of ns since the epoch have ends then, in seconds. */
#define YEAR_2554 18429292800LL

void jsonread_fault(struct jsonread *reader, const char *key, const char *expected)
{
	if (reader->error)
		return;
	reader->error = -EINVAL;
	snprintf(reader->fault, sizeof(reader->fault), "%s%s%s: %s", reader->where,
		 reader->where[0] ? "." : "", key, expected);
}

/* The value of @key; NULL after a fault. */
static const json_t *field(struct jsonread *reader, const json_t *object, const char *key)
{
	const json_t *value;

	if (reader->error)
		return NULL;
	value = json_object_get(object, key);
	if (!value)
		jsonread_fault(reader, key, "is missing");
	return value;
}

bool jsonread_null(struct jsonread *reader, const json_t *object, const char *key)
{
	const json_t *value = field(reader, object, key);

	return value && json_is_null(value);
}

const json_t *jsonread_object(struct jsonread *reader, const json_t *object,
			      const char *key)
{
	const json_t *value = field(reader, object, key);

	if (value && json_is_object(value))
		return value;
	jsonread_fault(reader, key, "an object is expected");
	return NULL;
}

const json_t *jsonread_array(struct jsonread *reader, const json_t *object,
			     const char *key, size_t max_length)
{
	const json_t *value = field(reader, object, key);

	if (!value)
		return NULL;
	if (!json_is_array(value))
		jsonread_fault(reader, key, "an array is expected");
	else if (json_array_size(value) > max_length)
		jsonread_fault(reader, key, "has too many elements");
	else
		return value;
	return NULL;
}

uint64_t jsonread_integer(struct jsonread *reader, const json_t *object, const char *key,
			  uint64_t min, uint64_t max)
{
	const json_t *value = field(reader, object, key);
	char expected[80];
	json_int_t number;

	if (!value)
		return 0;
	number = json_integer_value(value);
	if (json_is_integer(value) && number >= 0 && (uint64_t)number >= min &&
	    (uint64_t)number <= max)
		return number;
	snprintf(expected, sizeof(expected), "an integer from %llu to %llu is expected",
		 (unsigned long long)min, (unsigned long long)max);
	jsonread_fault(reader, key, expected);
	return 0;
}

bool jsonread_boolean(struct jsonread *reader, const json_t *object, const char *key)
{
	const json_t *value = field(reader, object, key);

	if (value && !json_is_boolean(value))
		jsonread_fault(reader, key, "true or false is expected");
	return value && json_is_true(value);
}

const char *jsonread_string(struct jsonread *reader, const json_t *object,
			    const char *key, size_t max_length)
{
	const json_t *value = field(reader, object, key);

	if (!value)
		return NULL;
	if (!json_is_string(value))
		jsonread_fault(reader, key, "a string is expected");
	else if (json_string_length(value) > max_length)
		jsonread_fault(reader, key, "is too long");
	else if (strlen(json_string_value(value)) != json_string_length(value))
		jsonread_fault(reader, key, "has a NUL byte");
	else
		return json_string_value(value);
	return NULL;
}

void jsonread_exact(struct jsonread *reader, const json_t *object, const char *key,
		    size_t len, const char *allowed, char *out)
{
	const char *text = jsonread_string(reader, object, key, len);

	if (text && strlen(text) == len && strspn(text, allowed) == len)
		memcpy(out, text, len + 1);
	else
		jsonread_fault(reader, key, "is malformed");
}

/* The number that @text begins with: digits in @base, at most @max; *@end is behind it,
 * or NULL where there is none. */
static uint64_t digits(const char *text, int base, uint64_t max, const char **end)
{
	const char *allowed = base == 16 ? "0123456789abcdef" : "0123456789";
	char *stop;
	uint64_t value;

	*end = NULL;
	if (!text[0] || !strchr(allowed, text[0]))
		return 0;
	errno = 0;
	value = strtoull(text, &stop, base);
	if (errno || value > max || (size_t)(stop - text) != strspn(text, allowed))
		return 0;
	*end = stop;
	return value;
}

void jsonread_dev(struct jsonread *reader, const json_t *object, const char *key,
		  uint32_t *dev_major, uint32_t *dev_minor)
{
	const char *text = jsonread_string(reader, object, key, 32), *end;
	uint64_t major_number, minor_number;

	if (!text)
		return;
	major_number = digits(text, 10, UINT32_MAX, &end);
	if (end && *end == ':') {
		minor_number = digits(end + 1, 10, UINT32_MAX, &end);
		if (end && !*end) {
			*dev_major = major_number;
			*dev_minor = minor_number;
			return;
		}
	}
	jsonread_fault(reader, key, "a device as MAJ:MIN is expected");
}

uint64_t jsonread_ino(struct jsonread *reader, const json_t *object, const char *key)
{
	const json_t *value = field(reader, object, key);
	const char *text, *end;
	uint64_t ino;

	if (!json_is_string(value))
		return jsonread_integer(reader, object, key, 0, INT64_MAX);
	text = jsonread_string(reader, object, key, 20);
	if (!text)
		return 0;
	ino = digits(text, 10, UINT64_MAX, &end);
	/* Smaller ones are integers: one number has one form. */
	if (end && !*end && ino > INT64_MAX && text[0] != '0')
		return ino;
	jsonread_fault(reader, key, "an inode number is expected");
	return 0;
}

struct timespec jsonread_timespec(struct jsonread *reader, const json_t *object,
				  const char *key)
{
	const char *text = jsonread_string(reader, object, key, 40);
	bool negative = text && text[0] == '-';
	const char *dot = NULL, *end = NULL;
	uint64_t sec = 0, nsec = 0;

	if (text)
		sec = digits(text + negative, 10, INT64_MAX, &dot);
	if (dot && *dot == '.')
		nsec = digits(dot + 1, 10, 999999999, &end);
	if (end && !*end && end == dot + 10)
		return (struct timespec){negative ? -(time_t)sec : (time_t)sec, nsec};
	if (text)
		jsonread_fault(reader, key, "seconds and nine digits are expected");
	return (struct timespec){0};
}

uint64_t jsonread_hex(struct jsonread *reader, const json_t *object, const char *key)
{
	const char *text = jsonread_string(reader, object, key, 16), *end;
	uint64_t value;

	if (!text)
		return 0;
	value = digits(text, 16, UINT64_MAX, &end);
	if (end && !*end)
		return value;
	jsonread_fault(reader, key, "hexadecimal digits are expected");
	return 0;
}

/* Whether @text has digits where @shape has 0 and is equal to it elsewhere. */
static bool has_shape(const char *text, const char *shape)
{
	for (; *shape; text++, shape++)
		if (*shape == '0' ? !isdigit((unsigned char)*text) : *text != *shape)
			return false;
	return !*text;
}

struct timespec jsonread_date(struct jsonread *reader, const json_t *object,
			      const char *key)
{
	const char *text = jsonread_string(reader, object, key, 30);
	struct tm tm = {0}, normal;
	time_t seconds;
	long ns;

	if (!text)
		return (struct timespec){0};
	if (has_shape(text, "0000-00-00T00:00:00.000000000Z") &&
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%9ldZ", &tm.tm_year, &tm.tm_mon,
		   &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ns) == 7) {
		tm.tm_year -= 1900;
		tm.tm_mon -= 1;
		normal = tm;
		seconds = timegm(&normal);
		/* A 31 November would come out as another day. */
		if (normal.tm_mon == tm.tm_mon && normal.tm_mday == tm.tm_mday &&
		    normal.tm_hour == tm.tm_hour && normal.tm_min == tm.tm_min &&
		    normal.tm_sec == tm.tm_sec)
			return (struct timespec){seconds, ns};
	}
	jsonread_fault(reader, key,
		       "a time as 2026-01-02T03:04:05.000000006Z is expected");
	return (struct timespec){0};
}

uint64_t jsonread_time(struct jsonread *reader, const json_t *object, const char *key)
{
	struct timespec when = jsonread_date(reader, object, key);

	if (when.tv_sec >= 0 && when.tv_sec < YEAR_2554)
		return when.tv_sec * 1000000000ULL + when.tv_nsec;
	jsonread_fault(reader, key, "a time between 1970 and 2554 is expected");
	return 0;
}

char *jsonread_bytes(struct jsonread *reader, const json_t *object, const char *key,
		     size_t max_length, bool nullable)
{
	AUTO_FREE char *bytes = NULL;
	int ret;

	if (reader->error)
		return NULL;
	ret = json_get_bytes(object, key, &bytes);
	if (ret == -ENOMEM) {
		reader->error = ret;
		return NULL;
	}
	if (ret)
		jsonread_fault(reader, key, "text, or base64 in its place, is expected");
	else if (!bytes && !nullable)
		jsonread_fault(reader, key, "is missing");
	else if (bytes && strlen(bytes) > max_length)
		jsonread_fault(reader, key, "is too long");
	else
		return TAKE_PTR(bytes);
	return NULL;
}

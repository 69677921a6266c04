/* SPDX-License-Identifier: GPL-2.0-only */
/* Values of JSON that jansson leaves to its callers. */
#ifndef RELINKTRACE_JSON_H
#define RELINKTRACE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

/* Adds @value, which it takes over whatever happens, and which may be NULL for want of
 * memory. 0 or -ENOMEM. */
int json_set(json_t *object, const char *key, json_t *value);

/* Adds @key as a string, or @key_b64 as base64 where the @len bytes are not UTF-8; null
 * for a NULL @bytes. 0 or -ENOMEM. */
int json_set_bytes(json_t *object, const char *key, const char *bytes);

/* The bytes of @key or @key_b64 of @object; *@bytes is owned by the caller, NULL where
 * the value is null or absent. 0, -EINVAL (malformed, or a NUL byte inside), -ENOMEM. */
int json_get_bytes(const json_t *object, const char *key, char **bytes);

/* "2026-01-02T03:04:05.000000006Z". @buf has at least 31 bytes; false where @when is not
 * of the years 0 to 9999, or is UTIME_OMIT: @buf is untouched then. */
bool json_format_date(const struct timespec *when, char buf[static 31]);

/* The same of ns since the epoch, all of which it can say. */
void json_format_time(uint64_t realtime_ns, char buf[static 31]);

/* An inode number: an integer, or its decimal digits as a string where it is above
 * INT64_MAX, which the integers of JSON readers end at. FUSE and overlay with xino
 * (Documentation/filesystems/overlayfs.rst) use all 64 bits. NULL when memory is out. */
json_t *json_from_ino(uint64_t ino);

#endif

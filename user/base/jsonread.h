/* SPDX-License-Identifier: GPL-2.0-only */
/* Strict reading of JSON objects written by others. The first fault is kept and every
 * later call does nothing, so that a reader of many fields checks once. Pure. */
#ifndef RELINKTRACE_JSONREAD_H
#define RELINKTRACE_JSONREAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct jsonread {
	int error;	 /* 0, -EINVAL or -ENOMEM */
	char where[96];	 /* the object being read, as in "entries[3].holders[0]" */
	char fault[192]; /* what is wrong, with the place */
};

/* Records that @key of the current object is wrong: @expected says what should be there.
 */
void jsonread_fault(struct jsonread *reader, const char *key, const char *expected);

/* Each gets the field @key of @object, which must be there. On a fault they record it and
 * return 0, false or NULL. Strings belong to @object. */
const json_t *jsonread_object(struct jsonread *reader, const json_t *object,
			      const char *key);
const json_t *jsonread_array(struct jsonread *reader, const json_t *object,
			     const char *key, size_t max_length);
uint64_t jsonread_integer(struct jsonread *reader, const json_t *object, const char *key,
			  uint64_t min, uint64_t max);
/* What json_from_ino() writes. */
uint64_t jsonread_ino(struct jsonread *reader, const json_t *object, const char *key);
bool jsonread_boolean(struct jsonread *reader, const json_t *object, const char *key);
/* At most @max_length bytes and no NUL among them. */
const char *jsonread_string(struct jsonread *reader, const json_t *object,
			    const char *key, size_t max_length);
/* Exactly @len characters out of @allowed, and a NUL, into @out. */
void jsonread_exact(struct jsonread *reader, const json_t *object, const char *key,
		    size_t len, const char *allowed, char *out);
/* "MAJ:MIN" in decimal. */
void jsonread_dev(struct jsonread *reader, const json_t *object, const char *key,
		  uint32_t *dev_major, uint32_t *dev_minor);
/* "2026-01-02T03:04:05.000000006Z" as ns since the epoch. */
uint64_t jsonread_time(struct jsonread *reader, const json_t *object, const char *key);
/* The same text, of any year that it can say. */
struct timespec jsonread_date(struct jsonread *reader, const json_t *object,
			      const char *key);
/* "SEC.NSEC" with nine digits behind the dot, SEC perhaps negative: both as they stand. */
struct timespec jsonread_timespec(struct jsonread *reader, const json_t *object,
				  const char *key);
/* Hexadecimal digits in lower case without 0x. */
uint64_t jsonread_hex(struct jsonread *reader, const json_t *object, const char *key);
/* @key or @key_b64 of at most @max_length bytes; owned by the caller; NULL where it is
 * null, a fault when that is not @nullable. */
char *jsonread_bytes(struct jsonread *reader, const json_t *object, const char *key,
		     size_t max_length, bool nullable);

/* Whether @key is there and null; that it is absent is a fault. */
bool jsonread_null(struct jsonread *reader, const json_t *object, const char *key);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON as it is written: a listing can have a hundred thousand objects, which nobody wants
 * to look at as a tree. */
#ifndef RELINKTRACE_JSONTEXT_H
#define RELINKTRACE_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts zeroed. What could not be written for want of memory is told at the end, by
 * failed. */
struct jsontext {
	char *text; /* owned; not terminated */
	size_t length;
	size_t room;
	bool failed;
};

/* Frees the text; for AUTO(). */
void jsontext_fini(struct jsontext *out);

/* Adds @text as it is. */
void jsontext_raw(struct jsontext *out, const char *text);

/* Begins and ends an object ('{', '}') or an array ('[', ']'). */
void jsontext_open(struct jsontext *out, char bracket);
void jsontext_close(struct jsontext *out, char bracket);

/* Adds the key of the value that comes next, with the comma before it. @key needs no
 * escapes. */
void jsontext_key(struct jsontext *out, const char *key);

/* The comma between elements, unless the one to come is the first. */
void jsontext_next(struct jsontext *out);

/* Values. What is above INT64_MAX is that: the integers of most readers end there. */
void jsontext_integer(struct jsontext *out, uint64_t value);
void jsontext_signed(struct jsontext *out, int64_t value);
void jsontext_bool(struct jsontext *out, bool value);
void jsontext_null(struct jsontext *out);
void jsontext_string(struct jsontext *out, const char *text); /* needs no escapes */

/* As json_set_bytes(): @key with a string, or @key_b64 with base64 where @bytes are not
 * UTF-8; null for NULL. */
void jsontext_bytes(struct jsontext *out, const char *key, const char *bytes);

#endif

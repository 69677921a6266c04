/* SPDX-License-Identifier: GPL-2.0-only */
#include "jsontext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "base64.h"

void jsontext_fini(struct jsontext *out)
{
	free(out->text);
	*out = (struct jsontext){0};
}

/* Makes room for @more bytes. */
static bool grow(struct jsontext *out, size_t more)
{
	size_t room = out->room ? out->room : 1024;
	char *text;

	while (room - out->length < more)
		room *= 2;
	text = realloc(out->text, room);
	if (!text) {
		out->failed = true;
		return false;
	}
	out->text = text;
	out->room = room;
	return true;
}

static void put(struct jsontext *out, const char *bytes, size_t length)
{
	if (out->room - out->length < length && !grow(out, length))
		return;
	memcpy(out->text + out->length, bytes, length);
	out->length += length;
}

void jsontext_raw(struct jsontext *out, const char *text)
{
	put(out, text, strlen(text));
}

void jsontext_open(struct jsontext *out, char bracket)
{
	put(out, &bracket, 1);
}

void jsontext_close(struct jsontext *out, char bracket)
{
	put(out, &bracket, 1);
}

void jsontext_next(struct jsontext *out)
{
	char last = out->length ? out->text[out->length - 1] : '[';

	if (last != '{' && last != '[')
		put(out, ",", 1);
}

void jsontext_key(struct jsontext *out, const char *key)
{
	jsontext_next(out);
	jsontext_string(out, key);
	put(out, ":", 1);
}

void jsontext_integer(struct jsontext *out, uint64_t value)
{
	char digits[20], *first = digits + sizeof(digits);

	if (value > INT64_MAX)
		value = INT64_MAX;
	do
		*--first = '0' + value % 10;
	while (value /= 10);
	put(out, first, digits + sizeof(digits) - first);
}

void jsontext_signed(struct jsontext *out, int64_t value)
{
	if (value < 0)
		put(out, "-", 1);
	jsontext_integer(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void jsontext_bool(struct jsontext *out, bool value)
{
	jsontext_raw(out, value ? "true" : "false");
}

void jsontext_null(struct jsontext *out)
{
	jsontext_raw(out, "null");
}

void jsontext_string(struct jsontext *out, const char *text)
{
	put(out, "\"", 1);
	jsontext_raw(out, text);
	put(out, "\"", 1);
}

/* Length of the UTF-8 sequence at @text, 0 where it is none (RFC 3629, section 4: no
 * overlong form, no surrogate, nothing above U+10FFFF). */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if (length == 1)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	return length;
}

static bool is_utf8(const char *bytes)
{
	const unsigned char *at = (const unsigned char *)bytes;

	while (*at) {
		size_t length = utf8_length(at);

		if (!length)
			return false;
		at += length;
	}
	return true;
}

/* Quotes, backslashes and control bytes as RFC 8259, section 7, wants them. */
static void put_escaped(struct jsontext *out, const char *text)
{
	const char *plain = text;
	char escape[8];

	put(out, "\"", 1);
	for (; *text; text++) {
		unsigned char byte = *text;

		if (byte >= 0x20 && byte != '"' && byte != '\\')
			continue;
		put(out, plain, text - plain);
		if (byte >= 0x20)
			snprintf(escape, sizeof(escape), "\\%c", byte);
		else
			snprintf(escape, sizeof(escape), "\\u%04x", byte);
		jsontext_raw(out, escape);
		plain = text + 1;
	}
	put(out, plain, text - plain);
	put(out, "\"", 1);
}

void jsontext_bytes(struct jsontext *out, const char *key, const char *bytes)
{
	AUTO_FREE char *base64 = NULL;

	if (bytes && !is_utf8(bytes)) {
		base64 = base64_encode(bytes, strlen(bytes));
		out->failed |= !base64;
		jsontext_next(out);
		put(out, "\"", 1);
		jsontext_raw(out, key);
		jsontext_raw(out, "_b64\":");
		jsontext_string(out, base64 ? base64 : "");
		return;
	}
	jsontext_key(out, key);
	if (bytes)
		put_escaped(out, bytes);
	else
		jsontext_null(out);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

char *escape_control(const char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	char *copy = malloc(strlen(text) * 4 + 1);
	char *out = copy;

	if (!copy)
		return NULL;
	while (*in) {
		size_t n = utf8_length(in);

		if (n && !is_control(in) && *in != '\\') {
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

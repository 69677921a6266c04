/* SPDX-License-Identifier: GPL-2.0-only */
#include "base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *bytes, size_t len)
{
	const uint8_t *in = bytes;
	char *text = malloc((len + 2) / 3 * 4 + 1);
	char *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t group = (uint32_t)in[i] << 16;

		if (i + 1 < len)
			group |= (uint32_t)in[i + 1] << 8;
		if (i + 2 < len)
			group |= in[i + 2];
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = i + 1 < len ? alphabet[group >> 6 & 63] : '=';
		*out++ = i + 2 < len ? alphabet[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

/* Value of the four characters at @text, of which the last @pad are '='; -1 for anything
 * else, bits that no byte would use included. */
static int64_t group_value(const char *text, size_t pad)
{
	int64_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *at = i < 4 - pad ? strchr(alphabet, text[i]) : alphabet;

		if (!at || !text[i] || (i >= 4 - pad && text[i] != '='))
			return -1;
		group = group << 6 | (at - alphabet);
	}
	return group & ((1 << 8 * pad) - 1) ? -1 : group;
}

int base64_decode(const char *text, char **bytes, size_t *len)
{
	size_t n = strlen(text), pad = 0, filled = 0;
	char *out;

	if (n % 4)
		return -EINVAL;
	while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
		pad++;
	out = malloc(n / 4 * 3 + 1);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i += 4) {
		int64_t group = group_value(text + i, i + 4 == n ? pad : 0);

		if (group < 0) {
			free(out);
			return -EINVAL;
		}
		out[filled++] = (char)(group >> 16);
		out[filled++] = (char)(group >> 8);
		out[filled++] = (char)group;
	}
	filled -= pad;
	out[filled] = '\0';
	*bytes = out;
	*len = filled;
	return 0;
}

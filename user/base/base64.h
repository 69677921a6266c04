/* SPDX-License-Identifier: GPL-2.0-only */
/* Base64 (RFC 4648, section 4, with padding) for names that are not UTF-8. */
#ifndef RELINKTRACE_BASE64_H
#define RELINKTRACE_BASE64_H

#include <stddef.h>

/* The text of @len bytes, owned by the caller; NULL when memory is out. */
char *base64_encode(const void *bytes, size_t len);

/* The bytes of @text, owned by the caller and followed by a NUL byte that *@len does not
 * count. 0; -EINVAL for anything but the one canonical form; -ENOMEM. */
int base64_decode(const char *text, char **bytes, size_t *len);

#endif

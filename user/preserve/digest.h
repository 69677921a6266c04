/* SPDX-License-Identifier: GPL-2.0-only */
/* What a file's bytes are known by, wherever they are found again. */
#ifndef RELINKTRACE_DIGEST_H
#define RELINKTRACE_DIGEST_H

/* SHA-256 in hexadecimal digits and a NUL. */
#define DIGEST_TEXT 65

/* The digest of all bytes of the regular file behind @fd (O_PATH is enough), holes being
 * zeros. 0; what interrupt_check() says; -errno. */
int digest_file(int fd, char out[static DIGEST_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "source.h"

#define BUFFER_BYTES (1U << 20)

int digest_file(int fd, char out[static DIGEST_TEXT])
{
	AUTO_FREE uint8_t *buffer = malloc(BUFFER_BYTES);
	AUTO_FD readable = source_reopen(fd);
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx context;
	ssize_t n;
	int stop;

	if (readable < 0)
		return readable;
	if (!buffer)
		return -ENOMEM;
	sha256_init(&context);
	while ((n = read(readable, buffer, BUFFER_BYTES)) > 0) {
		stop = interrupt_check();
		if (stop)
			return stop;
		sha256_update(&context, n, buffer);
	}
	if (n < 0)
		return -errno;
	sha256_digest(&context, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

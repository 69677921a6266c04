/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as an answer of criu. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "criu/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct criu_answer answer = {0};

	if (!criu_rpc_answer(data, size, &answer) && answer.message &&
	    strlen(answer.message) > size)
		abort();
	free(answer.message);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as the holder iterators' stream: no crash, and no byte read past the end. */
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "bpf/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(orphan_set_fini) struct orphan_set set;
	struct records_context context = {.set = &set, .key_is_inode = size & 1};

	orphan_set_init(&set);
	records_parse((const char *)data, size, records_collect, &context);
	orphan_set_prune(&set);
	orphan_set_sort(&set);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a journal: no crash, nothing filled in after a refusal, and no name that
 * leads out of its mount or is not told of by inode or id. The checksums of the lines are
 * made right first (a fuzzer does not find them), unless the first byte is '!'. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/auto.h"
#include "journal/journal.h"
#include "manifest/template.h"

static void sum_lines(char *text, size_t size)
{
	char *end = text + size, *newline;

	for (char *line = text; line < end; line = newline + 1) {
		char sum[10];

		newline = memchr(line, '\n', end - line);
		if (!newline)
			return;
		if (newline - line <= 9)
			continue;
		snprintf(sum, sizeof(sum), "%08lx ",
			 crc32(0, (unsigned char *)line + 9, newline - line - 9));
		memcpy(line, sum, 9);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(journal_fini) struct journal journal = {0};
	AUTO_FREE char *why = NULL, *text = malloc(size + 1);
	static const struct journal untouched;

	if (!text)
		abort();
	memcpy(text, data, size);
	if (size && text[0] != '!')
		sum_lines(text, size);
	if (journal_parse(text, size, &journal, &why)) {
		if (memcmp(&journal, &untouched, sizeof(journal)) || !why)
			abort();
		return 0;
	}
	for (size_t i = 0; i < journal.n_names; i++) {
		const struct journal_name *name = &journal.names[i];

		if (!relink_path_valid(name->path) || name->place >= journal.n_places)
			abort();
		if (!name->has_ino && !journal_is_own_name(journal.id, name->path))
			abort();
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer of what is written as JSON and read back, for KIND, a struct with the functions
 * KIND_parse, KIND_to_json and KIND_fini: no crash, nothing filled in after a refusal; and
 * what is accepted, written and read again, is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define PASTE_AGAIN(a, b) a##b
#define PASTE(a, b)	  PASTE_AGAIN(a, b)

static char *text_of(const struct KIND *parsed)
{
	json_t *root = PASTE(KIND, _to_json)(parsed);
	char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	if (!text)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(PASTE(KIND, _fini)) struct KIND parsed = {0}, again = {0};
	AUTO_FREE char *why = NULL, *text = NULL, *text_again = NULL;
	static const struct KIND untouched;

	if (PASTE(KIND, _parse)((const char *)data, size, &parsed, &why)) {
		if (memcmp(&parsed, &untouched, sizeof(parsed)) || !why)
			abort();
		return 0;
	}
	text = text_of(&parsed);
	if (PASTE(KIND, _parse)(text, strlen(text), &again, NULL))
		abort();
	text_again = text_of(&again);
	if (strcmp(text, text_again))
		abort();
	return 0;
}

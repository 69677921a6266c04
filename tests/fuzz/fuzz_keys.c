/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as the keys of a dump by CRIU: no crash, nothing filled in after a refusal; and
 * what is accepted, written and read again, is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "criu/keys.h"

static char *text_of(const struct criu_keys *keys)
{
	json_t *root = criu_keys_to_json(keys);
	char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	if (!text)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(criu_keys_fini) struct criu_keys keys = {0};
	AUTO(criu_keys_fini) struct criu_keys again = {0};
	AUTO_FREE char *why = NULL, *text = NULL, *text_again = NULL;
	static const struct criu_keys untouched;

	if (criu_keys_parse((const char *)data, size, &keys, &why)) {
		if (memcmp(&keys, &untouched, sizeof(keys)) || !why)
			abort();
		return 0;
	}
	text = text_of(&keys);
	if (criu_keys_parse(text, strlen(text), &again, NULL))
		abort();
	text_again = text_of(&again);
	if (strcmp(text, text_again))
		abort();
	return 0;
}

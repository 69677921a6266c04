/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a manifest: no crash, nothing filled in after a refusal; and what is
 * accepted, written and read again, is the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "manifest/manifest.h"

static char *text_of(const struct manifest *manifest)
{
	json_t *root = manifest_to_json(manifest);
	char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	if (!text)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	AUTO(manifest_fini) struct manifest again = {0};
	AUTO_FREE char *why = NULL, *text = NULL, *text_again = NULL;
	static const struct manifest untouched;

	if (manifest_parse((const char *)data, size, &manifest, &why)) {
		if (memcmp(&manifest, &untouched, sizeof(manifest)) || !why)
			abort();
		return 0;
	}
	text = text_of(&manifest);
	if (manifest_parse(text, strlen(text), &again, NULL))
		abort();
	text_again = text_of(&again);
	if (strcmp(text, text_again))
		abort();
	return 0;
}

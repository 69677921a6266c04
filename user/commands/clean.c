/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "restore/clean.h"
#include "base/log.h"
#include "manifest/manifest_file.h"
#include "base/why.h"
#include "commands.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **path = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*path)
			argp_error(state, "\"%s\" is one word too many", arg);
		*path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which MANIFEST, please");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "MANIFEST",
	.doc = "Removes the names and the empty folders that a checkpoint left; never a "
	       "file that is not the one recorded. The manifest itself stays.",
};

int command_clean(int argc, char **argv)
{
	AUTO(manifest_fini) struct manifest manifest = {0};
	struct clean_result result = {0};
	AUTO_FREE char *why = NULL;
	const char *path = NULL;

	argp_parse(&argp, argc, argv, 0, NULL, &path);
	if (manifest_file_read(path, &manifest, &why)) {
		log_error("%s", why_text(why));
		return EXIT_FAILED;
	}
	clean_all(&manifest, &result);
	printf("%zu removed, %zu gone already, %zu left\n", result.removed, result.absent,
	       result.left);
	if (fflush(stdout)) {
		log_error("cannot write to stdout: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return result.left ? EXIT_PARTLY : EXIT_DONE;
}

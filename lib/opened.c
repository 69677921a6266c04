/* SPDX-License-Identifier: GPL-2.0-only */
#include "opened.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/why.h"
#include "handle.h"
#include "manifest/manifest_file.h"

void opened_fini(struct opened *opened)
{
	manifest_fini(&opened->manifest);
	roots_fini(&opened->roots);
	free(opened->store);
}

int opened_read(struct opened *opened, const struct relinktrace_restore *theirs)
{
	AUTO_FREE char *why = NULL;
	int ret = handle_wish(&opened->wish, theirs, sizeof(opened->wish));

	if (!ret && !opened->wish.manifest)
		ret = why_set(&why, -EINVAL, "a manifest is needed");
	ret = ret ?: manifest_file_read(opened->wish.manifest, &opened->manifest, &why);
	for (const char *const *root = opened->wish.roots; root && *root && !ret; root++)
		ret = roots_add(&opened->roots, *root, &why);
	if (opened->roots.n)
		opened->manifest.roots = &opened->roots;
	if (!ret && opened->wish.store) {
		opened->store = strdup(opened->wish.store);
		ret = opened->store ? 0 : -ENOMEM;
		opened->manifest.store_at = opened->store;
	}
	if (ret && why)
		log_error("%s", why);
	return ret;
}

int opened_partly(const struct manifest *manifest)
{
	if (manifest->n_failed)
		log_warning("%zu orphans could not be preserved at the checkpoint",
			    manifest->n_failed);
	return manifest->complete ? 0 : RELINKTRACE_PARTLY;
}

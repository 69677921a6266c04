/* SPDX-License-Identifier: GPL-2.0-only */
#include "refill.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/progress.h"
#include "preserve/fill.h"
#include "preserve/source.h"
#include "restore.h"

int refill(int preserved, int fd, const struct manifest_entry *entry)
{
	AUTO(manifest_entry_fini) struct manifest_entry scratch = {0};
	AUTO_FD readable = source_reopen(preserved);
	struct stat st;
	int ret;

	if (readable < 0)
		return readable;
	if (fstat(readable, &st))
		return -errno;
	ret = fill(readable, &st, 0, METHOD_CLONE, fd, NULL, &scratch);
	if (!ret)
		progress_add(orphan_bytes(&entry->orphan), 0);
	else
		ret = fill(readable, &st, 0, METHOD_COPY, fd, NULL, &scratch);
	if (scratch.not_carried)
		log_warning("orphan%u is given back without %s", entry->n,
			    scratch.not_carried);
	return ret;
}

uint64_t refill_bytes(const struct manifest *manifest, pid_t holder,
		      bool (*wanted)(const struct manifest_entry *entry))
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < manifest->n_entries; i++) {
		const struct manifest_entry *entry = &manifest->entries[i];

		if (restore_is_of(entry, holder) && (!wanted || wanted(entry)))
			bytes += orphan_bytes(&entry->orphan);
	}
	return bytes;
}

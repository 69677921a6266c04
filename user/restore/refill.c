/* SPDX-License-Identifier: GPL-2.0-only */
#include "refill.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/log.h"
#include "preserve/fill.h"
#include "preserve/source.h"

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
	ret = fill(readable, &st, METHOD_CLONE, fd, NULL, &scratch);
	if (ret)
		ret = fill(readable, &st, METHOD_COPY, fd, NULL, &scratch);
	if (scratch.not_carried)
		log_warning("orphan%u is given back without %s", entry->n,
			    scratch.not_carried);
	return ret;
}

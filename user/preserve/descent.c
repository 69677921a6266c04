/* SPDX-License-Identifier: GPL-2.0-only */
#include "descent.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"

void descent_fini(struct descent *descent)
{
	ladder_fini(&descent->ladder);
	descent->ladder = (struct ladder){.fd = -1};
	free(TAKE_PTR(descent->why));
}

int descent_renew(struct preserve *preserve, struct descent *descent)
{
	struct ladder *ladder = &descent->ladder;
	const struct manifest_entry *entry = ladder->entry;
	char path[RELINK_PATH_MAX];
	int ret;

	/* What is made again at the restore needs none. */
	if (ladder->folder ? folder_was_seen(&preserve->folders, ladder->folder)
			   : ladder->methods[ladder->next] == METHOD_RECREATE)
		return 0;
	if (ladder->store)
		return folder_set_get_store(&preserve->folders, preserve->manifest,
					    &ladder->folder, &descent->why);
	ret = manifest_name(preserve->manifest, false, entry->n, path);
	return ret
		       ?: folder_set_get(&preserve->folders, preserve->manifest,
					 entry->orphan.mnt_id, descent->holder, path,
					 &ladder->folder, &descent->why);
}

bool descent_any_pending(struct descent *const *descents, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (descents[i]->pending)
			return true;
	return false;
}

int descent_round(struct preserve *preserve, struct descent *const *descents, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		struct descent *descent = descents[i];

		if (!descent->pending)
			continue;
		descent->ret = descent_renew(preserve, descent)
				       ?: ladder_prepare(&descent->ladder, &descent->why);
		descent->pending = !descent->ret || descent->ret == -EAGAIN;
		ret = preserve_grave(descent->ret);
	}
	ret = ret ?: preserve_write_down(preserve);
	for (size_t i = 0; i < n && !ret; i++) {
		struct descent *descent = descents[i];

		if (!descent->pending || descent->ret)
			continue;
		descent->ret = ladder_publish(&descent->ladder);
		descent->pending = descent->ret == -EAGAIN;
		ret = preserve_grave(descent->ret);
	}
	preserve->folders.round++;
	return ret;
}

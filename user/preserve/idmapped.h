/* SPDX-License-Identifier: GPL-2.0-only */
/* Idmapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP): through them a file has another owner
 * than its filesystem says. */
#ifndef RELINKTRACE_IDMAPPED_H
#define RELINKTRACE_IDMAPPED_H

#include "source.h"

/* Where @holder had @source through mount @mnt_id, and that is idmapped: opens it again, by
 * handle, on that mount of ours where mountroot_open() lets its names be made, so that
 * stat says the owner that it has there. 0, also where there is no other mount or nothing
 * is mapped; -EOVERFLOW the filesystem gives no handles (overlay); -ENOMEM; and the reason in
 * @why. */
int idmapped_settle(int mnt_id, const struct holder *holder, struct source *source,
		    char **why);

#endif

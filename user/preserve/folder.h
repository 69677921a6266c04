/* SPDX-License-Identifier: GPL-2.0-only */
/* The folders that a checkpoint puts its names into: one on each mount that has orphans.
 */
#ifndef RELINKTRACE_FOLDER_H
#define RELINKTRACE_FOLDER_H

#include "manifest/manifest.h"
#include "proc/mount.h"

struct folder {
	struct mount mount;
	int root_fd; /* the mount's root, O_PATH */
	int fd;	     /* the folder, O_PATH */
};

struct folder_set {
	struct folder **folders; /* owned */
	size_t n;
};

/* Frees what @set owns; for AUTO(). */
void folder_set_fini(struct folder_set *set);

/* The folder for relink paths like @relink_path on mount @mnt_id, reached through
 * @holder; opened, and made where it is missing, at the first call for a mount. Folders
 * that were made are added to @manifest. *@out belongs to @set. 0; -errno and the reason
 * in @why. */
int folder_set_get(struct folder_set *set, struct manifest *manifest, int mnt_id,
		   const struct holder *holder, const char *relink_path,
		   struct folder **out, char **why);

/* The folder on mount @mnt_id that was got before, or NULL. */
struct folder *folder_set_find(const struct folder_set *set, int mnt_id);

/* Brings the names in all folders to the disk. 0 or -errno. */
int folder_set_sync(const struct folder_set *set);

#endif

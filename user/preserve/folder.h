/* SPDX-License-Identifier: GPL-2.0-only */
/* The folders that a checkpoint puts its names into: one on each mount that has orphans, and
 * one in the store. */
#ifndef RELINKTRACE_FOLDER_H
#define RELINKTRACE_FOLDER_H

#include <stdatomic.h>

#include "depot.h"
#include "journal/journal_file.h"
#include "manifest/manifest.h"
#include "proc/fsid.h"
#include "proc/mount.h"

struct folder {
	struct mount mount; /* of the one in the store only the device, and as its point
			     * where the store is */
	bool store;
	int root_fd;	      /* the mount's root, or the store, O_PATH */
	char fsid[FSID_SIZE]; /* of the mount's filesystem */
	const char *detour;   /* why that is on another mount, see mountroot.h; or NULL */
	int fd;		      /* the folder, O_PATH */
	unsigned int place;   /* of the journal, where there is one */
	bool no_tmpfile;      /* the filesystem refuses O_TMPFILE (open(2)) */
	atomic_bool no_clone; /* and FICLONE (ioctl_ficlone(2)), whatever the file */
	/* Names of its own (journal_own_name()) that are on the disk and not used yet. */
	unsigned int own_next, own_left;
	int *spare; /* owned, with their fds: empty files without a name */
	size_t n_spare;
	unsigned int looked; /* the round in which it was there */
};

struct folder_set {
	struct journal_file *journal; /* not owned; NULL none is kept */
	unsigned int n_own;	      /* names of their own that were made without one */
	size_t n_litter;	      /* see folder_litter() */
	struct folder **folders;      /* owned */
	size_t n;
	const struct depot *depot; /* not owned; NULL there is no store */
	struct folder *store;	   /* owned; the folder in it; NULL not needed yet */
	/* Raised by whoever works on many files, see folder_was_seen(); 0: nobody does. */
	unsigned int round;
};

/* Frees what @set owns; for AUTO(). */
void folder_set_fini(struct folder_set *set);

/* The folder for relink paths like @relink_path on mount @mnt_id, reached through
 * @holder; opened, and made where it is missing, at the first call for a mount and when it
 * is gone. Folders that were made, by this checkpoint or by another, are added to @manifest.
 * *@out belongs to @set. 0; -errno and the reason in @why. */
int folder_set_get(struct folder_set *set, struct manifest *manifest, int mnt_id,
		   const struct holder *holder, const char *relink_path,
		   struct folder **out, char **why);

/* The same for the folder in the store, which there is. */
int folder_set_get_store(struct folder_set *set, struct manifest *manifest,
			 struct folder **out, char **why);

/* The folder on mount @mnt_id, or where @store in the store, that was got before, or NULL. */
struct folder *folder_set_find(const struct folder_set *set, bool store, int mnt_id);

/* A new file without a name in @folder, for reading and writing: one of those that were made
 * before, or a new one. fd, owned by the caller; -EOPNOTSUPP, -EISDIR, -EINVAL the filesystem
 * cannot (O_TMPFILE, open(2)); -errno. */
int folder_tmpfile(struct folder *folder);

/* Makes one more for folder_tmpfile(), which is open. 0 or -errno. */
int folder_make_spare(struct folder *folder);

/* How many of them there are in all folders of @set. */
size_t folder_spares(const struct folder_set *set);

/* Whether somebody removed @folder meanwhile: no name can be made in it any more. Another
 * checkpoint, which made it, may have been cleaned. */
bool folder_is_gone(const struct folder *folder);

/* Whether @folder was there in this round of @set already. That it has been removed since is
 * said by what is to be made in it, and is looked at then. */
bool folder_was_seen(const struct folder_set *set, const struct folder *folder);

/* The next number of a name of the checkpoint's own (journal_own_name()). */
unsigned int folder_own_number(struct folder_set *set);

/* A name in @folder of the checkpoint @id's own, for a file that will be known by its
 * inode only when it is there; on the disk in the journal. @relink_path names the folder.
 * 0 or -errno. */
int folder_own_name(struct folder_set *set, struct folder *folder, const char *id,
		    const char *relink_path, char out[JOURNAL_OWN_NAME]);

/* @name of ours on the mount of @folder could not be removed (@error, -errno), and no
 * manifest will have it: says so, and that the journal has to stay. */
void folder_litter(struct folder_set *set, const struct folder *folder, const char *name,
		   int error);

/* Whether @name, which is to be on the mount of @folder, was made cannot be found out, since
 * the call that was to make it failed with @error (-errno): as folder_litter(). */
void folder_doubt(struct folder_set *set, const struct folder *folder, const char *name,
		  int error);

/* Removes @name, of the checkpoint's own and of type @type (of S_IFMT), from @dir_fd, on the
 * mount of @folder, where the call that was to make it failed with @error (-errno) and may
 * have made it. Where that cannot be done, or known, folder_litter() or folder_doubt() is
 * told. */
void folder_take_back(struct folder_set *set, const struct folder *folder, int dir_fd,
		      const char *name, mode_t type, int error);

/* Brings the names in @folder to the disk, where it was opened. 0 or -errno. */
int folder_sync(const struct folder *folder);

#endif

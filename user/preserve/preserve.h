/* SPDX-License-Identifier: GPL-2.0-only */
/* Preserving: every orphan gets a name again by the cheapest true way, and what was done
 * goes into a manifest. */
#ifndef RELINKTRACE_PRESERVE_H
#define RELINKTRACE_PRESERVE_H

#include "folder.h"
#include "precopy.h"
#include "proc/theirfd.h"
#include "source.h"
#include "unsynced.h"
#include "manifest/manifest.h"

struct preserve_options {
	enum method method; /* METHOD_AUTO, or the only one to be tried */
	bool digest;	    /* of every regular file's bytes, for restore to verify */
	bool stop;   /* the holders end after this, so an O_TMPFILE may be linked */
	bool frozen; /* the holders do not run meanwhile, see peek.h */
	bool late;   /* what is made comes to the disk by preserve_settle() only */
	/* The names may keep so many bytes allocated; 0: any number. */
	uint64_t max_bytes;
	/* Where names are written down before they are made; begun; outlives the preserve.
	 * NULL: nowhere, and what is made is forgotten when this process is killed. */
	struct journal_file *journal;
	const struct depot *depot; /* takes copies; outlives the preserve; NULL none */
	struct precopies
		*precopies; /* made before the freeze; outlives the preserve; NULL */
	bool small;	    /* of what is small alone, see precopy.h */
	/* Called with @data each time that some more have come into the manifest and their
	 * names to the disk; @anew: some of before have gone. 0 or -errno, which ends the
	 * work. NULL: nothing. */
	int (*recorded)(bool anew, void *data);
	void *data;
};

struct preserve {
	struct preserve_options options;
	struct manifest *manifest; /* not owned; outlives this */
	struct folder_set folders;
	unsigned int next_n;
	/* For the holders, who come together. */
	struct process_pinned holder;
	struct theirfd their;
	/* Of the mount of number fsid_of, that of an entry before. */
	int fsid_of;
	char fsid[FSID_SIZE];
	struct unsynced unsynced;
	bool has_clock;	  /* the template makes names that nobody else makes */
	size_t late_left; /* files that may stay open for it */
	size_t n_spare;	  /* of them open since before */
	size_t room;	  /* files that could be open before that; 0 not known */
	bool kept;
	size_t left;	   /* names that were made and could not be removed again */
	size_t n_volatile; /* entries whose names may not be on the disk */
};

/* For preserve_fini() from then on. @manifest has been begun and outlives @preserve. */
void preserve_begin(struct preserve *preserve, const struct preserve_options *options,
		    struct manifest *manifest);

/* Opens @orphan through any of its holders, fds first, since what they lead to is best
 * known; and the folder on its mount where @folder is not NULL. 0; -ENOMEM; -errno and the
 * reason in @why. */
int preserve_reach(struct preserve *preserve, struct orphan *orphan,
		   struct source *source, struct folder **folder, char **why);

/* The same by what is still open of @copy, made before the freeze (NULL: none), where it is held by
 * the fd that it was reached through then, and by fds of the same mount alone. 0; -errno, and
 * preserve_reach() may still do. */
int preserve_reach_copied(struct preserve *preserve, const struct orphan *orphan,
			  struct precopied *copy, struct source *source,
			  struct folder **folder);

/* Makes and opens the folders that the names of @set will be in, as it is now, and with
 * options.late the files for what is to be copied, so that preserve_all() finds them. What
 * cannot be reached is left to it. 0; -EINTR; -ENOMEM. */
int preserve_folders(struct preserve *preserve, struct orphan_set *set);

/* Preserves every orphan of @set, and moves each into the manifest: to its entries, or
 * with the reason to those that failed. manifest->complete is set. 0, also when some
 * failed; -EDQUOT it would be more than options.max_bytes, and nothing was made; -EINTR when
 * interrupt_pending(); -errno: the reason is logged. With options.late preserve_settle() is the
 * caller's. */
int preserve_all(struct preserve *preserve, struct orphan_set *set);

/* What ends the whole, and not only one orphan's way: that of @ret which is so, or 0. */
int preserve_grave(int ret);

/* Brings what the journal was told to the disk. 0; -errno, which was logged. */
int preserve_write_down(struct preserve *preserve);

/* Brings to the disk what preserve_all() made; what may not have come there has failed.
 * Copies get their names. The holders may run again. 0; -ENOMEM; -EINTR; -errno. */
int preserve_settle(struct preserve *preserve);

/* The manifest is on disk: the names stay. */
void preserve_keep(struct preserve *preserve);

/* Removes every name and folder that was made, unless they are kept. How many of them, and
 * of those that were to go before, are left, each logged: then the journal must stay. */
size_t preserve_undo(struct preserve *preserve);

/* Does preserve_undo() where that has not been done, and frees what @preserve owns; for
 * AUTO(). */
void preserve_fini(struct preserve *preserve);

#endif

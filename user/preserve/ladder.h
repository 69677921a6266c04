/* SPDX-License-Identifier: GPL-2.0-only */
/* The ladder: link, else clone, else copy; for what is no regular file link, else leave
 * it to be made again. */
#ifndef RELINKTRACE_LADDER_H
#define RELINKTRACE_LADDER_H

#include "folder.h"
#include "manifest/manifest.h"
#include "source.h"

#define LADDER_STEPS 3

/* One orphan's way down the ladder. It goes in two steps, so that what is prepared for
 * many is brought to the disk by one sync of the journal, before the first name is made.
 */
struct ladder {
	const struct manifest *manifest; /* its template and ktime make the names */
	unsigned int *next_n;		 /* the number that is given out next */
	bool stop;			 /* an O_TMPFILE may be linked */
	bool store;			 /* the names go into the store */
	bool digest;			 /* of the bytes, into the entry */
	struct source *source;		 /* not owned */
	struct folder_set *folders;	 /* not owned; with the journal */
	struct folder *folder;	      /* not owned; NULL where only recreate is wanted */
	struct manifest_entry *entry; /* not owned; filled; its n and orphan are set */
	enum method methods[LADDER_STEPS];
	size_t n_methods, next; /* next: the one that is tried */
	int fd;			/* a new file that has not its name yet; owned; -1 none */
	struct precopied *precopied; /* an earlier copy; not owned; NULL none */
	bool is_precopied;	     /* fd is it */
	/* fd is kept, for its owner to bring to the disk and, where it has no name of our own,
	 * to have it named then (late.h). */
	bool late;
	bool unnamed;	/* it may go without one so long */
	bool recorded;	/* the entry has what fd is like */
	bool filled;	/* it has its contents */
	bool synced;	/* and they are on the disk */
	int fill_error; /* -errno of the last method that could have filled it */
	char own[JOURNAL_OWN_NAME]; /* its name in the folder meanwhile; "" none */
	char *path;		    /* owned; the name that is to be made; NULL none */
	size_t n_noted; /* the last so many steps of the entry are methods not taken */
};

/* The methods that come into question for @orphan, in order; of a regular file only
 * @forced, unless that is METHOD_AUTO; with @store none that links. Returns how many, which
 * may be none. Pure. */
size_t ladder_methods(const struct orphan *orphan, enum method forced, bool store,
		      enum method out[static LADDER_STEPS]);

/* Whether @orphan will be cloned or copied, for all that is known before it is tried; @stop as
 * in struct ladder. Pure. */
bool ladder_needs_file(const struct orphan *orphan, enum method forced, bool store,
		       bool stop);

/* Where a new file is the next method's way, makes it, empty and without its name. Whether
 * ladder_fill() has something to do now; failures are ladder_prepare()'s to tell. */
bool ladder_open(struct ladder *ladder);

/* Fills the file that ladder_open() made, by the first of the methods left that can. The
 * one function that may run in several threads, each with a ladder of its own; optional,
 * since ladder_prepare() does what was not done. 0; -ENOMEM, -EINTR; any other failure is
 * kept for ladder_prepare(), which tells it. */
int ladder_fill(struct ladder *ladder);

/* Waits until what ladder_fill() has filled is on the disk; after it was called for all of a
 * batch, since the first one's fsync(2) then brings the metadata of all to the disk. May run
 * in several threads as well; optional too, and a failure is ladder_prepare()'s to tell. */
void ladder_sync(struct ladder *ladder);

/* Takes the new file back, and with it the room that it has; ladder->fill_error stays. */
void ladder_drop(struct ladder *ladder);

/* Does what comes before the name: for a link the name is chosen, for a clone or a copy
 * the file is made without one and filled too, by the first method that does not fail; the
 * entry records why one was not taken. The name is in the journal, not yet on the disk; one
 * that is made late is not even chosen. 0;
 * -EAGAIN the folder is gone: get it again and try again; the last method's -errno with
 * all reasons in @why; -EINTR, -ENOMEM. */
int ladder_prepare(struct ladder *ladder, char **why);

/* Makes the name that was prepared; the journal has been synced. 0, and the entry is
 * filled; -EAGAIN: ladder_prepare() again, for another name or the next method; -EINTR,
 * -ENOMEM. */
int ladder_publish(struct ladder *ladder);

/* Removes what was made and has not its name, and frees what @ladder owns; for AUTO(). */
void ladder_fini(struct ladder *ladder);

#endif

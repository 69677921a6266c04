/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying before the freeze what can only be copied, so that inside of it only what changed
 * since is left to do.
 *
 * A file is taken for unchanged when all of this holds, and is else compared byte by byte:
 *
 * - Its ctime and size are those from before it was read, and its ctime is PRECOPY_MARGIN
 *   older than a moment, the barrier, at which the cgroup was frozen: a write sets the ctime
 *   when it begins and may go on for long, but none of the cgroup's outlives a freeze, and
 *   one that begins later has a later ctime, however coarse the clock.
 * - It was brought to the disk after the barrier and before its ctime was looked at.
 *   Writeback makes the pages of shared mappings read-only again (folio_mkclean), so that
 *   the next store to each faults and sets the ctime (page_mkwrite, file_update_time); until
 *   then stores leave no trace. That is so on ext2, ext3, ext4, xfs and btrfs, not on tmpfs,
 *   not with DAX, and of overlay it is not known what is below: those are compared.
 * - Nobody outside of the cgroup holds it, no fd has O_DIRECT (such writes may be under way
 *   asynchronously), and it is held by fds, mappings or as an executable alone.
 *
 * With preserve_options.small that is done of files of PRECOPY_SMALL at most alone, which takes no
 * time that anybody minds, and of none that a mapping holds, so that nothing has to be brought to
 * the disk: a mapping that is made after the look has no page that can be stored to without a fault.
 * Where nothing changed such a copy has all that it is to have, and is not touched again.
 */
#ifndef RELINKTRACE_PRECOPY_H
#define RELINKTRACE_PRECOPY_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include "manifest/attributes.h"
#include "orphan/orphan.h"

/* Bytes. */
#define PRECOPY_SMALL (64 << 10)

/* Seconds. Far above any clock tick, and above what the kernel itself writes at a time for
 * loop devices and file servers. */
#define PRECOPY_MARGIN 2

/* A copy, and what its source was like when it was made. */
struct precopied {
	uint32_t dev_major, dev_minor;
	uint64_t ino;
	bool has_generation;
	uint32_t generation;
	int mnt_id;
	int fd;		 /* of the copy, which has no name; owned; -1 given away */
	uint64_t bytes;	 /* copied */
	int clone_error; /* -errno of the clone that was tried first; 0 none was */
	struct timespec ctime;
	off_t size;
	dev_t st_dev;
	bool trusted; /* the first and last conditions above held, and the filesystem's */
	/* It has all that its source had, the times too: */
	bool whole;
	struct attributes attributes; /* owned; these, */
	uint64_t statx_attributes;    /* these of statx(2), */
	char *not_carried;	      /* owned; but not that; NULL */
	/* Its source, open until the end, and the fd that it was reached through. */
	int src; /* owned; readable; -1 none */
	pid_t pid;
	uint64_t start_time;
	int their_fd;
};

struct precopies {
	struct precopied *items; /* owned; after precopies_sort() by number and device */
	size_t n;
};

struct preserve;

/* Frees what @copies owns; for AUTO(). */
void precopies_fini(struct precopies *copies);

/* Copies into files without a name, on their own mounts, those orphans of @set that
 * @preserve (begun) would have to copy. @barrier is a time of CLOCK_REALTIME_COARSE at
 * which the cgroup was frozen. A file that cannot be copied now is left to preserve_all().
 * @set may be added to, as by preserve_reach(). 0; -EINTR, -ENOMEM; -EDQUOT as
 * budget_check(), before anything is made. */
int precopy_all(struct preserve *preserve, struct orphan_set *set,
		const struct timespec *barrier, struct precopies *out);

/* Brings @copies, to which nothing is added any more, into the order that
 * precopies_find() needs; precopy_all() has done so. */
void precopies_sort(struct precopies *copies);

/* How many files are open for those that are not given away. */
size_t precopies_files(const struct precopies *copies);

/* The copy of @orphan that is not given away, or NULL. */
struct precopied *precopies_find(const struct precopies *copies,
				 const struct orphan *orphan);

/* Whether nothing can have changed in @orphan, whose stat is @st now that the cgroup is
 * frozen, since it was copied. Pure. */
bool precopy_is_unchanged(const struct precopied *copy, const struct orphan *orphan,
			  const struct stat *st);

/* Makes @dst, an earlier copy of @src, equal to @src of @size bytes: data and holes.
 * *@bytes is what had to be written. 0; -EINTR; -errno. */
int precopy_update(int src, off_t size, int dst, uint64_t *bytes);

#endif

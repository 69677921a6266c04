/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking an inode's attributes over to another inode. What a filesystem cannot keep is
 * told, and is no error: the data matters more. */
#ifndef RELINKTRACE_CARRY_H
#define RELINKTRACE_CARRY_H

#include <sys/stat.h>

#include "manifest/attributes.h"

/* Reads what the inode behind @fd (O_PATH is enough), whose stat is @st, has; flags and
 * project of regular files and directories only, others could not be opened without
 * harm. 0 or -errno; the caller's to attributes_fini(). */
int carry_read(int fd, const struct stat *st, struct attributes *out);

/* Adds one thing to *@missing, a text that is the caller's to free(), or NULL. 0 or -ENOMEM. */
__attribute__((format(printf, 2, 3))) int carry_miss(char **missing, const char *format,
						     ...);

/* Before data comes into the new regular file or directory @fd: the project that is to pay
 * for it, the hints of allocation, and those inode flags that say how data is kept (nocow,
 * compression; ioctl_iflags(2)). What cannot be set is added to *@missing, one text with "; "
 * between. 0 or -ENOMEM. */
int carry_prepare(int fd, const struct attributes *attributes, char **missing);

/* After that: owner, extended attributes (those the new inode got from its folder go),
 * permissions of @st, the other inode flags but immutable and append, which would be in
 * the way of whoever opens or removes the file, and at last the times. @fd may be O_PATH.
 * What it has by @now already is not set again; NULL: that is not known.
 * *@missing as above. 0 or -errno. */
int carry_write(int fd, const struct statx *now, const struct stat *st,
		const struct attributes *attributes, char **missing);

/* What carry_read() cannot even see for want of a capability, added to *@missing, as above. 0 or
 * -ENOMEM. */
int carry_unseen(char **missing);

/* "; CAP_X is needed to … and is missing" where @error (-errno) of one of these, or of reading
 * what is copied, can be for want of it; else "". As caps_missing(). */
const char *carry_refused(int error);

/* Whether the flag immutable or append is among @attributes. */
bool carry_is_sealed(const struct attributes *attributes);

/* The very last: the flags immutable and append. Nobody can open the file for writing, or
 * remove a name of it, from then on. @fd may be O_PATH. 0 or -errno. */
int carry_seal(int fd, const struct attributes *attributes);

#endif

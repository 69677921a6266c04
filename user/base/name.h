/* SPDX-License-Identifier: GPL-2.0-only */
/* A name in a folder: taking another one without taking anybody's, and what a call that
 * failed may have done to it. */
#ifndef RELINKTRACE_NAME_H
#define RELINKTRACE_NAME_H

#include <stdbool.h>
#include <sys/stat.h>

/* Whether a call that was to make a name and failed with @error (-errno) may have made it:
 * a server's answer was lost, or what came after it failed. False for those that refuse
 * before anything is done (link(2), mkdir(2), open(2), rename(2)), of which EEXIST is one;
 * but see name_leads_to(). Pure. */
bool name_may_be_made(int error);

/* Whether @name in @dir_fd is one of the file of @st, of which the caller knows that it is
 * there, so that no other can have its number. 0; -ENOENT no such name; -ESTALE another
 * file; -errno. */
int name_leads_to(int dir_fd, const char *name, const struct stat *st);

/* What name_move() could not find out, or not do. */
struct name_moved {
	bool doubt; /* it failed, and the new name may be there all the same */
	int left; /* -errno: it has both names, as the old one could not be removed; or 0 */
};

/* Gives the file of @st, which has no name but @from in @dir_fd, the name @to there, if
 * nobody has that. Where the filesystem knows no RENAME_NOREPLACE (rename(2)) two steps do
 * the same; of a directory nothing can, and an empty one that took the name meanwhile is
 * replaced. 0, also where the kernel said otherwise but @to leads to the file; -EEXIST;
 * -errno. @moved is set in any case. */
int name_move(int dir_fd, const char *from, const char *to, const struct stat *st,
	      struct name_moved *moved);

#endif

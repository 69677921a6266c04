/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that say what is opened, handed over and removed. */
#ifndef RELINKTRACE_TRUSTED_H
#define RELINKTRACE_TRUSTED_H

/* Whether nobody but root and we can have written @fd, a @what ("manifest") at @path: it
 * belongs to one of them and others may not write to it. 0; -EPERM; -errno; and the reason
 * with what to do in @why. */
int trusted_check(int fd, const char *what, const char *path, char **why);

#endif

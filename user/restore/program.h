/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a program before the point of no return. */
#ifndef RELINKTRACE_PROGRAM_H
#define RELINKTRACE_PROGRAM_H

/* Finds @name as execvp(3) does, and makes the path absolute, so that it holds in another
 * directory. 0 and *@path owned by the caller; -ENOENT; -EACCES not executable; -errno.
 */
int program_find(const char *name, char **path);

#endif

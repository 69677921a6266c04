/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of ours as one text. */
#ifndef RELINKTRACE_READALL_H
#define RELINKTRACE_READALL_H

#include <stddef.h>

/* All of the regular file @fd, from where it stands, terminated: *@text is owned by the
 * caller and has *@len bytes. 0; -EINVAL not a regular file; -EFBIG more than @max bytes;
 * -ENOMEM; -errno. */
int readall(int fd, size_t max, char **text, size_t *len);

#endif

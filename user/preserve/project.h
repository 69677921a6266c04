/* SPDX-License-Identifier: GPL-2.0-only */
/* Project ids (quotas of directory trees): a folder whose files inherit its project takes
 * no name of a file of another one (EXDEV; fs/xfs/xfs_inode.c, xfs_link and xfs_rename;
 * fs/ext4/namei.c). Where a filesystem has none, nothing is done. */
#ifndef RELINKTRACE_PROJECT_H
#define RELINKTRACE_PROJECT_H

#include <stdint.h>

/* Has the new folder @name in @dir_fd give its project to nobody, so that any file can get
 * a name in it. 0 or -errno. */
int project_end_inheritance(int dir_fd, const char *name);

/* The project of directory @dir_fd (O_PATH is enough). 0 or -errno. */
int project_of_folder(int dir_fd, uint32_t *project);

/* Gives the file @fd (readable) to @project; *@was is whose it was. 0 or -errno. */
int project_set(int fd, uint32_t project, uint32_t *was);

#endif

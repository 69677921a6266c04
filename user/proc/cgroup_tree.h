/* SPDX-License-Identifier: GPL-2.0-only */
/* The v2 tree as it is mounted here: for cgroup.h alone. */
#ifndef RELINKTRACE_CGROUP_TREE_H
#define RELINKTRACE_CGROUP_TREE_H

#include <stdbool.h>
#include <stdint.h>

/* Finds and opens the tree once. 0 or -errno (-ENODEV not mounted). */
int cgroup_tree_open(void);

/* Of the tree, when it is open: the directory POINT shows the cgroup ROOT. NULL before. */
const char *cgroup_tree_point(void);
const char *cgroup_tree_root(void);

/* Opens @below, relative to the tree, and nothing outside of it. fd or -errno. */
int cgroup_tree_open_below(const char *below);

/* Opens cgroup @id. fd or -errno. */
int cgroup_tree_open_id(uint64_t id);

/* Closes the tree and forgets where it is. */
void cgroup_tree_drop(void);

/* Whether @fd is of a v2 tree; false for -1. */
bool cgroup_fd_is_v2(int fd);

/* Id of the cgroup directory @fd. 0 or -errno. */
int cgroup_fd_id(int fd, uint64_t *id);

/* Path below the v2 root of the cgroup directory @fd, through whichever mount it was
 * opened; owned by the caller. 0; -ESTALE removed; -errno. */
int cgroup_fd_path(int fd, char **path);

/* What of @path is below @dir, without leading slashes ("" for @dir itself); NULL when it
 * is not below it. */
const char *cgroup_path_below(const char *dir, const char *path);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* The template of relink names, and which paths may be relink names at all. Pure. */
#ifndef RELINKTRACE_TEMPLATE_H
#define RELINKTRACE_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

/* The name of the patch of 2010 (CKPT_RELINKAT_FMT in its fs/namei.c). */
#define TEMPLATE_DEFAULT "lost+found/checkpoint/unlink-at-restart-%t-%n"

/* A relink path with its NUL. Far under PATH_MAX, so that a mount point before it still
 * makes a path that can be opened. */
#define RELINK_PATH_MAX 1024

/* NULL when @template can be used, else what is wrong with it (a constant text): it must
 * be relative, without empty, "." and ".." components; %t (the clock), %n (the counter)
 * and %% are known; the last component has %n and no other has it, so that the folder is
 * one; expanded it fits RELINK_PATH_MAX, each component NAME_MAX. */
const char *template_problem(const char *template);

/* Whether @template, which can be used, has %t anywhere, so that no two checkpoints make the
 * same names. */
bool template_has_clock(const char *template);

/* Expands @template: %t to @ktime (ns) as %08llx, %n to @n. 0; -EINVAL for an unknown
 * conversion; -ENAMETOOLONG. */
int template_expand(const char *template, uint64_t ktime, unsigned int n,
		    char out[static RELINK_PATH_MAX]);

/* Whether @path is relative, shorter than RELINK_PATH_MAX, and each component is neither
 * empty nor "." nor ".." nor longer than NAME_MAX. */
bool relink_path_valid(const char *path);

/* Whether @path is absolute, and no component of it is "." or "..". */
bool absolute_path_valid(const char *path);

#endif

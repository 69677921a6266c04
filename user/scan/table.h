/* SPDX-License-Identifier: GPL-2.0-only */
/* The listing for people. */
#ifndef RELINKTRACE_TABLE_H
#define RELINKTRACE_TABLE_H

#include <stdbool.h>

#include "orphan/orphan.h"

/* Prints @set to stdout, one row an inode. @columns: names separated by commas, "+NAME"
 * adds to the default ones; NULL for these. @bytes: sizes as plain numbers. Control bytes
 * of names are escaped. 0 or -errno. */
int table_print(const struct orphan_set *set, const char *columns, bool bytes);

/* 0, or -EINVAL when a name in @columns is not a column's. */
int table_check_columns(const char *columns);

/* All names, separated by commas; static storage. */
const char *table_column_names(void);

#endif

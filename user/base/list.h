/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists that grow by one element at a time, without a count of their room: they are full
 * at each power of two. */
#ifndef RELINKTRACE_LIST_H
#define RELINKTRACE_LIST_H

#include <stddef.h>
#include <stdlib.h>

/* @list with room for one more element of @size bytes behind its @n; NULL, and @list as it
 * was, when memory is out. */
static inline void *list_grow(void *list, size_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	return reallocarray(list, n ? 2 * n : 1, size);
}

#endif

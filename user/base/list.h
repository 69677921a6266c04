/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists that grow by one element at a time, without a count of their room: they are full
 * at each power of two. And text that grows by pieces, with one. */
#ifndef RELINKTRACE_LIST_H
#define RELINKTRACE_LIST_H

#include <errno.h>
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

/* Makes room for @wanted bytes in *@text, which has *@size (0: none yet, then at least
 * @first): twice as many each time. 0; -ENOMEM, and all as it was. */
static inline int list_reserve(char **text, size_t *size, size_t first, size_t wanted)
{
	size_t more = *size ? *size : first;
	char *grown;

	while (more < wanted)
		more *= 2;
	if (more == *size)
		return 0;
	grown = realloc(*text, more);
	if (!grown)
		return -ENOMEM;
	*text = grown;
	*size = more;
	return 0;
}

#endif

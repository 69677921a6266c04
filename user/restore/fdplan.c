/* SPDX-License-Identifier: GPL-2.0-only */
#include "fdplan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/list.h"

void fdplan_fini(struct fdplan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		auto_close(&plan->items[i].fd);
	free(plan->items);
	*plan = (struct fdplan){0};
}

void fdplan_close(struct fdplan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->items[i].fd >= 0)
			close(TAKE_FD(plan->items[i].fd));
}

int fdplan_add(struct fdplan *plan, int fd, int wanted, unsigned int n)
{
	AUTO_FD own = fd;
	struct fdplan_item *items = list_grow(plan->items, plan->n, sizeof(*items));

	if (!items)
		return -ENOMEM;
	plan->items = items;
	items[plan->n++] =
		(struct fdplan_item){.fd = TAKE_FD(own), .wanted = wanted, .n = n};
	return 0;
}

static int wanted_compare(const void *left, const void *right)
{
	int a = *(const int *)left, b = *(const int *)right;

	return a < b ? -1 : a > b;
}

/* 0 when no number is wanted twice. */
static int check_distinct(const struct fdplan *plan)
{
	AUTO_FREE int *numbers = calloc(plan->n + 1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n; i++)
		numbers[i] = plan->items[i].wanted;
	qsort(numbers, plan->n, sizeof(*numbers), wanted_compare);
	for (size_t i = 1; i < plan->n; i++)
		if (numbers[i] == numbers[i - 1])
			return -EEXIST;
	return 0;
}

/* Allows fds below @number. */
static int raise_limit(struct fdplan *plan, rlim_t number)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, &plan->limit))
		return -errno;
	if (plan->limit.rlim_cur >= number)
		return 0;
	if (plan->limit.rlim_max < number)
		return -EMFILE;
	raised = (struct rlimit){number, plan->limit.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &raised))
		return -errno;
	plan->raised = 1;
	return 0;
}

int fdplan_prepare(struct fdplan *plan)
{
	int top = STDERR_FILENO, ret;

	for (size_t i = 0; i < plan->n; i++)
		if (plan->items[i].wanted > top)
			top = plan->items[i].wanted;
	if ((size_t)(INT_MAX - top) / 2 <= plan->n + 16)
		return -EMFILE;
	for (size_t i = 0; i < plan->n; i++)
		if (plan->items[i].wanted < 0)
			plan->items[i].wanted = ++top;
	ret = check_distinct(plan);
	/* Ours above, with some that happen to be there. */
	ret = ret ?: raise_limit(plan, (rlim_t)top + 1 + plan->n + 8);
	if (ret)
		return ret;
	for (size_t i = 0; i < plan->n; i++) {
		int moved = fcntl(plan->items[i].fd, F_DUPFD_CLOEXEC, top + 1);

		if (moved < 0)
			return -errno;
		close(plan->items[i].fd);
		plan->items[i].fd = moved;
	}
	return 0;
}

int fdplan_place(struct fdplan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (dup2(plan->items[i].fd, plan->items[i].wanted) < 0)
			return -errno;
	/* Fds above the limit stay open (setrlimit(2)). */
	if (plan->raised && setrlimit(RLIMIT_NOFILE, &plan->limit))
		return -errno;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "kcmp.h"

#include <string.h>
#include <sys/syscall.h>

#include "base/auto.h"

/* 0 the same, 1 and 2 before and after in the kernel's order of them; -errno. */
static int kcmp_order(pid_t a, pid_t b, int type, unsigned long fd_a, unsigned long fd_b)
{
	int order = syscall(SYS_kcmp, a, b, type, fd_a, fd_b);

	return order < 0 ? -errno : order;
}

void kcmp_tables_fini(struct kcmp_tables *tables)
{
	free(tables->tids);
	tables->tids = NULL;
	tables->n = 0;
}

int kcmp_tables_add(struct kcmp_tables *tables, pid_t tid)
{
	pid_t *grown;

	for (size_t i = 0; i < tables->n; i++) {
		int order = kcmp_order(tables->tids[i], tid, tables->type, 0, 0);

		if (!order)
			return 0;
		if (order == -EPERM || order == -ENOSYS)
			return order;
	}
	grown = reallocarray(tables->tids, tables->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	tables->tids = grown;
	tables->tids[tables->n++] = tid;
	return 1;
}

static pid_t holder_task(const struct holder *holder)
{
	return holder->tid ? holder->tid : holder->pid;
}

/* Where in @sorted, @n holders with one description each in kcmp's order, the description
 * of @holder is or belongs: *@same tells which. -errno when one of them is gone. */
static ssize_t ofd_search(struct holder *const *sorted, size_t n,
			  const struct holder *holder, bool *same)
{
	size_t low = 0, high = n;

	*same = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct holder *other = sorted[middle];
		int order = kcmp_order(holder_task(holder), holder_task(other), KCMP_FILE,
				       holder->fd, other->fd);

		*same = !order;
		if (*same)
			return middle;
		if (order < 0 || order > 2)
			return order < 0 ? order : -EOPNOTSUPP;
		if (order == 1)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Gives the fds of @orphan that share an open file description one number. kcmp(2) has an
 * order, so that n fds take n log n calls. */
static int orphan_find_ofds(struct orphan *orphan, uint64_t *next)
{
	AUTO_FREE struct holder **sorted = calloc(orphan->n_holders, sizeof(*sorted));
	size_t n = 0;

	if (!sorted && orphan->n_holders)
		return -ENOMEM;
	for (size_t i = 0; i < orphan->n_holders; i++) {
		struct holder *holder = &orphan->holders[i];
		bool same;
		ssize_t at;

		if (holder->kind != RT_HOLDER_FD || holder->ofd)
			continue;
		at = ofd_search(sorted, n, holder, &same);
		if (at < 0)
			continue;
		if (same) {
			holder->ofd = sorted[at]->ofd;
			continue;
		}
		memmove(&sorted[at + 1], &sorted[at], (n++ - at) * sizeof(*sorted));
		sorted[at] = holder;
		holder->ofd = (*next)++;
	}
	return 0;
}

int kcmp_find_ofds(struct orphan_set *set)
{
	uint64_t next = 1;
	int err = 0;

	for (size_t i = 0; !err && i < set->n; i++)
		err = orphan_find_ofds(&set->orphans[i], &next);
	return err;
}

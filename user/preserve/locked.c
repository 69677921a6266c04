/* SPDX-License-Identifier: GPL-2.0-only */
#include "locked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "proc/proctext.h"

bool locked_is_of(const struct orphan *orphan, const struct filelock *lock,
		  const struct holder *holder, bool whoever)
{
	if (lock->type == FILELOCK_POSIX && !whoever && lock->pid != holder->pid)
		return false;
	return orphan_shares_fd(orphan, lock->pid, lock->tid, lock->fd, holder);
}

static bool is_known(const struct orphan *orphan, const struct filelocks *locks,
		     const struct filelock *lock, const struct holder *holder)
{
	for (size_t i = 0; i < locks->n; i++) {
		const struct filelock *other = &locks->locks[i];

		if (other->type == lock->type && other->write == lock->write &&
		    other->start == lock->start && other->end == lock->end &&
		    locked_is_of(orphan, other, holder, false))
			return true;
	}
	return false;
}

static int read_fd(const struct orphan *orphan, const struct holder *holder,
		   struct filelocks *out)
{
	AUTO_FREE char *text = NULL;
	char name[96], *rest, *line;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/fdinfo/%d", holder->pid,
		 holder->tid ? holder->tid : holder->pid, holder->fd);
	if (proctext_read(AT_FDCWD, name, &text))
		return 0;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct filelock lock;

		/* Overlay's inodes have other numbers in stat; elsewhere, another number
		 * is another file that has taken the fd. */
		if (filelock_parse(line, &lock) ||
		    (lock.ino != orphan->ino && strcmp(orphan->fstype, "overlay")))
			continue;
		lock.pid = holder->pid;
		lock.tid = holder->tid;
		lock.fd = holder->fd;
		if (!is_known(orphan, out, &lock, holder) && filelocks_add(out, &lock))
			return -ENOMEM;
	}
	return 0;
}

int locked_read(const struct orphan *orphan, struct filelocks *out)
{
	int ret = 0;

	if (orphan->lockless)
		return 0;
	for (size_t i = 0; i < orphan->n_holders && !ret; i++)
		if (orphan->holders[i].kind == RT_HOLDER_FD)
			ret = read_fd(orphan, &orphan->holders[i], out);
	return ret;
}

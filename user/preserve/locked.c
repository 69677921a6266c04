/* SPDX-License-Identifier: GPL-2.0-only */
#include "locked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/list.h"
#include "proc/proctext.h"

/* Inode number of the initial pid namespace: PROC_PID_INIT_INO, linux/proc_ns.h. */
#define INIT_PID_NS_INO 0xEFFFFFFCU

void locked_fini(struct locked *locked)
{
	free(locked->inodes);
	*locked = (struct locked){0};
}

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* Of whom no process can be shown, there is no line (fs/locks.c, locks_show). */
static bool is_shown_all(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == INIT_PID_NS_INO;
}

void locked_look(struct locked *out)
{
	AUTO(locked_fini) struct locked locked = {.known = true};
	AUTO_FREE char *text = NULL;
	char *rest, *line;

	if (!is_shown_all() || proctext_read(AT_FDCWD, "/proc/locks", &text))
		return;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		unsigned long long ino;
		uint64_t *grown;

		/* A line that cannot be read may be of any. */
		if (filelock_inode(line, &ino))
			return;
		grown = list_grow(locked.inodes, locked.n, sizeof(*grown));
		if (!grown)
			return;
		locked.inodes = grown;
		grown[locked.n++] = ino;
	}
	if (locked.n)
		qsort(locked.inodes, locked.n, sizeof(*locked.inodes), compare);
	*out = locked;
	locked = (struct locked){0};
}

/* Overlay's inodes have other numbers in stat. */
static bool may_have(const struct locked *locked, const struct orphan *orphan)
{
	return !locked->known || !strcmp(orphan->fstype, "overlay") ||
	       (locked->n && bsearch(&orphan->ino, locked->inodes, locked->n,
				     sizeof(*locked->inodes), compare));
}

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

int locked_read(const struct orphan *orphan, const struct locked *locked,
		struct filelocks *out)
{
	int ret = 0;

	if (!may_have(locked, orphan))
		return 0;
	for (size_t i = 0; i < orphan->n_holders && !ret; i++)
		if (orphan->holders[i].kind == RT_HOLDER_FD)
			ret = read_fd(orphan, &orphan->holders[i], out);
	return ret;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "owned.h"

#include <fcntl.h>

#include "base/auto.h"

bool owned_is_of(const struct orphan *orphan, const struct fileowner *owner,
		 const struct holder *holder)
{
	return orphan_shares_fd(orphan, owner->pid, owner->tid, owner->fd, holder);
}

static bool is_known(const struct orphan *orphan, const struct fileowners *owners,
		     const struct holder *holder)
{
	for (size_t i = 0; i < owners->n; i++)
		if (owned_is_of(orphan, &owners->owners[i], holder))
			return true;
	return false;
}

/* fcntl(2): F_OWNER_* by number. */
static enum fileowner_type type_of(const struct f_owner_ex *owner)
{
	switch (owner->type) {
	case F_OWNER_TID:
		return FILEOWNER_THREAD;
	case F_OWNER_PGRP:
		return FILEOWNER_GROUP;
	default:
		return FILEOWNER_PROCESS;
	}
}

static int read_fd(const struct holder *holder, struct theirfd *their,
		   struct fileowners *out)
{
	AUTO_FD fd = holder->ownerless ? -1
				       : theirfd_get(their, holder->pid, holder->tid,
						     holder->start_time, holder->fd);
	struct f_owner_ex named = {0};
	struct fileowner owner = {
		.pid = holder->pid, .tid = holder->tid, .fd = holder->fd};
	int signal;

	/* EBADF for an O_PATH fd, which has none. That there are signals is known anyway. */
	if (fd < 0 || fcntl(fd, F_GETOWN_EX, &named))
		named.pid = 0;
	signal = fd < 0 ? 0 : fcntl(fd, F_GETSIG);
	owner.type = type_of(&named);
	owner.owner = named.pid > 0 ? named.pid : 0;
	owner.signal = signal > 0 ? signal : 0;
	owner.async = holder->flags & O_ASYNC;
	if (!owner.owner && !owner.signal && !owner.async)
		return 0;
	return fileowners_add(out, &owner);
}

int owned_read(const struct orphan *orphan, struct theirfd *their, struct fileowners *out)
{
	int ret = 0;

	for (size_t i = 0; i < orphan->n_holders && !ret; i++)
		if (orphan->holders[i].kind == RT_HOLDER_FD &&
		    !is_known(orphan, out, &orphan->holders[i]))
			ret = read_fd(&orphan->holders[i], their, out);
	return ret;
}

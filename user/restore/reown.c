/* SPDX-License-Identifier: GPL-2.0-only */
#include "reown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "preserve/owned.h"

static void describe(const struct fileowner *owner, char *text, size_t size)
{
	char signal[32] = "", whom[32] = "";

	if (owner->signal)
		snprintf(signal, sizeof(signal), " (signal %d)", owner->signal);
	if (owner->owner)
		snprintf(whom, sizeof(whom), " to %s %d",
			 fileowner_type_name(owner->type), owner->owner);
	snprintf(text, size, "%s%s%s", owner->async ? "O_ASYNC" : "F_SETOWN", whom,
		 signal);
}

/* Who we are to @owner: 0, and @out; -ESRCH it was another one. */
static int successor(const struct fileowner *owner, struct f_owner_ex *out)
{
	if (owner->owner && owner->owner != owner->pid)
		return -ESRCH;
	switch (owner->type) {
	case FILEOWNER_PROCESS:
		*out = (struct f_owner_ex){F_OWNER_PID, owner->owner ? getpid() : 0};
		return 0;
	case FILEOWNER_THREAD:
		*out = (struct f_owner_ex){F_OWNER_TID, gettid()};
		return 0;
	case FILEOWNER_GROUP:
		break;
	}
	*out = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
	return getpgrp() == getpid() ? 0 : -ESRCH;
}

/* O_ASYNC last: from then on there are signals. */
static int name_again(int fd, const struct fileowner *owner)
{
	struct f_owner_ex named;
	int ret = successor(owner, &named), flags;

	if (ret)
		return ret;
	if (owner->signal && fcntl(fd, F_SETSIG, owner->signal))
		return -errno;
	if (owner->owner && fcntl(fd, F_SETOWN_EX, &named))
		return -errno;
	if (!owner->async)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_ASYNC))
		return -errno;
	flags = fcntl(fd, F_GETFL);
	return flags & O_ASYNC ? 0 : -EOPNOTSUPP;
}

void reown_description(int fd, const struct manifest_entry *entry,
		       const struct holder *holder)
{
	for (size_t i = 0; i < entry->owners.n; i++) {
		const struct fileowner *owner = &entry->owners.owners[i];
		char text[128];
		int ret;

		if (!owned_is_of(&entry->orphan, owner, holder))
			continue;
		ret = name_again(fd, owner);
		if (!ret)
			continue;
		describe(owner, text, sizeof(text));
		log_warning("orphan%u: fd %d of process %d comes back without %s: %s",
			    entry->n, holder->fd, holder->pid, text,
			    ret == -ESRCH ? "nobody is in that one's place"
					  : strerror(-ret));
	}
}

void reown_report(const struct manifest_entry *entry, pid_t holder)
{
	for (size_t i = 0; i < entry->owners.n; i++) {
		const struct fileowner *owner = &entry->owners.owners[i];
		char text[128];

		if (holder && owner->pid != holder)
			continue;
		describe(owner, text, sizeof(text));
		log_warning("orphan%u: fd %d of process %d comes back without %s: name "
			    "it anew",
			    entry->n, owner->fd, owner->pid, text);
	}
}

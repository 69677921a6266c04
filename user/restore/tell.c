/* SPDX-License-Identifier: GPL-2.0-only */
#include "tell.h"

#include <fcntl.h>

#include "base/log.h"

void tell_flags(int fd, const struct manifest_entry *entry, const struct holder *holder)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {{O_APPEND, "O_APPEND"},
		     {O_NONBLOCK, "O_NONBLOCK"},
		     {O_DIRECT, "O_DIRECT"},
		     {O_NOATIME, "O_NOATIME"},
		     {O_DSYNC, "O_DSYNC"}};
	int now = fcntl(fd, F_GETFL);

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (holder->flags & ~now & flags[i].flag)
			log_warning("orphan%u: fd %d of process %d comes back without %s",
				    entry->n, holder->fd, holder->pid, flags[i].name);
}

void tell_unlike(const struct manifest_entry *entry, pid_t pid, bool opened)
{
	for (size_t i = 0; i < entry->orphan.n_holders && pid; i++) {
		const struct holder *holder = &entry->orphan.holders[i];
		const char *was = NULL, *may = NULL;

		if (holder->pid != pid)
			continue;
		if (holder->kind == RT_HOLDER_ROOT) {
			was = "had it as its root directory";
			may = "go there by fchdir(2) and chroot(2)";
		} else if (holder->kind == RT_HOLDER_CWD && holder->tid) {
			was = "had it as the directory of a thread";
			may = "go there by fchdir(2)";
		} else if (holder->kind == RT_HOLDER_MAP && !opened) {
			was = "had it mapped and not open";
			may = "map it";
		}
		if (was)
			log_warning("orphan%u: process %d %s; the program finds it open "
				    "(RELINKTRACE_ORPHANS) and has to %s itself",
				    entry->n, holder->pid, was, may);
	}
}

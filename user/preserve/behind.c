/* SPDX-License-Identifier: GPL-2.0-only */
#include "behind.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/why.h"
#include "peek.h"
#include "proc/handle.h"
#include "proc/process.h"

/* This process, where names are made on a mount that it sees itself. */
static const struct holder *ourselves(void)
{
	static struct holder self;
	AUTO(process_fini) struct process process = PROCESS_INIT;

	if (!self.pid && !process_open(getpid(), &process)) {
		self.start_time = process.stat.start_time;
		memcpy(self.comm, process.stat.comm, sizeof(self.comm));
	}
	self.pid = getpid();
	self.fd = -1;
	return &self;
}

/* The orphan is known by the mount of @home from now on, and reached through whoever sees
 * that. */
static int settle(struct orphan *orphan, struct home *home, struct source *source)
{
	char *point = strdup(home->mount.point);

	if (!point)
		return -ENOMEM;
	free(orphan->mnt_point);
	orphan->mnt_point = point;
	orphan->mnt_id = home->mount.id;
	orphan->mnt_ns = home->mount.ns;
	source->holder = ourselves();
	for (size_t i = 0; i < orphan->n_holders; i++)
		if (orphan->holders[i].pid == home->pid)
			source->holder = &orphan->holders[i];
	return 0;
}

/* Names are made where a holder sees them, and not outside of its mounts; only what is no
 * process's has to do with ours. */
static enum home_of home_of(const struct orphan *orphan)
{
	for (size_t i = 0; i < orphan->n_holders; i++)
		if (orphan->holders[i].pid)
			return HOME_OF_HOLDERS;
	return HOME_OF_ANYBODY;
}

/* ---- by mount point ---- */

static int take_any(const struct home *home, void *data)
{
	(void)home;
	(void)data;
	return 0;
}

/* What is at the mount point of @holder (kind mount). Its own mount has no folder to make
 * a name in; through a home the same file is at hand by the handle that its filesystem
 * gives, and where that gives none (overlay) it can be copied, if not linked. */
static int open_at_mount(struct orphan *orphan, const struct holder *holder,
			 struct source *out)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	AUTO(home_fini) struct home home = HOME_INIT;
	AUTO_FD point = -1, process = process_pin(holder->pid, holder->start_time);
	int was = orphan->mnt_id, ret, fd;

	if (process < 0)
		return process;
	point = mount_open_point(holder->tid ?: holder->pid, holder->mnt_id);
	if (point < 0)
		return point;
	orphan->mnt_id = holder->mnt_id;
	ret = source_from_fd(orphan, holder, point, &source);
	orphan->mnt_id = was;
	ret = ret ?: home_find(orphan, HOME_OF_HOLDERS, take_any, NULL, &home);
	ret = ret ?: settle(orphan, &home, &source);
	if (ret)
		return ret;
	fd = handle_reopen(source.fd, home.fd);
	if (fd >= 0) {
		source_fini(&source);
		source.fd = fd;
	}
	*out = source;
	source = (struct source)SOURCE_INIT;
	return 0;
}

/* ---- by handle ---- */

static int open_by_handle(struct orphan *orphan, struct source *out, char **why)
{
	AUTO(source_fini) struct source source = SOURCE_INIT;
	AUTO(home_fini) struct home home = HOME_INIT;
	int ret;

	source.fd = handle_open_home(orphan, home_of(orphan), &home, why);
	if (source.fd < 0)
		return source.fd;
	ret = fstat(source.fd, &source.stat) ? -errno : 0;
	ret = ret ?: settle(orphan, &home, &source);
	if (ret)
		return why_set(why, ret, "by file handle: %s", strerror(-ret));
	*out = source;
	source = (struct source)SOURCE_INIT;
	return 0;
}

/* ---- all of them ---- */

/* Adds @reason to those in @why. */
static void why_add(char **why, const char *reason)
{
	AUTO_FREE char *before = TAKE_PTR(*why);

	why_set(why, 0, "%s%s%s", before ? before : "", before ? "; " : "", reason);
}

/* Through every holder of @kind. */
static int open_through(struct orphan *orphan, enum rt_holder_kind kind, bool frozen,
			struct source *out, char **why)
{
	int ret = -ENOENT;

	for (size_t i = 0; i < orphan->n_holders && ret; i++) {
		const struct holder *holder = &orphan->holders[i];
		AUTO_FREE char *reason = NULL;

		if (holder->kind != kind)
			continue;
		if (kind == RT_HOLDER_FLIGHT) {
			ret = peek_open(orphan, holder, frozen, out, &reason);
		} else {
			ret = open_at_mount(orphan, holder, out);
			if (ret)
				why_set(&reason, ret, "mounted on %s of process %d: %s",
					holder->mnt_point ? holder->mnt_point : "?",
					holder->pid, strerror(-ret));
		}
		if (ret == -ENOMEM)
			return ret;
		if (ret)
			why_add(why, why_text(reason));
	}
	return ret;
}

int behind_open(struct orphan *orphan, bool frozen, struct source *out, char **why)
{
	AUTO_FREE char *reason = NULL;
	int ret = open_through(orphan, RT_HOLDER_MOUNT, frozen, out, why), by_handle;

	if (!ret || ret == -ENOMEM)
		return ret;
	if (!orphan->n_holders)
		why_add(why, "nobody is found to hold it");
	/* Before any socket is touched. */
	by_handle = open_by_handle(orphan, out, &reason);
	if (!by_handle || by_handle == -ENOMEM)
		return by_handle;
	why_add(why, why_text(reason));
	ret = open_through(orphan, RT_HOLDER_FLIGHT, frozen, out, why);
	return ret == -ENOENT ? by_handle : ret;
}

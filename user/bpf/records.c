// SPDX-License-Identifier: GPL-2.0-only
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t records_parse(const char *buffer, size_t length, record_fn each, void *data)
{
	size_t done = 0;

	while (length - done >= sizeof(struct rt_holder)) {
		struct rt_holder record;
		int err;

		memcpy(&record, buffer + done, sizeof(record));
		if (record.path_len > RT_PATH_MAX ||
		    record.record_len != sizeof(record) + record.path_len)
			return -EBADMSG;
		if (length - done < record.record_len)
			break;
		err = each(&record, buffer + done + sizeof(record), data);
		if (err)
			return err;
		done += record.record_len;
	}
	return done;
}

void records_fill(struct orphan *orphan, const struct rt_holder *record)
{
	orphan->has_generation = true;
	orphan->generation = record->generation;
	orphan->mode = record->mode;
	orphan->nlink = record->nlink;
	orphan->uid = record->uid;
	orphan->gid = record->gid;
	orphan->rdev_major = kernel_major(record->rdev);
	orphan->rdev_minor = kernel_minor(record->rdev);
	orphan->size = record->size;
	orphan->allocated = record->blocks * 512;
	orphan->lockless = !record->lock_context;
	memcpy(orphan->fstype, record->fstype, sizeof(orphan->fstype));
	orphan->fstype[sizeof(orphan->fstype) - 1] = '\0';
}

/* d_path() ends the path of every unlinked dentry so (fs/d_path.c): once, whatever the
 * name itself ends with. */
static int set_path(struct orphan *orphan, const char *path, size_t length)
{
	static const char suffix[] = " (deleted)";
	size_t suffix_length = sizeof(suffix) - 1;

	if (orphan->path || !length)
		return 0;
	if (length > suffix_length &&
	    !memcmp(path + length - suffix_length, suffix, suffix_length))
		length -= suffix_length;
	orphan->path = strndup(path, length);
	return orphan->path ? 0 : -ENOMEM;
}

static struct holder holder_of(const struct rt_holder *record)
{
	/* /proc/PID/stat counts in USER_HZ (nsec_to_clock_t, kernel/time/time.c). */
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	struct holder holder = {
		.pid = record->pid,
		.tid = record->tid,
		.start_time = record->start_ns / tick_ns,
		.kind = record->kind,
		.fd = -1,
		.map_start = record->map_start,
		.map_end = record->map_end,
		.via.id = record->mnt_id > 0 ? record->mnt_id : 0,
		.cgroup_id = record->cgroup_id,
		.table = record->files,
	};

	memcpy(holder.comm, record->comm, sizeof(holder.comm));
	holder.comm[sizeof(holder.comm) - 1] = '\0';
	if (record->kind != RT_HOLDER_FD && !holder_is_behind(record->kind))
		return holder;
	holder.fd = record->fd;
	/* f_flags has bits of the kernel's own above those of open(2) (FMODE_NONOTIFY).
	 */
	holder.flags = record->open_flags & 0x3ffffff & ~O_CLOEXEC;
	holder.pos = record->pos;
	holder.cloexec = record->flags & RT_HOLDER_CLOEXEC;
	holder.ofd = record->file;
	holder.ownerless = record->kind == RT_HOLDER_FD && !record->owner;
	return holder;
}

/* Whether @orphan has it already: another mapping of the same process, or another thread
 * of one fd table or of one cwd. Records of a process come one after the other. */
static bool is_repeated(const struct orphan *orphan, const struct holder *holder)
{
	if (holder->kind == RT_HOLDER_FD && !holder->tid)
		return false;
	for (size_t i = orphan->n_holders; i-- > 0;) {
		const struct holder *other = &orphan->holders[i];

		if (other->pid != holder->pid)
			return false;
		if (other->kind != holder->kind)
			continue;
		if (holder_is_behind(holder->kind) &&
		    (other->fd != holder->fd || other->ofd != holder->ofd ||
		     other->table != holder->table))
			continue;
		if (holder->kind != RT_HOLDER_FD)
			return true;
		if (other->fd == holder->fd && other->table == holder->table)
			return true;
	}
	return false;
}

/* Whether it is what we have opened to read it by (struct precopied, source): nobody writes
 * through that. */
static bool is_our_own(const struct rt_holder *record, pid_t self)
{
	return record->kind == RT_HOLDER_FD && record->pid == (uint32_t)self &&
	       (record->open_flags & O_PATH ||
		(record->open_flags & O_ACCMODE) == O_RDONLY);
}

int records_collect(const struct rt_holder *record, const char *path, void *data)
{
	const struct records_context *context = data;
	struct holder holder = holder_of(record);
	struct orphan *orphan;
	int err;

	if (record->kind < RT_HOLDER_FD || record->kind > RT_HOLDER_URING)
		return -EBADMSG;
	orphan = orphan_set_at_inode(context->set, kernel_major(record->dev),
				     kernel_minor(record->dev), record->ino,
				     record->inode);
	if (!orphan)
		return -ENOMEM;
	if (!orphan->mode)
		records_fill(orphan, record);
	if (record->lock_context)
		orphan->lockless = false;
	err = orphan_add_key(orphan,
			     context->key_is_inode ? record->inode : record->dentry);
	if (err)
		return err;
	if (context->is_wanted && !context->is_wanted(record, context->data)) {
		orphan->elsewhere |= !is_our_own(record, context->self);
		return 0;
	}
	if (!orphan->n_holders) {
		/* The mount and the cgroup of the first who holds it, which the path is
		 * of. */
		orphan->mnt_id = record->mnt_id;
		orphan->mnt_ns = record->mnt_ns;
		orphan->cgroup_id = record->cgroup_id;
	}
	/* RT_O_TMPFILE in bpf/: the bit stays in f_flags for the description's life. */
	if (record->kind == RT_HOLDER_FD &&
	    (record->open_flags & (O_TMPFILE & ~O_DIRECTORY)))
		orphan->tmpfile = true;
	err = set_path(orphan, path, record->path_len);
	if (err || is_repeated(orphan, &holder))
		return err;
	return orphan_add_holder(orphan, &holder);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "relock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/caps.h"
#include "base/log.h"
#include "preserve/locked.h"

void relock_describe(const struct filelock *lock, char *text, size_t size)
{
	char bytes[64] = "";

	if (lock->type == FILELOCK_POSIX || lock->type == FILELOCK_OFD) {
		if (lock->end == FILELOCK_EOF)
			snprintf(bytes, sizeof(bytes), " of bytes %llu to the end",
				 (unsigned long long)lock->start);
		else
			snprintf(bytes, sizeof(bytes), " of bytes %llu-%llu",
				 (unsigned long long)lock->start,
				 (unsigned long long)lock->end);
	}
	snprintf(text, size, "%s%s%s%s", filelock_type_name(lock->type),
		 lock->write ? " write" : " read",
		 lock->type == FILELOCK_LEASE ? "" : " lock", bytes);
}

static int range_lock(int fd, int command, const struct filelock *lock)
{
	struct flock range = {
		.l_type = lock->write ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = lock->start,
		.l_len = lock->end == FILELOCK_EOF ? 0 : lock->end - lock->start + 1,
	};

	return fcntl(fd, command, &range);
}

static int take(int fd, const struct filelock *lock)
{
	switch (lock->type) {
	case FILELOCK_FLOCK:
		return flock(fd, (lock->write ? LOCK_EX : LOCK_SH) | LOCK_NB);
	case FILELOCK_POSIX:
		return range_lock(fd, F_SETLK, lock);
	case FILELOCK_OFD:
		return range_lock(fd, F_OFD_SETLK, lock);
	case FILELOCK_LEASE:
		return fcntl(fd, F_SETLEASE, lock->write ? F_WRLCK : F_RDLCK);
	}
	errno = EINVAL;
	return -1;
}

/* EACCES says so of a lock (fcntl(2)), and of a lease that it is another user's file. */
static bool is_taken(const struct filelock *lock, int error)
{
	return error == EAGAIN || (error == EACCES && lock->type != FILELOCK_LEASE);
}

static void take_or_tell(int fd, const struct manifest_entry *entry,
			 const struct filelock *lock)
{
	char text[96];
	int error;

	if (!take(fd, lock))
		return;
	error = errno;
	relock_describe(lock, text, sizeof(text));
	log_warning("orphan%u: the %s is not taken again: %s%s", entry->n, text,
		    is_taken(lock, error) ? "another has the file" : strerror(error),
		    lock->type == FILELOCK_LEASE ? caps_refused(-error, CAPS_LEASE) : "");
}

void relock_description(int fd, const struct manifest_entry *entry,
			const struct holder *holder)
{
	for (size_t i = 0; i < entry->locks.n; i++) {
		const struct filelock *lock = &entry->locks.locks[i];

		if (lock->type != FILELOCK_POSIX &&
		    locked_is_of(&entry->orphan, lock, holder, false))
			take_or_tell(fd, entry, lock);
	}
}

void relock_process(int fd, const struct manifest_entry *entry,
		    const struct holder *holder, bool whoever)
{
	for (size_t i = 0; i < entry->locks.n; i++) {
		const struct filelock *lock = &entry->locks.locks[i];

		if (lock->type == FILELOCK_POSIX &&
		    locked_is_of(&entry->orphan, lock, holder, whoever))
			take_or_tell(fd, entry, lock);
	}
}

void relock_report(const struct manifest_entry *entry, pid_t holder)
{
	for (size_t i = 0; i < entry->locks.n; i++) {
		const struct filelock *lock = &entry->locks.locks[i];
		char text[96];

		if (lock->type != FILELOCK_POSIX || (holder && lock->pid != holder))
			continue;
		relock_describe(lock, text, sizeof(text));
		log_warning("orphan%u: the %s of process %d is not given back: it is a "
			    "process's, take it anew",
			    entry->n, text, lock->pid);
	}
}

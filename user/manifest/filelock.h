/* SPDX-License-Identifier: GPL-2.0-only */
/* The locks that holders have on a file. */
#ifndef RELINKTRACE_FILELOCK_H
#define RELINKTRACE_FILELOCK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/jsonread.h"

enum filelock_type {
	FILELOCK_FLOCK, /* flock(2): of the open file description */
	FILELOCK_POSIX, /* F_SETLK: of the process */
	FILELOCK_OFD,	/* F_OFD_SETLK: of the description */
	FILELOCK_LEASE, /* F_SETLEASE: of the description */
};

/* Last byte of a lock that goes on for ever. */
#define FILELOCK_EOF INT64_MAX

struct filelock {
	pid_t pid, tid; /* whose fd it was taken through; tid 0 the leader's table */
	int fd;
	enum filelock_type type;
	bool write;	     /* exclusive */
	uint64_t start, end; /* bytes, both included; posix and ofd */
	uint64_t ino; /* as the kernel says; of the line only, not of the manifest */
};

struct filelocks {
	struct filelock *locks; /* owned */
	size_t n;
};

/* Frees what @locks owns and zeroes it. */
void filelocks_fini(struct filelocks *locks);

/* "flock", "posix", "ofd" or "lease". */
const char *filelock_type_name(enum filelock_type type);

/* A line of /proc/PID/fdinfo/N that begins with "lock:" (fs/locks.c, lock_get_status).
 * pid, tid and fd are not set. 0; -EINVAL another line, a lock that is being given up or
 * of a kind that is not known; @out is untouched then. Pure. */
int filelock_parse(const char *line, struct filelock *out);

/* Appends a copy of @lock. 0 or -ENOMEM. */
int filelocks_add(struct filelocks *locks, const struct filelock *lock);

/* As JSON (new reference), and back from field "locks" of @object, which may be absent. */
json_t *json_from_filelocks(const struct filelocks *locks);
void json_to_filelocks(struct jsonread *reader, const json_t *object,
		       struct filelocks *out);

#endif

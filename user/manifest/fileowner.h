/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is sent the signals of an open file description (F_SETOWN, F_SETSIG, O_ASYNC:
 * fcntl(2)): that it can be read or written, or that its lease is to be given up. */
#ifndef RELINKTRACE_FILEOWNER_H
#define RELINKTRACE_FILEOWNER_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/jsonread.h"

enum fileowner_type {
	FILEOWNER_PROCESS,
	FILEOWNER_THREAD,
	FILEOWNER_GROUP,
};

struct fileowner {
	pid_t pid, tid; /* whose fd it is; tid 0 the leader's table */
	int fd;
	enum fileowner_type type;
	pid_t owner; /* in our pid namespace; 0 none there */
	int signal;  /* 0: SIGIO, as when none was chosen */
	bool async;  /* O_ASYNC */
};

struct fileowners {
	struct fileowner *owners; /* owned */
	size_t n;
};

/* Frees what @owners owns and zeroes it. */
void fileowners_fini(struct fileowners *owners);

/* "process", "thread" or "group". */
const char *fileowner_type_name(enum fileowner_type type);

/* Appends a copy of @owner. 0 or -ENOMEM. */
int fileowners_add(struct fileowners *owners, const struct fileowner *owner);

/* As JSON (new reference), and back from field "owners" of @object, which may be absent. */
json_t *json_from_fileowners(const struct fileowners *owners);
void json_to_fileowners(struct jsonread *reader, const json_t *object,
			struct fileowners *out);

#endif

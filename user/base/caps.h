/* SPDX-License-Identifier: GPL-2.0-only */
/* Which capabilities the work needs, what for, and which of them are missing. */
#ifndef RELINKTRACE_CAPS_H
#define RELINKTRACE_CAPS_H

#include <stdbool.h>

enum caps_use {
	CAPS_BPF_LOAD,	/* programs, maps and iterators */
	CAPS_BPF_PIN,	/* mounting bpffs where there is none */
	CAPS_PROC_READ, /* /proc of other users' processes */
	CAPS_MAP_FILES, /* what only a mapping holds */
	CAPS_HANDLE,	/* opening by file handle: orphans that nobody is found to hold */
	CAPS_REACH,	/* into containers' mounts, and writing there */
	CAPS_HARDLINK,	/* giving a name to other users' files */
	CAPS_COPY_OWNER, /* the owner of a copy */
	CAPS_FREEZE,	 /* writing cgroup.freeze, which belongs to root */
	CAPS_USES,	 /* how many there are */
};

/* One row of what doctor shows; static storage. */
struct caps_need {
	const char *names;   /* "CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN" */
	const char *purpose; /* completes "needed …": "to load BPF programs …" */
};

/* The row of @use. */
const struct caps_need *caps_need(enum caps_use use);

/* Whether the effective set of this process allows @use. A capability inside a user
 * namespace of its own does not count where the kernel asks for it in the initial one
 * (capabilities(7), user_namespaces(7)). */
bool caps_have(enum caps_use use);

/* "; CAP_X is needed to … and is missing", for the end of an error message; "" when
 * nothing is missing. Static storage, overwritten by the next call. */
const char *caps_missing(enum caps_use use);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Which capabilities the work needs, what for, and which of them are missing. */
#ifndef RELINKTRACE_CAPS_H
#define RELINKTRACE_CAPS_H

#include <stdbool.h>

enum caps_use {
	CAPS_BPF_LOAD,	  /* programs, maps and iterators */
	CAPS_BPF_MODULES, /* where programs refer to modules */
	CAPS_BPF_PIN,	  /* mounting bpffs where there is none */
	CAPS_PROC_READ,	  /* /proc of other users' processes */
	CAPS_MAP_FILES,	  /* what only a mapping holds */
	CAPS_HANDLE, /* opening by file handle: orphans that nobody is found to hold */
	CAPS_SUBVOLUMES, /* finding the subvolume of one on btrfs */
	CAPS_REACH,	 /* into containers' mounts, and writing there */
	CAPS_HARDLINK, /* giving a name to other users' files, and what they have to copies */
	CAPS_COPY_OWNER, /* the owner of a copy */
	CAPS_COPY_MODE,	 /* a set-group-id bit of a group that we are not in */
	CAPS_COPY_FCAPS, /* file capabilities */
	CAPS_COPY_XATTR, /* trusted.*, and what security modules have in security.* */
	CAPS_COPY_FLAGS, /* immutable and append */
	CAPS_RECREATE,	 /* device nodes */
	CAPS_LEASE,	 /* leases of other users' files */
	CAPS_LIMITS,	 /* more than fs.pipe-max-size, and than RLIMIT_MEMLOCK */
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

/* What a stage of the work may do at most; bits, for several. */
enum caps_stage {
	CAPS_STAGE_LOOK = 1,	 /* find what is held: nothing is written */
	CAPS_STAGE_TRACK = 2,	 /* that, and pin programs and maps */
	CAPS_STAGE_PRESERVE = 4, /* give names, copy: nothing beyond a quota */
	CAPS_STAGE_RESTORE = 8,	 /* open, make again, remove names */
	CAPS_STAGE_REMOVE = 16,	 /* remove names */
	CAPS_STAGE_ANY = 32,	 /* whatever another program needs that does the work */
};

/* At the start of a command of @stages: takes every other capability out of the effective
 * set, and out of the permitted one too unless a program will be executed (@executes),
 * which is to have what it would have had (under no_new_privs it could not get it back,
 * execve(2)). What this process had stays what caps_have() tells. */
void caps_begin(unsigned int stages, bool executes);

/* For a while only what @stages need is effective, of what is permitted. */
struct caps_while {
	void *before; /* owned; cap_t; NULL: nothing to be put back */
};
struct caps_while caps_only(unsigned int stages);

/* Puts the effective set back; for AUTO(). */
void caps_while_end(struct caps_while *stage);

/* Whether the effective set that this process was started with allows @use. A capability inside a user
 * namespace of its own does not count where the kernel asks for it in the initial one
 * (capabilities(7), user_namespaces(7)). */
bool caps_have(enum caps_use use);

/* "; CAP_X is needed to … and is missing", for the end of an error message; "" when
 * nothing is missing. Storage of the thread, overwritten by its next call. */
const char *caps_missing(enum caps_use use);

/* The same where @error (-errno) can be for want of it: -EPERM or -EACCES; else "". */
const char *caps_refused(int error, enum caps_use use);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to criu(8) and its answers: as much of the messages of its images/rpc.proto as a
 * dump takes, which have the same numbers in every version. Pure. */
#ifndef RELINKTRACE_CRIU_RPC_H
#define RELINKTRACE_CRIU_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Members of criu_opts. */
enum criu_rpc_field {
	CRIU_RPC_IMAGES_DIR_FD = 1,
	CRIU_RPC_PID = 2,
	CRIU_RPC_LEAVE_RUNNING = 3,
	CRIU_RPC_EXT_UNIX_SK = 4,
	CRIU_RPC_TCP_ESTABLISHED = 5,
	CRIU_RPC_EVASIVE_DEVICES = 6,
	CRIU_RPC_SHELL_JOB = 7,
	CRIU_RPC_FILE_LOCKS = 8,
	CRIU_RPC_LOG_LEVEL = 9,
	CRIU_RPC_LOG_FILE = 10,
	CRIU_RPC_LINK_REMAP = 18,
	CRIU_RPC_GHOST_LIMIT = 35, /* 32 bits */
	CRIU_RPC_EXTERNAL = 37,	   /* repeated */
	CRIU_RPC_FREEZE_CGROUP = 44,
	CRIU_RPC_TIMEOUT = 45,
	CRIU_RPC_TCP_CLOSE = 52,
};

/* A message that is being made. */
struct criu_rpc {
	unsigned char *bytes; /* owned */
	size_t len, room;
	int err; /* 0; -ENOMEM: something is missing */
};

/* Frees what @rpc owns; for AUTO(). */
void criu_rpc_fini(struct criu_rpc *rpc);

/* Append a member. What finds no memory is remembered in @rpc->err. */
void criu_rpc_number(struct criu_rpc *rpc, enum criu_rpc_field field, uint64_t value);
void criu_rpc_text(struct criu_rpc *rpc, enum criu_rpc_field field, const char *value);

/* Appends what the words of criu's command line @words (NULL behind the last; NULL: none) stand
 * for. Whether there is a member for each; else @rpc is not to be used. */
bool criu_rpc_words(struct criu_rpc *rpc, char *const *words);

/* Makes @out, which is empty, the request to dump by the options @opts. 0 or -ENOMEM. */
int criu_rpc_dump(const struct criu_rpc *opts, struct criu_rpc *out);

/* An answer. */
struct criu_answer {
	bool success;
	char *message; /* owned; NULL: it says no more */
};

/* Whether @message (NULL: none), which is the first error of a dump that failed, says that an option is
 * missing which has nothing to do with unlinked files: it is what it meets that CRIU refuses, and no
 * orphan, though that had come and gone. Pure. */
bool criu_wants_option(const char *message);

/* Reads one of @len bytes. 0; -EBADMSG it is none; -ENOMEM. */
int criu_rpc_answer(const unsigned char *bytes, size_t len, struct criu_answer *out);

#endif

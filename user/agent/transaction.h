/* SPDX-License-Identifier: GPL-2.0-only */
/* A transaction: what an agent does for one checkpoint or restore, in several calls of
 * which each may be repeated, come late, or be killed. What is known between two calls is
 * in a directory of the transaction's own beside the index of checkpoints:
 *
 *   hook/ID/state.json             the phase, and what the next call has to know
 *   hook/ID/keeper                 locked by its keeper (keeper.h), and its process id
 *   hook/ID/N/relinktrace.json     manifest of its N-th checkpoint; the last one counts
 *   hook/ID/N/relinktrace-criu.json  the keys of what is taken off CRIU's hands
 *
 * The state is written before what it tells of is made, so that whatever exists is found.
 * The checkpoints are in the index too: `relinktrace clean` finds them. */
#ifndef RELINKTRACE_TRANSACTION_H
#define RELINKTRACE_TRANSACTION_H

#include <limits.h>
#include <stdbool.h>

#include "manifest/manifest.h"

#define TXN_SCHEMA    "relinktrace.transaction/1"
#define TXN_KEEPER    "keeper"
#define TXN_ID_MAX    128
#define TXN_MAX_BYTES (64U << 20)
#define TXN_MAX_LINKS (1U << 20)
#define TXN_MAX_ROOTS 64

enum txn_phase {
	TXN_NONE,      /* nothing is known of it, or nothing is left */
	TXN_PREPARING, /* names may be there that nobody may rely on */
	TXN_PREPARED,  /* the names are there */
	TXN_DUMPED,    /* and belong to a dump that came to its end */
	TXN_RESTORING, /* from which somebody restores */
};

/* An entry that CRIU gave a name of its own for the time of the dump. */
struct txn_link {
	unsigned int n; /* of the entry */
	char *name;   /* owned; below the root of the dumped tree, without a '/' before */
	uint64_t ino; /* of the relink name that pre-restore found; 0 not yet */
	bool made;    /* pre-restore made it again, or was about to */
};

struct txn {
	char id[TXN_ID_MAX + 1];
	char *dir;  /* owned; absolute */
	int dir_fd; /* owned; locked; -1 the transaction is not there */
	enum txn_phase phase;
	unsigned int generation; /* of the checkpoint that counts; 0 none */
	unsigned int
		attempt; /* of one that is being made in its place, see retake.h; 0 none */
	char checkpoint[33];  /* id of its manifest; "" unknown */
	bool external;	      /* files are taken off CRIU's hands */
	bool stable;	      /* somebody else kept the cgroup frozen */
	bool imported;	      /* came with the images, and has no names on this machine */
	uint64_t ghosts;      /* how many are left to CRIU that have no name at all */
	uint64_t ghost_bytes; /* what the largest of them may have by the dump */
	struct txn_link *links; /* owned */
	size_t n_links;
	char *store;  /* owned; made by itself in the root of the container; NULL none */
	char **roots; /* owned, as are the words: --root of the restore that goes on */
	size_t n_roots;
};

#define TXN_INIT                                                                         \
	{                                                                                \
		.dir_fd = -1                                                             \
	}

/* "none", "preparing", "prepared", "dumped" or "restoring". */
const char *txn_phase_name(enum txn_phase phase);

/* Whether @id may be one: 1 to TXN_ID_MAX letters, digits and any of "._-", the first of
 * them no dot. Pure. */
bool txn_id_valid(const char *id);

/* Opens transaction @id and locks it, waiting for whoever else works at it; with @create
 * its directory is made where it is missing, else dir_fd stays -1 then. For AUTO(txn_fini).
 * 0; -EINTR interrupt_pending() before it could be locked; -EINVAL its state is damaged;
 * -errno; and the reason in @why. */
int txn_open(struct txn *txn, const char *id, bool create, char **why);

/* Unlocks and frees; for AUTO(). */
void txn_fini(struct txn *txn);

/* Brings the state to the disk. 0; -errno and the reason in @why. */
int txn_save(const struct txn *txn, char **why);

/* Makes the directory of the next generation and counts it, in memory only: txn_save()
 * comes before anything is made in it. 0; -errno and the reason in @why. */
int txn_next(struct txn *txn, char **why);

/* The last generation that may have a directory. */
unsigned int txn_last(const struct txn *txn);

/* What the state of @txn (TXN_INIT, and its id) tells at this moment, whoever works at it: it is
 * not locked, and of no use but to look at. 0; -ENOENT there is none; -errno. */
int txn_peek(struct txn *txn);

/* The directory of generation @number; owned by the caller; NULL when memory is out. */
char *txn_directory(const struct txn *txn, unsigned int number);

/* Forgets the links, the roots. */
void txn_drop_links(struct txn *txn);
void txn_drop_roots(struct txn *txn);

/* Appends a link, copying @name; a root. 0 or -ENOMEM. */
int txn_add_link(struct txn *txn, unsigned int n, const char *name);
int txn_add_root(struct txn *txn, const char *spec);

/* The link of entry @n; NULL. Valid until the next change. */
struct txn_link *txn_link_of(struct txn *txn, unsigned int n);

/* Removes the files of generation @number, whose names are gone. */
void txn_forget_generation(const struct txn *txn, unsigned int number);

/* Removes the transaction, whose names are gone; its phase is TXN_NONE then. */
void txn_remove(struct txn *txn);

/* The state as JSON (new reference); NULL when memory is out. */
json_t *txn_to_json(const struct txn *txn);

/* Reads the @len bytes at @text, strictly, into @txn, of which only what the state tells is
 * set. 0; -EINVAL with the fault in @why; -ENOMEM. Pure. */
int txn_parse(const char *text, size_t len, struct txn *txn, char **why);

#endif

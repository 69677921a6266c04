/* SPDX-License-Identifier: GPL-2.0-only */
/* What a call of a hook tells its caller: one object of JSON, docs/hook.schema.json. */
#ifndef RELINKTRACE_REPORT_H
#define RELINKTRACE_REPORT_H

#include "criu/keys.h"
#include "links.h"
#include "transaction.h"

#define REPORT_SCHEMA "relinktrace.hook/1"

enum outcome { OUTCOME_DONE, OUTCOME_PART, OUTCOME_FAILED };

struct report {
	const char *action;
	enum outcome outcome; /* the worst of what was told */
	bool proceed;	      /* the checkpoint may go on */
	bool repeated;	      /* there was nothing left to do */
	size_t preserved, failed;
	struct clean_result cleaned;
	/* Owned; arrays, NULL when memory is out. */
	json_t *options, *config; /* for criu: as words, and as lines of its file */
	json_t *external, *left, *names, *links, *inherit, *messages;
	json_t *keeper; /* owned; null where nobody waits */
	json_t *store;	/* owned; null where there is none */
};

/* Begins a report on @action, and takes what is logged from now on into it; for
 * AUTO(report_fini). @report stays where it is. */
void report_begin(struct report *report, const char *action);

/* Frees what @report owns, and gives the log back; for AUTO(). */
void report_fini(struct report *report);

/* Makes the outcome @outcome unless it is worse already. */
void report_worsen(struct report *report, enum outcome outcome);

/* Puts @txn into @phase, on the disk. 0; -errno, which is logged and makes the outcome
 * OUTCOME_FAILED. */
int report_phase(struct report *report, struct txn *txn, enum txn_phase phase);

/* Adds the names of @manifest, and what was preserved and what not. */
void report_manifest(struct report *report, const struct manifest *manifest);

/* Adds what criu has to be told for the dump: @keys of what is taken off its hands, if
 * @txn says so, and what is left to it. */
void report_dump(struct report *report, const struct txn *txn,
		 const struct criu_keys *keys);

/* Says that process @pid waits for the pause. */
void report_keeper(struct report *report, pid_t pid);

/* Adds a link and what became of it: "known", "made", "there" or "missing". */
void report_link(struct report *report, const struct txn_link *link, const char *state);

/* Adds a file that criu has to inherit for the restore: @path leads to it. */
void report_inherit(struct report *report, const struct criu_key *key, const char *path);

/* The report on @txn (new reference); NULL when memory is out. */
json_t *report_to_json(const struct report *report, const struct txn *txn);

/* Writes the report on @txn to stdout. 0; -EIO. */
int report_print(const struct report *report, const struct txn *txn);

#endif

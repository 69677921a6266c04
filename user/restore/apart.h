/* SPDX-License-Identifier: GPL-2.0-only */
/* Cleaning with a deadline (interrupt_at()): what is on each filesystem is removed by a
 * process of its own, so that one that does not answer keeps nothing of the others, and is
 * left behind in the end. */
#ifndef RELINKTRACE_APART_H
#define RELINKTRACE_APART_H

#include "clean.h"

/* What is to be removed on one filesystem, or in the store. */
struct share {
	bool store;
	uint32_t dev_major, dev_minor; /* the superblock's */
	const char *point; /* where it is, for whoever reads; not owned; NULL unknown */
	size_t names;	   /* that its result will tell of; 0 where that is not known */
};

struct shares {
	struct share *shares; /* owned */
	size_t n;
	int err; /* 0; -ENOMEM: one could not be added, which apart_run() tells */
};

/* Frees what @shares owns; for AUTO(). */
void shares_fini(struct shares *shares);

/* Adds @share, or its names to the one that is the same. */
void shares_add(struct shares *shares, const struct share *share);

/* Whether @a and @b are of the same filesystem. Pure. */
bool share_same(const struct share *a, const struct share *b);

/* Calls @work with @data, by a process of its own where there is a deadline, and adds what it
 * has done to @result; returns what it returned. @path is what it has to read first, for
 * whoever reads: where it has not ended when three quarters of the time to the deadline have
 * passed, or its filesystem is left behind already, that is logged, counts as one left, and
 * -ETIMEDOUT is returned. */
int apart_do(const char *path, int (*work)(void *data, struct clean_result *result),
	     void *data, struct clean_result *result);

/* Calls @work with @data for each of @shares, all at once, and adds what they have done to
 * @result. One that has not ended when half of the time to the deadline has passed, which
 * leaves some for whatever else there is to do, is logged and left behind, and what it has
 * not done counts as left; on that filesystem nothing is begun any more. Where memory is out
 * nothing is done, and one counts as left. */
void apart_run(const struct shares *shares,
	       void (*work)(const struct share *share, struct clean_result *result,
			    void *data),
	       void *data, struct clean_result *result);

/* Whatever was left behind may answer by now. */
void apart_forget(void);

#endif

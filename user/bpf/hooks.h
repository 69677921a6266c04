/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs that the kernel calls at births and releases, to ask it for how many of them
 * it did not. */
#ifndef RELINKTRACE_HOOKS_H
#define RELINKTRACE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>
#include "../../bpf/relinktrace.h"

struct hooks {
	struct hook {
		char name[16]; /* of the program */
		int fd;	       /* whoever made the struct says whose it is */
	} all[RT_MAX_HOOKS];   /* by name */
	size_t n;
};

/* Adds a program; what is beyond RT_MAX_HOOKS is left out. */
void hooks_add(struct hooks *hooks, const char *name, int fd);

/* Which of those that see the same the program @name is, by the order that they are attached
 * in; they are called in the reverse. 1, or the figure that it ends in: _2 to _9. */
int hook_rank(const char *name);

/* How often the kernel has skipped each so far. What it does not count stays 0: before 5.12
 * it skips none by fentry, and before 6.7 it does not tell of kprobes'. */
void hooks_read(const struct hooks *hooks, uint32_t skipped[static RT_MAX_HOOKS]);

/* For how many events between @before and @now no program ran: of several that see the same
 * (RT_THRICE in bpf/marks.h) what the first that is called was skipped for and no other has
 * seen alone, and never more than each of them was skipped for, be it at the same events or
 * not. Both are of the counters and then, not before, of hooks_read(). */
uint64_t hooks_missed(const struct hooks *hooks, const struct rt_stats *before,
		      const struct rt_stats *now);

/* How many events between @before and @now the first was skipped for while no other has told
 * that it saw them: one is about to, or all have missed them. Both as above. */
uint64_t hooks_between(const struct hooks *hooks, const struct rt_stats *before,
		       const struct rt_stats *now);

/* Closes all of them; for AUTO(). */
void hooks_close(struct hooks *hooks);

#endif

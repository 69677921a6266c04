/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose orphans are meant: those of some cgroups, of one process, or everybody's. */
#ifndef RELINKTRACE_TARGET_H
#define RELINKTRACE_TARGET_H

#include "cgroup.h"
#include "orphan/orphan.h"

enum target_kind { TARGET_ALL, TARGET_CGROUPS, TARGET_PID };

struct target {
	enum target_kind kind;
	struct cgroup cgroups[RT_MAX_TARGETS]; /* TARGET_CGROUPS */
	size_t n;
	pid_t pid; /* TARGET_PID */
};

/* Everybody's. */
void target_init(struct target *target);

/* Frees what @target owns; for AUTO(). */
void target_fini(struct target *target);

/* Adds the cgroup that @spec names, see cgroup_find(). The same one twice counts once.
 * -E2BIG above RT_MAX_TARGETS; the reason is logged. */
int target_add_cgroup(struct target *target, const char *spec);

/* Adds the cgroup that process @pid is in, in the same way. */
int target_add_process(struct target *target, pid_t pid);

/* Words of the command line that name cgroups, kept until all of it is parsed: errors are
 * to be told in the way that a later word asks for. */
struct target_specs {
	struct {
		const char
			*kind; /* "pod": the text stands for "pod:TEXT"; NULL as it is */
		const char *text;
	} specs[RT_MAX_TARGETS]; /* not owned */
	size_t n;
};

/* Appends a word. 0; -E2BIG, logged. */
int target_specs_add(struct target_specs *specs, const char *kind, const char *text);

/* Word @i as cgroup_find() takes it. Owned by the caller; NULL when memory is out. */
char *target_specs_text(const struct target_specs *specs, size_t i);

/* target_add_cgroup() for each; the first failure is returned. */
int target_add_specs(struct target *target, const struct target_specs *specs);

/* Whether a task of cgroup path @path, or the process @pid, is meant. */
bool target_has(const struct target *target, pid_t pid, const char *cgroup_path);

#endif

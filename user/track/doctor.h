/* SPDX-License-Identifier: GPL-2.0-only */
/* What works on this machine, found by trying it. */
#ifndef RELINKTRACE_DOCTOR_H
#define RELINKTRACE_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/utsname.h>

#include "orphan/orphan.h"

/* A thing that was tried. */
struct doctor_check {
	char name[32];
	bool works;
	char *note; /* owned; why not, or what to know; NULL for nothing */
};

struct doctor {
	struct utsname kernel;
	enum backend backend; /* the first that works, as attach would choose */
	bool by_iterator;
	struct doctor_check backends[3];
	struct doctor_check iterators[3];
	struct doctor_check machine[8]; /* BTF, cgroup v2, bpffs, … */
	size_t n_machine;
	struct doctor_check attached; /* works: a pinned attach is there */
};

/* Tries everything. 0 or -ENOMEM. */
int doctor_examine(struct doctor *out);

/* All of it and the capabilities that there are, relinktrace.doctor/1 (new reference); NULL
 * when memory is out. */
json_t *doctor_to_json(const struct doctor *doctor);

/* Frees what @doctor owns; for AUTO(). */
void doctor_fini(struct doctor *doctor);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types that a BPF object asks for, and no others. For each type of an object
 * libbpf goes over all of the kernel's, a hundred thousand; of these there are some hundred.
 */
#ifndef RELINKTRACE_SUBSET_H
#define RELINKTRACE_SUBSET_H

#include <bpf/btf.h>

/* Writes into a new file in memory, *@fd, for the caller to close, those types of @kernel that
 * have the name of one of @object, a flavour (___x) aside, with all that is inside of them, and of
 * @modules (names, ended by NULL; those that are not there have none) where @kernel has none;
 * pointers in them point to nothing. Whatever libbpf relocates by offset, size or existence
 * (bpf_core_calc_relo_insn, relo_core.c) comes out as with all of @kernel; type ids do not.
 * 0; -ENOMEM; -errno. */
int subset_write(struct btf *kernel, const char *const *modules, const struct btf *object,
		 int *fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/* What the running kernel's own types say about it: which functions have which arguments
 * where, which iterators and tracepoints there are. Asked instead of a version number. */
#ifndef RELINKTRACE_KERNEL_H
#define RELINKTRACE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#define KERNEL_ARG_NONE 255

struct btf;

struct kernel {
	struct btf *btf; /* owned; all types of the kernel, without its modules' */
	/* Places of arguments, from 0; see bpf/compat.h for what each means. */
	uint8_t arg_unlink;
	uint8_t arg_rmdir;
	uint8_t arg_rename;
	bool rename_has_data;
	uint8_t arg_tmpfile;
	uint8_t arg_tmpfile_flags;
	uint8_t ret_tmpfile;
	uint32_t id_unlink;  /* of vfs_unlink in BTF; 0 none */
	uint32_t id_file;    /* of struct file */
	bool rmdir_is_split; /* only after kernel_read_symbols() */
	/* iter/task_file (5.8), iter/task_vma and bpf_d_path() in iterators (both 5.12).
	 */
	bool iter_task_file;
	bool iter_task_vma;
	bool iter_d_path;
	/* Iterators of a single task and bpf_loop() (both there from 6.1); bpf_rdonly_cast()
	 * (6.2). */
	bool iter_one_task;
	bool rdonly_cast;
	bool task_btf; /* bpf_get_current_task_btf() (5.11) */
	/* Tracing programs are skipped where they would run inside of themselves (5.12), and
	 * tasks are held up in them, since the kernel is preemptible: see RT_THRICE in
	 * bpf/marks.h. */
	bool skips_programs;
	bool skips_releases; /* and under spinlocks too (PREEMPT_RT) */
	/* Tracepoints, of the kernel or of a loaded module. */
	bool tp_ext4;
	bool tp_xfs;
	bool tp_sys_exit;
};

#define KERNEL_INIT                                                                      \
	{                                                                                \
		.btf = NULL                                                              \
	}

/* Reads /sys/kernel/btf. 0, and @out for kernel_fini(); -ENOENT when the kernel has no BTF
 * (CONFIG_DEBUG_INFO_BTF); -errno. Functions that are not there leave KERNEL_ARG_NONE. */
int kernel_read(struct kernel *out);
void kernel_fini(struct kernel *kernel);

/* Whether the kernel may let a program hook functions by fentry; one that is locked down
 * refuses all of them (bpf_check(), check_attach_btf_id()), and is asked by the smallest. */
bool kernel_takes_fentry(const struct kernel *kernel);

/* Reads /proc/kallsyms, which takes longer and is only needed for hooks. 0 or -errno;
 * what cannot be read stays false. */
int kernel_read_symbols(struct kernel *kernel);

#endif

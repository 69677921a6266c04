// SPDX-License-Identifier: GPL-2.0-only
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <bpf/btf.h>

#include "base/auto.h"

static void auto_btf(struct btf **btf)
{
	btf__free(*btf);
}

#define AUTO_BTF AUTO(auto_btf) struct btf

/* The prototype of function @name; NULL when there is none. */
static const struct btf_type *function_proto(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);

	if (id < 0)
		return NULL;
	return btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
}

/* Whether type @id is a pointer to struct @name. */
static bool is_pointer_to(const struct btf *btf, uint32_t id, const char *name)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	if (!type || !btf_is_ptr(type))
		return false;
	for (type = btf__type_by_id(btf, type->type); type && btf_is_mod(type);)
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_struct(type) &&
	       !strcmp(btf__name_by_offset(btf, type->name_off), name);
}

/* Place of the @nth argument, from 1, that points to a struct @name. */
static uint8_t function_arg(const struct btf *btf, const char *function, const char *name,
			    int nth)
{
	const struct btf_type *proto = function_proto(btf, function);

	for (int i = 0; proto && i < btf_vlen(proto); i++)
		if (is_pointer_to(btf, btf_params(proto)[i].type, name) && --nth == 0)
			return i;
	return KERNEL_ARG_NONE;
}

static void read_tmpfile(const struct btf *btf, struct kernel *kernel)
{
	const struct btf_type *proto = function_proto(btf, "vfs_tmpfile");

	kernel->arg_tmpfile = function_arg(btf, "vfs_tmpfile", "file", 1);
	if (!proto || kernel->arg_tmpfile != KERNEL_ARG_NONE)
		return;
	/* The returned value follows the arguments in a fexit program's context. */
	kernel->arg_tmpfile_flags = btf_vlen(proto) - 1;
	kernel->ret_tmpfile = btf_vlen(proto);
}

static bool has_member(const struct btf *btf, const char *structure, const char *name)
{
	int id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, id);

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off),
			    name))
			return true;
	return false;
}

/* Tracepoints are known to BTF by a typedef of their probe's prototype. */
static bool has_tracepoint(struct btf *vmlinux, const char *module, const char *name)
{
	char typedef_name[64];
	AUTO_BTF *own = NULL;

	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	if (btf__find_by_name_kind(vmlinux, typedef_name, BTF_KIND_TYPEDEF) > 0)
		return true;
	own = module ? btf__load_module_btf(module, vmlinux) : NULL;
	return own && btf__find_by_name_kind(own, typedef_name, BTF_KIND_TYPEDEF) > 0;
}

/* What /sys/kernel/debug/sched/preempt says, "none (voluntary) full lazy" or so; where it
 * cannot be read, how the kernel was built. */
static bool kernel_is_preemptible(void)
{
	AUTO_FILE *file = fopen("/sys/kernel/debug/sched/preempt", "re");
	char modes[128] = "";
	struct utsname name;

	if (file && fgets(modes, sizeof(modes), file) && strchr(modes, '('))
		return !strstr(modes, "(none)") && !strstr(modes, "(voluntary)");
	return uname(&name) || strstr(name.version, "PREEMPT");
}

int kernel_read(struct kernel *out)
{
	AUTO_BTF *btf = btf__load_vmlinux_btf();
	struct kernel kernel = {
		.arg_tmpfile_flags = KERNEL_ARG_NONE,
		.ret_tmpfile = KERNEL_ARG_NONE,
	};

	if (!btf)
		return errno ? -errno : -ENOENT;
	kernel.arg_unlink = function_arg(btf, "vfs_unlink", "dentry", 1);
	kernel.arg_rmdir = function_arg(btf, "vfs_rmdir", "dentry", 1);
	kernel.rename_has_data =
		function_arg(btf, "vfs_rename", "renamedata", 1) != KERNEL_ARG_NONE;
	kernel.arg_rename = function_arg(btf, "vfs_rename", "dentry", 2);
	read_tmpfile(btf, &kernel);
	kernel.iter_task_file =
		btf__find_by_name_kind(btf, "bpf_iter__task_file", BTF_KIND_STRUCT) > 0;
	kernel.iter_task_vma =
		btf__find_by_name_kind(btf, "bpf_iter__task_vma", BTF_KIND_STRUCT) > 0;
	/* The same series brought both: 3a7b35b899de and 3d06f34aa89e, in 5.12. */
	kernel.iter_d_path = kernel.iter_task_vma;
	kernel.iter_one_task = has_member(btf, "bpf_iter_aux_info", "task") &&
			       function_proto(btf, "bpf_loop");
	kernel.skips_programs =
		has_member(btf, "bpf_prog", "active") && kernel_is_preemptible();
	kernel.rdonly_cast = function_proto(btf, "bpf_rdonly_cast");
	kernel.tp_ext4 = has_tracepoint(btf, "ext4", "ext4_unlink_exit") &&
			 has_tracepoint(btf, "ext4", "ext4_evict_inode");
	kernel.tp_xfs = has_tracepoint(btf, "xfs", "xfs_iunlink") &&
			has_tracepoint(btf, "xfs", "xfs_iunlink_remove");
	kernel.tp_sys_exit = has_tracepoint(btf, NULL, "sys_exit");
	*out = kernel;
	return 0;
}

int kernel_read_symbols(struct kernel *kernel)
{
	AUTO_FILE *file = fopen("/proc/kallsyms", "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0)
		if (strstr(line, " vfs_rmdir."))
			kernel->rmdir_is_split = true;
	return 0;
}

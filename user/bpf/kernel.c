// SPDX-License-Identifier: GPL-2.0-only
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>

#include "base/auto.h"

static void auto_btf(struct btf **btf)
{
	btf__free(*btf);
}

#define AUTO_BTF AUTO(auto_btf) struct btf

/* What is asked for by name; libbpf goes over a hundred thousand types for each. */
static const struct {
	const char *name;
	uint32_t kind;
} wanted[] = {
	{"vfs_unlink", BTF_KIND_FUNC},
	{"vfs_rmdir", BTF_KIND_FUNC},
	{"vfs_rename", BTF_KIND_FUNC},
	{"vfs_tmpfile", BTF_KIND_FUNC},
	{"bpf_loop", BTF_KIND_FUNC},
	{"bpf_get_current_task_btf", BTF_KIND_FUNC},
	{"bpf_rdonly_cast", BTF_KIND_FUNC},
	{"bpf_iter__task_file", BTF_KIND_STRUCT},
	{"bpf_iter__task_vma", BTF_KIND_STRUCT},
	{"bpf_iter_aux_info", BTF_KIND_STRUCT},
	{"bpf_prog", BTF_KIND_STRUCT},
	{"file", BTF_KIND_STRUCT},
	{"btf_trace_ext4_unlink_exit", BTF_KIND_TYPEDEF},
	{"btf_trace_ext4_evict_inode", BTF_KIND_TYPEDEF},
	{"btf_trace_xfs_iunlink", BTF_KIND_TYPEDEF},
	{"btf_trace_xfs_iunlink_remove", BTF_KIND_TYPEDEF},
	{"btf_trace_sys_exit", BTF_KIND_TYPEDEF},
};

#define N_WANTED (sizeof(wanted) / sizeof(wanted[0]))

/* The kernel's types, and the places of those that are asked for; 0 where there is none. */
struct types {
	struct btf *btf; /* owned */
	uint32_t ids[N_WANTED];
};

static void types_fini(struct types *types)
{
	btf__free(types->btf);
}

static void types_note(struct types *types, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(types->btf, id);
	uint32_t kind = btf_kind(type);
	const char *name;

	if (kind != BTF_KIND_FUNC && kind != BTF_KIND_STRUCT && kind != BTF_KIND_TYPEDEF)
		return;
	name = btf__name_by_offset(types->btf, type->name_off);
	if (name[0] != 'v' && name[0] != 'b' && name[0] != 'f')
		return;
	for (size_t i = 0; i < N_WANTED; i++)
		if (wanted[i].kind == kind && !types->ids[i] &&
		    !strcmp(wanted[i].name, name))
			types->ids[i] = id;
}

static int types_read(struct types *types)
{
	uint32_t n;

	types->btf = btf__load_vmlinux_btf();
	if (!types->btf)
		return errno ? -errno : -ENOENT;
	n = btf__type_cnt(types->btf);
	for (uint32_t id = 1; id < n; id++)
		types_note(types, id);
	return 0;
}

/* The place of @name, which is one of those that are asked for; 0. */
static uint32_t types_find(const struct types *types, const char *name)
{
	for (size_t i = 0; i < N_WANTED; i++)
		if (!strcmp(wanted[i].name, name))
			return types->ids[i];
	return 0;
}

/* The prototype of function @name; NULL when there is none. */
static const struct btf_type *function_proto(const struct types *types, const char *name)
{
	uint32_t id = types_find(types, name);

	if (!id)
		return NULL;
	return btf__type_by_id(types->btf, btf__type_by_id(types->btf, id)->type);
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
static uint8_t function_arg(const struct types *types, const char *function,
			    const char *name, int nth)
{
	const struct btf_type *proto = function_proto(types, function);

	for (int i = 0; proto && i < btf_vlen(proto); i++)
		if (is_pointer_to(types->btf, btf_params(proto)[i].type, name) &&
		    --nth == 0)
			return i;
	return KERNEL_ARG_NONE;
}

static void read_tmpfile(const struct types *types, struct kernel *kernel)
{
	const struct btf_type *proto = function_proto(types, "vfs_tmpfile");

	kernel->arg_tmpfile = function_arg(types, "vfs_tmpfile", "file", 1);
	if (!proto || kernel->arg_tmpfile != KERNEL_ARG_NONE)
		return;
	/* The returned value follows the arguments in a fexit program's context. */
	kernel->arg_tmpfile_flags = btf_vlen(proto) - 1;
	kernel->ret_tmpfile = btf_vlen(proto);
}

static bool has_member(const struct types *types, const char *structure, const char *name)
{
	uint32_t id = types_find(types, structure);
	const struct btf_type *type = id ? btf__type_by_id(types->btf, id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(types->btf,
						btf_members(type)[i].name_off),
			    name))
			return true;
	return false;
}

/* Tracepoints are known to BTF by a typedef of their probe's prototype. */
static bool has_tracepoint(const struct types *types, const char *module,
			   const char *name)
{
	char typedef_name[64];
	AUTO_BTF *own = NULL;

	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	if (types_find(types, typedef_name))
		return true;
	own = module ? btf__load_module_btf(module, types->btf) : NULL;
	return own && btf__find_by_name_kind(own, typedef_name, BTF_KIND_TYPEDEF) > 0;
}

/* /sys/kernel/debug/sched/preempt. Where debugfs is not mounted, as in a container, by a mount
 * that nobody else sees (fsmount(2), 5.2), for which it takes CAP_SYS_ADMIN. NULL. */
static FILE *open_preempt(void)
{
	FILE *file = fopen("/sys/kernel/debug/sched/preempt", "re");
	AUTO_FD context = -1, mount = -1, fd = -1;

	if (file)
		return file;
	context = fsopen("debugfs", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return NULL;
	mount = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (mount >= 0)
		fd = openat(mount, "sched/preempt", O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "re");
	if (file)
		fd = -1;
	return file;
}

/* What it says, "none (voluntary) full lazy" or so; where it cannot be read, how the kernel was
 * built. */
static bool kernel_is_preemptible(void)
{
	AUTO_FILE *file = open_preempt();
	char modes[128] = "";
	struct utsname name;

	if (file && fgets(modes, sizeof(modes), file) && strchr(modes, '('))
		return !strstr(modes, "(none)") && !strstr(modes, "(voluntary)");
	return uname(&name) || strstr(name.version, "PREEMPT");
}

/* Its build says so (scripts/mkcompile_h, init/Makefile). */
static bool kernel_is_realtime(void)
{
	struct utsname name;

	return uname(&name) || strstr(name.version, "PREEMPT_RT");
}

int kernel_read(struct kernel *out)
{
	AUTO(types_fini) struct types types = {0};
	struct kernel kernel = {
		.arg_tmpfile_flags = KERNEL_ARG_NONE,
		.ret_tmpfile = KERNEL_ARG_NONE,
	};
	int err = types_read(&types);

	if (err)
		return err;
	kernel.arg_unlink = function_arg(&types, "vfs_unlink", "dentry", 1);
	kernel.arg_rmdir = function_arg(&types, "vfs_rmdir", "dentry", 1);
	kernel.rename_has_data =
		function_arg(&types, "vfs_rename", "renamedata", 1) != KERNEL_ARG_NONE;
	kernel.arg_rename = function_arg(&types, "vfs_rename", "dentry", 2);
	read_tmpfile(&types, &kernel);
	kernel.iter_task_file = types_find(&types, "bpf_iter__task_file");
	kernel.iter_task_vma = types_find(&types, "bpf_iter__task_vma");
	/* The same series brought both: 3a7b35b899de and 3d06f34aa89e, in 5.12. */
	kernel.iter_d_path = kernel.iter_task_vma;
	kernel.iter_one_task = has_member(&types, "bpf_iter_aux_info", "task") &&
			       function_proto(&types, "bpf_loop");
	kernel.skips_programs =
		has_member(&types, "bpf_prog", "active") && kernel_is_preemptible();
	kernel.skips_releases = kernel.skips_programs && kernel_is_realtime();
	kernel.id_unlink = types_find(&types, "vfs_unlink");
	kernel.id_file = types_find(&types, "file");
	kernel.task_btf = function_proto(&types, "bpf_get_current_task_btf");
	kernel.rdonly_cast = function_proto(&types, "bpf_rdonly_cast");
	kernel.tp_ext4 = has_tracepoint(&types, "ext4", "ext4_unlink_exit") &&
			 has_tracepoint(&types, "ext4", "ext4_evict_inode");
	kernel.tp_xfs = has_tracepoint(&types, "xfs", "xfs_iunlink") &&
			has_tracepoint(&types, "xfs", "xfs_iunlink_remove");
	kernel.tp_sys_exit = has_tracepoint(&types, NULL, "sys_exit");
	kernel.btf = TAKE_PTR(types.btf);
	*out = kernel;
	return 0;
}

void kernel_fini(struct kernel *kernel)
{
	btf__free(kernel->btf);
	kernel->btf = NULL;
}

bool kernel_takes_fentry(const struct kernel *kernel)
{
	/* r0 = 0; exit */
	const struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
					   {.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, options);
	AUTO_FD fd = -1;

	if (!kernel->id_unlink)
		return false;
	options.expected_attach_type = BPF_TRACE_FENTRY;
	options.attach_btf_id = kernel->id_unlink;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "rt_try", "GPL", nothing, 2, &options);
	/* Whatever else is said about it, a real one may get another answer. */
	return fd != -EPERM;
}

int kernel_read_symbols(struct kernel *kernel)
{
	AUTO_FILE *file = fopen("/proc/kallsyms", "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	/* What it says of its block size is 1024, and there are millions of bytes. */
	setvbuf(file, NULL, _IOFBF, 1 << 16);
	while (getline(&line, &size, file) > 0)
		if (strstr(line, " vfs_rmdir."))
			kernel->rmdir_is_split = true;
	return 0;
}

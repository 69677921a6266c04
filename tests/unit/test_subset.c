/* SPDX-License-Identifier: GPL-2.0-only */
/* Whatever libbpf relocates by a subset of the kernel's types is as by all of them. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/auto.h"
#include "bpf/kernel.h"
#include "bpf/subset.h"
#include "check.h"
#include "relinktrace.skel.h"

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* The object as libbpf has it for the kernel, whether that takes it or not: programs are
 * relocated before the first of them is loaded. By all types where @types is NULL. */
static struct relinktrace_bpf *relocated(const char *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = types);
	struct relinktrace_bpf *skel = relinktrace_bpf__open_opts(&opts);

	if (skel)
		relinktrace_bpf__load(skel);
	return skel;
}

/* Whether the two are the same, but for what is no type: a map's fd; and the second half of
 * that instruction. */
static bool insn_is_same(const struct bpf_insn *a, const struct bpf_insn *b)
{
	bool refers = a->code == (BPF_LD | BPF_IMM | BPF_DW) && a->src_reg;

	return a->code == b->code && a->dst_reg == b->dst_reg &&
	       a->src_reg == b->src_reg && a->off == b->off &&
	       (refers || a->imm == b->imm);
}

static void compare(const struct bpf_program *all, const struct bpf_program *some)
{
	const struct bpf_insn *a = bpf_program__insns(all), *b = bpf_program__insns(some);
	size_t n = bpf_program__insn_cnt(all), i = 0;

	CHECK(n == bpf_program__insn_cnt(some));
	if (n != bpf_program__insn_cnt(some))
		return;
	while (i < n && insn_is_same(&a[i], &b[i]))
		i++;
	if (i < n)
		printf("# %s: instruction %zu is %02x %d %d, not %02x %d %d\n",
		       bpf_program__name(all), i, b[i].code, b[i].off, b[i].imm,
		       a[i].code, a[i].off, a[i].imm);
	CHECK(i == n);
}

static void test_same(const struct kernel *kernel)
{
	static const char *const modules[] = {"loop", "xfs", NULL};
	struct relinktrace_bpf *all = relocated(NULL), *some;
	struct bpf_program *left = NULL, *right = NULL;
	AUTO_FD fd = -1;
	char path[32];
	struct stat st;

	MUST(all);
	CHECK_INT(subset_write(kernel->btf, modules, bpf_object__btf(all->obj), &fd), 0);
	MUST(fd >= 0 && !fstat(fd, &st));
	/* or it would be no quicker */
	CHECK(st.st_size > 1000 && st.st_size < 300000);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	some = relocated(path);
	MUST(some);
	for (;;) {
		left = bpf_object__next_program(all->obj, left);
		right = bpf_object__next_program(some->obj, right);
		if (!left || !right)
			break;
		compare(left, right);
	}
	CHECK(!left && !right);
	relinktrace_bpf__destroy(all);
	relinktrace_bpf__destroy(some);
}

/* What it is to leave out and to take. */
static void test_choice(void)
{
	struct btf *kernel = btf__new_empty(), *object = btf__new_empty(), *got;
	const char *nothing = NULL;
	AUTO_FD fd = -1;
	char path[32];
	int number, inner, other;

	number = btf__add_int(kernel, "int", 4, BTF_INT_SIGNED);
	btf__add_struct(kernel, "other", 4);
	btf__add_field(kernel, "x", number, 0, 0);
	inner = btf__add_struct(kernel, "inner", 4);
	btf__add_field(kernel, "y", number, 0, 0);
	other = btf__add_ptr(kernel, 2);
	btf__add_struct(kernel, "wanted", 16);
	btf__add_field(kernel, "inside", inner, 0, 0);
	btf__add_field(kernel, "pointer", other, 64, 0);
	btf__add_struct(object, "wanted___as_it_was", 4);
	btf__add_struct(object, "absent", 4);

	CHECK_INT(subset_write(kernel, &nothing, object, &fd), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got = btf__parse_raw(path);
	MUST(got);
	CHECK(btf__find_by_name_kind(got, "wanted", BTF_KIND_STRUCT) > 0);
	CHECK(btf__find_by_name_kind(got, "inner", BTF_KIND_STRUCT) > 0);
	CHECK_INT(btf__find_by_name_kind(got, "other", BTF_KIND_STRUCT), -ENOENT);
	CHECK_INT(btf__resolve_size(got, btf__find_by_name(got, "wanted")), 16);
	CHECK_INT(btf__type_cnt(got), 5);
	btf__free(got);
	btf__free(kernel);
	btf__free(object);
}

int main(void)
{
	AUTO(kernel_fini) struct kernel kernel = KERNEL_INIT;

	libbpf_set_print(print_nothing);
	/* Whose types are asked for; where they are no modules, or it may not, without. */
	if (system("modprobe -qa loop xfs 2>/dev/null"))
		printf("# no modules are loaded\n");
	test_choice();
	if (kernel_read(&kernel))
		check_skip("relocations", "the kernel has no BTF");
	else
		test_same(&kernel);
	return check_done();
}

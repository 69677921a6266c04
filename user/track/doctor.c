// SPDX-License-Identifier: GPL-2.0-only
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/auto.h"
#include "proc/cgroup.h"
#include "bpf/pins.h"
#include "proc/proctext.h"
#include "bpf/tracker.h"

static void check_set(struct doctor_check *check, const char *name, bool works,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

static void check_set(struct doctor_check *check, const char *name, bool works,
		      const char *format, ...)
{
	va_list args;

	snprintf(check->name, sizeof(check->name), "%s", name);
	check->works = works;
	if (!format)
		return;
	va_start(args, format);
	if (vasprintf(&check->note, format, args) < 0)
		check->note = NULL;
	va_end(args);
}

/* What a way to attach can and cannot know. */
static const char *backend_limits(enum backend backend, const struct kernel *kernel)
{
	if (backend != BACKEND_TP_BTF && kernel->rmdir_is_split)
		return "exact; but a removed directory that nobody is found to hold is "
		       "not listed, "
		       "since this kernel's vfs_rmdir is split";
	if (backend != BACKEND_TP_BTF)
		return "exact: births, releases and unlinkers on every filesystem";
	if (kernel->tp_ext4 && kernel->tp_xfs)
		return "the set of orphans comes from the holders; the unlinker is known "
		       "on ext4 "
		       "and xfs, births and releases are looked for once a second";
	if (kernel->tp_ext4)
		return "the set of orphans comes from the holders; the unlinker is known "
		       "on ext4, "
		       "births and releases are looked for once a second";
	return "the set of orphans comes from the holders; no unlinker is known, births "
	       "and "
	       "releases are looked for once a second";
}

static void try_backends(struct doctor *doctor, const struct kernel *kernel)
{
	static const enum backend order[] = {BACKEND_FENTRY, BACKEND_KPROBE,
					     BACKEND_TP_BTF};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct tracker_options options = {.backend = order[i]};
		AUTO(tracker_closep) struct tracker *tracker = NULL;
		AUTO_FREE char *why = NULL;
		int err = tracker_open(&options, kernel, &tracker, &why);

		if (err) {
			check_set(&doctor->backends[i], backend_name(order[i]), false,
				  "%s", why ? why : strerror(-err));
			continue;
		}
		check_set(&doctor->backends[i], backend_name(order[i]), true, "%s",
			  backend_limits(order[i], kernel));
		if (doctor->backend == BACKEND_NONE)
			doctor->backend = order[i];
	}
}

static int count_record(const struct rt_holder *record, const char *path, void *data)
{
	(void)record;
	(void)path;
	++*(size_t *)data;
	return 0;
}

static void try_iterators(struct doctor *doctor, const struct kernel *kernel)
{
	struct tracker_options options = {.iterators = true};
	AUTO(tracker_closep) struct tracker *tracker = NULL;
	struct iterators iterators;
	AUTO_FREE char *why = NULL;
	size_t records = 0;
	int err = tracker_open(&options, kernel, &tracker, &why);

	if (!err)
		iterators = tracker_iterators(tracker);
	if (!err)
		err = iterators_run(&iterators, count_record, &records);
	doctor->by_iterator = !err;
	if (err && !why)
		why = strdup(strerror(-err));
	check_set(&doctor->iterators[0], "iter/task_file", !err, "%s",
		  err			     ? why
		  : iterators.tables_fd >= 0 ? "open files, a table in one call"
		  : kernel->iter_one_task
			  ? "open files, each in a call of its own: the kernel refused "
			    "the walk of a whole table, which it should not"
			  : "open files, each in a call of its own; what "
			    "is in flight over a socket or with an "
			    "io_uring is unattributed");
	check_set(&doctor->iterators[1], "iter/task_vma", !err && kernel->iter_task_vma,
		  "%s",
		  err ? why
		  : kernel->iter_task_vma
			  ? "mappings"
			  : "came in 5.12: mappings and paths are read from /proc");
	check_set(&doctor->iterators[2], "iter/task", !err, "%s",
		  err ? why : "executables, cwds and roots");
}

static struct doctor_check *next_check(struct doctor *doctor)
{
	return &doctor->machine[doctor->n_machine++];
}

static void check_machine(struct doctor *doctor, int btf_err)
{
	AUTO_FREE char *lockdown = NULL;
	struct statfs fs;
	bool bpffs =
		!statfs("/sys/fs/bpf", &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
	const char *cgroups = cgroup_mount();
	AUTO_FD root = cgroups ? open(cgroups, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	check_set(next_check(doctor), "btf", !btf_err, "%s",
		  btf_err ? "no /sys/kernel/btf/vmlinux: only /proc can be read"
			  : "/sys/kernel/btf/vmlinux");
	check_set(next_check(doctor), "cgroup2", cgroups, "%s",
		  cgroups ? cgroups : "no cgroup v2 hierarchy is mounted");
	check_set(next_check(doctor), "bpffs", bpffs, "%s",
		  bpffs ? "/sys/fs/bpf" : "not mounted: attach --pin mounts it");
	if (proctext_read(AT_FDCWD, "/sys/kernel/security/lockdown", &lockdown)) {
		check_set(next_check(doctor), "lockdown", true,
			  "not known: securityfs is not "
			  "mounted, or the kernel has none");
		return;
	}
	lockdown[strcspn(lockdown, "\n")] = '\0';
	check_set(next_check(doctor), "lockdown", strstr(lockdown, "[none]"), "%s%s",
		  lockdown,
		  strstr(lockdown, "[none]")
			  ? ""
			  : ": the kernel may refuse hooks on functions");
}

static void check_attached(struct doctor *doctor)
{
	AUTO(pins_close) struct pins pins = PINS_INIT;
	uint64_t ids[RT_MAX_TARGETS];
	size_t n = 0;
	int err = pins_open(&pins);

	if (err == -ENOENT) {
		check_set(&doctor->attached, "attached", false, "nothing is pinned");
		return;
	}
	if (!err)
		err = pins_targets(pins.targets_fd, ids, &n);
	if (err)
		check_set(&doctor->attached, "attached", false, "%s", pins_strerror(err));
	else
		check_set(&doctor->attached, "attached", true,
			  "pinned, by %s, for %zu cgroup%s", backend_name(pins.backend),
			  n, n == 1 ? "" : "s");
}

int doctor_examine(struct doctor *out)
{
	AUTO(kernel_fini) struct kernel kernel = KERNEL_INIT;
	int err = kernel_read(&kernel);

	kernel_read_symbols(&kernel);
	memset(out, 0, sizeof(*out));
	uname(&out->kernel);
	check_machine(out, err);
	try_backends(out, &kernel);
	try_iterators(out, &kernel);
	check_attached(out);
	return 0;
}

static void fini_checks(struct doctor_check *checks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(checks[i].note);
}

void doctor_fini(struct doctor *doctor)
{
	fini_checks(doctor->backends, 3);
	fini_checks(doctor->iterators, 3);
	fini_checks(doctor->machine, doctor->n_machine);
	fini_checks(&doctor->attached, 1);
	memset(doctor, 0, sizeof(*doctor));
}

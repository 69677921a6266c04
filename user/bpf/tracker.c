// SPDX-License-Identifier: GPL-2.0-only
#include "tracker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/why.h"
#include "records.h"
#include "relinktrace.skel.h"
#include "subset.h"

/* Links: at most the hooks of one backend. */
#define MAX_LINKS RT_MAX_HOOKS

#define KPROBES "/sys/bus/event_source/devices/kprobe"

struct tracker {
	struct relinktrace_bpf *skel;
	struct bpf_link *links[MAX_LINKS];
	size_t n_links;
	enum backend backend;
};

static bool verbose;

/* libbpf's first complaint about a program: which one it was is told nowhere else; or about
 * the modules (libbpf.c, load_module_btfs), in which it looks for what vmlinux does not have. */
#define MODULES "failed to iterate BTF objects"
static char complaint[160];

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !complaint[0] &&
	    (strstr(format, "prog '") || strstr(format, MODULES))) {
		va_list copy;

		va_copy(copy, args);
		vsnprintf(complaint, sizeof(complaint), format, copy);
		va_end(copy);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return verbose ? vfprintf(stderr, format, args) : 0;
}

void tracker_set_verbose(bool value)
{
	verbose = value;
}

/* Hooks are told apart by the first letters of their programs' names. */
static bool is_hook_of(const char *program, enum backend backend)
{
	switch (backend) {
	case BACKEND_FENTRY:
		return !strncmp(program, "rt_fe_", 6) || !strncmp(program, "rt_fx_", 6);
	case BACKEND_KPROBE:
		return !strncmp(program, "rt_kp_", 6) || !strncmp(program, "rt_kr_", 6);
	case BACKEND_TP_BTF:
		return !strncmp(program, "rt_tp_", 6);
	case BACKEND_NONE:
		break;
	}
	return false;
}

/* Whether the kernel has what @program hooks; only tracepoints may be absent one by one,
 * and the second and third that see the same. */
static bool is_available(const char *program, const struct kernel *kernel)
{
	if (hook_rank(program) > 1)
		return strncmp(program, "rt_fe_release", 13) ? kernel->skips_programs
							     : kernel->skips_releases;
	if (!strncmp(program, "rt_tp_ext4", 10))
		return kernel->tp_ext4;
	if (!strncmp(program, "rt_tp_xfs", 9))
		return kernel->tp_xfs;
	if (!strcmp(program, "rt_iter_maps"))
		return kernel->iter_task_vma;
	if (!strcmp(program, "rt_iter_tables_cast"))
		return kernel->iter_one_task && kernel->rdonly_cast;
	if (!strcmp(program, "rt_iter_tables"))
		return kernel->iter_one_task && !kernel->rdonly_cast;
	return true;
}

static bool has_functions(const struct kernel *kernel)
{
	return kernel->arg_unlink != KERNEL_ARG_NONE &&
	       kernel->arg_rmdir != KERNEL_ARG_NONE &&
	       (kernel->rename_has_data || kernel->arg_rename != KERNEL_ARG_NONE) &&
	       (kernel->arg_tmpfile != KERNEL_ARG_NONE ||
		kernel->ret_tmpfile != KERNEL_ARG_NONE);
}

static void choose_programs(struct relinktrace_bpf *skel,
			    const struct tracker_options *options,
			    const struct kernel *kernel)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj)
	{
		const char *name = bpf_program__name(program);
		bool wanted = is_hook_of(name, options->backend) ||
			      (options->iterators && !strncmp(name, "rt_iter_", 8));

		if (!strcmp(name, "rt_iter_ours"))
			wanted = options->ours;
		bpf_program__set_autoload(program, wanted && is_available(name, kernel));
	}
}

static void set_constants(struct relinktrace_bpf *skel,
			  const struct tracker_options *options,
			  const struct kernel *kernel)
{
	skel->rodata->rt_arg_unlink = kernel->arg_unlink;
	skel->rodata->rt_arg_rmdir = kernel->arg_rmdir;
	skel->rodata->rt_arg_rename = kernel->arg_rename;
	skel->rodata->rt_rename_has_data = kernel->rename_has_data;
	skel->rodata->rt_arg_tmpfile = kernel->arg_tmpfile;
	skel->rodata->rt_arg_tmpfile_flags = kernel->arg_tmpfile_flags;
	skel->rodata->rt_ret_tmpfile = kernel->ret_tmpfile;
	skel->rodata->rt_rmdir_is_split = kernel->rmdir_is_split;
	skel->rodata->rt_looks_again = kernel->skips_programs;
	skel->rodata->rt_releases_again = kernel->skips_releases;
	skel->rodata->rt_id_file = kernel->id_file;
	skel->rodata->rt_have_task_btf = kernel->task_btf;
	/* It came with the same release. */
	skel->rodata->rt_loads_cost = kernel->rdonly_cast;
	skel->rodata->rt_have_d_path = kernel->iter_d_path;
	/* tp_btf's map is keyed by inodes, and not exact anyway. */
	skel->rodata->rt_bootstrap =
		options->bootstrap && options->backend != BACKEND_TP_BTF;
	skel->bss->rt_streaming = options->streaming;
}

/* The map's room, where nobody has asked for another. */
static uint32_t usual_room(void)
{
	struct sysinfo info;
	uint64_t room = RT_MAX_ORPHANS;

	if (!sysinfo(&info))
		room = (uint64_t)info.totalram * info.mem_unit / RT_BYTES_AN_ORPHAN;
	return room < RT_MIN_ORPHANS   ? RT_MIN_ORPHANS
	       : room > RT_MAX_ORPHANS ? RT_MAX_ORPHANS
				       : room;
}

static void set_maps(struct relinktrace_bpf *skel, const struct tracker_options *options)
{
	bpf_map__set_max_entries(skel->maps.rt_orphans,
				 options->max_orphans ?: usual_room());
	if (options->backend == BACKEND_FENTRY) {
		int cpus = libbpf_num_possible_cpus();

		bpf_map__set_type(skel->maps.rt_calls, BPF_MAP_TYPE_LRU_HASH);
		/* Each processor keeps 128 free elements to itself (LOCAL_FREE_TARGET,
		 * kernel/bpf/bpf_lru_list.c), and is to drop none that is in use for them. */
		if (cpus > 64)
			bpf_map__set_max_entries(skel->maps.rt_calls, cpus * 256);
	}
	if (options->backend != BACKEND_NONE)
		return;
	/* Iterators alone keep nothing. */
	if (!options->bootstrap)
		bpf_map__set_max_entries(skel->maps.rt_orphans, 1);
	bpf_map__set_max_entries(skel->maps.rt_calls, 1);
	bpf_map__set_max_entries(skel->maps.rt_events, getpagesize());
}

static int attach_hooks(struct tracker *tracker, const char **failed)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, tracker->skel->obj)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program) ||
		    !is_hook_of(bpf_program__name(program), tracker->backend))
			continue;
		*failed = bpf_program__section_name(program);
		link = bpf_program__attach(program);
		if (!link)
			return errno ? -errno : -EINVAL;
		tracker->links[tracker->n_links++] = link;
	}
	return 0;
}

static int check_available(const struct tracker_options *options,
			   const struct kernel *kernel, char **why)
{
	const char *missing = NULL;

	if ((options->backend == BACKEND_FENTRY || options->backend == BACKEND_KPROBE) &&
	    !has_functions(kernel))
		missing =
			"vfs_unlink, vfs_rename, vfs_rmdir or vfs_tmpfile is not in the "
			"kernel's BTF, or has arguments that are not known here";
	/* Their programs would be loaded, the iterators with them, and then not attached:
	 * what libbpf attaches them by, since 4.17 (e12f03d7031a "perf/core: Implement the
	 * 'perf_kprobe' PMU"). */
	if (options->backend == BACKEND_KPROBE && access(KPROBES, F_OK))
		missing = "the kernel has no kprobes (CONFIG_KPROBE_EVENTS)";
	if (options->backend == BACKEND_TP_BTF && !kernel->tp_sys_exit)
		missing = "the kernel has no tracepoint sys_exit";
	if (options->iterators && !kernel->iter_task_file)
		missing = "the kernel has no iter/task_file (it came in 5.8)";
	if (!missing)
		return 0;
	*why = strdup(missing);
	return -EOPNOTSUPP;
}

/* libbpf 1.1 sets errno and returns it negated, as libbpf_strict promises. */
static int explain(int err, const char *what, char **why)
{
	if (asprintf(why, "%s: %s", what, strerror(-err)) < 0)
		*why = NULL;
	return err;
}

/* libbpf says itself which program, and what the kernel answered. */
static int explain_load(int err, char **why)
{
	static const char prefix[] = "libbpf: ";
	size_t skip = !strncmp(complaint, prefix, strlen(prefix)) ? strlen(prefix) : 0;

	if (!complaint[0])
		return explain(err, "loading the BPF object", why);
	return why_set(why, err, "%s%s", complaint + skip,
		       strstr(complaint, MODULES) ? caps_missing(CAPS_BPF_MODULES) : "");
}

/* The types that @skel asks for. Some may be those of a module (bpf/ours.h, bpf/fallback.h). */
static int write_types(const struct relinktrace_bpf *skel,
		       const struct tracker_options *options, const struct kernel *kernel,
		       int *fd)
{
	const char *modules[3] = {};
	size_t n = 0;

	if (options->ours)
		modules[n++] = "loop";
	if (options->backend == BACKEND_TP_BTF)
		modules[n++] = "xfs";
	return subset_write(kernel->btf, modules, bpf_object__btf(skel->obj), fd);
}

/* The object, which libbpf is to relocate by those of the kernel's types that it asks for.
 * Where these cannot be had it may look through all of them, and says itself what it lacks.
 * *@fd is for the caller to close, after it is loaded. */
static struct relinktrace_bpf *open_object(const struct tracker_options *options,
					   const struct kernel *kernel, int *fd)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct relinktrace_bpf *skel, *quick;
	char path[32];

	skel = relinktrace_bpf__open();
	if (!skel || write_types(skel, options, kernel, fd))
		return skel;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	opts.btf_custom_path = path;
	quick = relinktrace_bpf__open_opts(&opts);
	if (!quick)
		return skel;
	relinktrace_bpf__destroy(skel);
	return quick;
}

static int load(const struct tracker_options *options, const struct kernel *kernel,
		struct tracker **out, char **why)
{
	AUTO(tracker_closep) struct tracker *tracker = NULL;
	const char *failed = "";
	AUTO_FD types = -1;
	int err;

	tracker = calloc(1, sizeof(*tracker));
	if (!tracker)
		return -ENOMEM;
	tracker->backend = options->backend;
	tracker->skel = open_object(options, kernel, &types);
	if (!tracker->skel)
		return explain(errno ? -errno : -EINVAL, "opening the BPF object", why);
	choose_programs(tracker->skel, options, kernel);
	set_constants(tracker->skel, options, kernel);
	set_maps(tracker->skel, options);
	complaint[0] = '\0';
	err = relinktrace_bpf__load(tracker->skel);
	if (err)
		return explain_load(err, why);
	err = attach_hooks(tracker, &failed);
	if (err)
		return explain(err, failed, why);
	*out = TAKE_PTR(tracker);
	return 0;
}

int tracker_open(const struct tracker_options *options, const struct kernel *kernel,
		 struct tracker **out, char **why)
{
	struct kernel plain = *kernel;
	int err;

	*why = NULL;
	libbpf_set_print(print_libbpf);
	err = check_available(options, kernel, why);
	if (err)
		return err;
	err = load(options, kernel, out, why);
	if (!err || err == -EPERM || !options->iterators || !kernel->iter_one_task)
		return err;
	/* The walk of whole tables asks the most of a verifier, and is only quicker. */
	plain.iter_one_task = false;
	free(*why);
	*why = NULL;
	return load(options, &plain, out, why);
}

bool tracker_hooks_functions(const struct kernel *kernel)
{
	return !access(KPROBES, F_OK) || kernel_takes_fentry(kernel);
}

int tracker_open_best(struct tracker_options *options, const struct kernel *kernel,
		      struct tracker **out, char **why)
{
	static const enum backend order[] = {BACKEND_FENTRY, BACKEND_KPROBE,
					     BACKEND_TP_BTF};
	int err = -EOPNOTSUPP;

	*why = NULL;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		/* All that a program needs of the kernel's types would be looked up first. */
		if (order[i] == BACKEND_FENTRY && !kernel_takes_fentry(kernel))
			continue;
		free(*why);
		options->backend = order[i];
		err = tracker_open(options, kernel, out, why);
		if (!err)
			break;
	}
	return err;
}

void tracker_close(struct tracker *tracker)
{
	if (!tracker)
		return;
	for (size_t i = 0; i < tracker->n_links; i++)
		bpf_link__destroy(tracker->links[i]);
	relinktrace_bpf__destroy(tracker->skel);
	free(tracker);
}

void tracker_closep(struct tracker **tracker)
{
	tracker_close(*tracker);
}

enum backend tracker_backend(const struct tracker *tracker)
{
	return tracker->backend;
}

static int program_fd(const struct bpf_program *program)
{
	return bpf_program__autoload(program) ? bpf_program__fd(program) : -1;
}

struct iterators tracker_iterators(const struct tracker *tracker)
{
	int cast_fd = program_fd(tracker->skel->progs.rt_iter_tables_cast);

	return (struct iterators){
		.files_fd = program_fd(tracker->skel->progs.rt_iter_files),
		.tables_fd = cast_fd >= 0
				     ? cast_fd
				     : program_fd(tracker->skel->progs.rt_iter_tables),
		.maps_fd = program_fd(tracker->skel->progs.rt_iter_maps),
		.tasks_fd = program_fd(tracker->skel->progs.rt_iter_tasks),
		.ours_fd = program_fd(tracker->skel->progs.rt_iter_ours),
	};
}

int tracker_keep_iterators(const struct tracker *tracker, struct iterators *out)
{
	AUTO(iterators_close) struct iterators kept = ITERATORS_INIT;
	struct iterators all = tracker_iterators(tracker);
	const struct {
		int from, *to;
	} fds[] = {
		{all.files_fd, &kept.files_fd}, {all.tables_fd, &kept.tables_fd},
		{all.maps_fd, &kept.maps_fd},	{all.tasks_fd, &kept.tasks_fd},
		{all.ours_fd, &kept.ours_fd},
	};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (fds[i].from < 0)
			continue;
		*fds[i].to = fcntl(fds[i].from, F_DUPFD_CLOEXEC, 0);
		if (*fds[i].to < 0)
			return -errno;
	}
	*out = kept;
	kept = (struct iterators)ITERATORS_INIT;
	return 0;
}

struct hooks tracker_hooks(const struct tracker *tracker)
{
	struct bpf_program *program;
	struct hooks hooks = {};

	bpf_object__for_each_program(program, tracker->skel->obj)
	{
		const char *name = bpf_program__name(program);

		if (bpf_program__autoload(program) && is_hook_of(name, tracker->backend))
			hooks_add(&hooks, name, bpf_program__fd(program));
	}
	return hooks;
}

int tracker_orphans_fd(const struct tracker *tracker)
{
	return bpf_map__fd(tracker->skel->maps.rt_orphans);
}

int tracker_targets_fd(const struct tracker *tracker)
{
	return bpf_map__fd(tracker->skel->maps.rt_targets);
}

int tracker_stats_fd(const struct tracker *tracker)
{
	return bpf_map__fd(tracker->skel->maps.rt_stats_map);
}

int tracker_events_fd(const struct tracker *tracker)
{
	return bpf_map__fd(tracker->skel->maps.rt_events);
}

void tracker_clear_change(struct tracker *tracker)
{
	__atomic_store_n(&tracker->skel->bss->rt_change_pending, false, __ATOMIC_SEQ_CST);
}

/* Calls @pin with the path of @name in @dir. */
static int pin_at(const char *dir, const char *name, int (*pin)(void *, const char *),
		  void *object)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return pin(object, path);
}

static int pin_map(void *map, const char *path)
{
	return bpf_map__pin(map, path);
}

static int pin_link(void *link, const char *path)
{
	return bpf_link__pin(link, path);
}

static int pin_program(void *program, const char *path)
{
	return bpf_program__pin(program, path);
}

static int pin_hook(struct tracker *tracker, const char *dir, size_t n,
		    struct bpf_program *program)
{
	AUTO_FREE char *name = NULL;
	int err = pin_at(dir, bpf_program__name(program), pin_link, tracker->links[n]);

	if (err)
		return err;
	if (asprintf(&name, TRACKER_PROGRAM "%s", bpf_program__name(program)) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	return pin_at(dir, name, pin_program, program);
}

/* Hooks by their links too, which are in the order of the programs; iterators, which have no
 * link until they are used, by themselves. */
static int pin_programs(struct tracker *tracker, const char *dir)
{
	struct bpf_program *program;
	size_t n = 0;
	int err = 0;

	bpf_object__for_each_program(program, tracker->skel->obj)
	{
		const char *name = bpf_program__name(program);

		if (!bpf_program__autoload(program))
			continue;
		err = is_hook_of(name, tracker->backend)
			      ? pin_hook(tracker, dir, n++, program)
			      : pin_at(dir, name, pin_program, program);
		if (err)
			break;
	}
	return err;
}

int tracker_pin(struct tracker *tracker, const char *dir)
{
	struct bpf_map *maps[] = {
		tracker->skel->maps.rt_orphans,
		tracker->skel->maps.rt_targets,
		tracker->skel->maps.rt_stats_map,
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && !err; i++)
		err = pin_at(dir, bpf_map__name(maps[i]), pin_map, maps[i]);
	return err ? err : pin_programs(tracker, dir);
}

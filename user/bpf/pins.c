// SPDX-License-Identifier: GPL-2.0-only
#include "pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "base/log.h"

#define BPFFS	   "/sys/fs/bpf"
#define NEW_PREFIX "relinktrace_new_"

/* The release hook's link tells how it was attached; tp_btf has none that is always there
 * but sys_exit. */
static const struct {
	const char *path;
	enum backend backend;
} marks[] = {
	{PINS_DIR "/rt_fe_release", BACKEND_FENTRY},
	{PINS_DIR "/rt_kp_release", BACKEND_KPROBE},
	{PINS_DIR "/rt_tp_sys_exit", BACKEND_TP_BTF},
};

void pins_close(struct pins *pins)
{
	auto_close(&pins->orphans_fd);
	auto_close(&pins->targets_fd);
	auto_close(&pins->stats_fd);
	hooks_close(&pins->hooks);
	iterators_close(&pins->iterators);
	auto_close(&pins->lock_fd);
	*pins = (struct pins)PINS_INIT;
}

static bool value_is(int map_fd, uint32_t size)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);

	return !bpf_obj_get_info_by_fd(map_fd, &info, &length) && info.value_size == size;
}

/* Whether what is pinned speaks as we do. */
static int check_abi(const struct pins *pins)
{
	uint32_t place = RT_STATS_SETTLED;
	struct rt_stats settled = {};

	if (!value_is(pins->orphans_fd, sizeof(struct rt_orphan)) ||
	    !value_is(pins->stats_fd, sizeof(settled)) ||
	    bpf_map_lookup_elem(pins->stats_fd, &place, &settled) ||
	    settled.abi != RT_ABI)
		return -EPROTO;
	return 0;
}

const char *pins_strerror(int err)
{
	return err == -EPROTO ? PINS_DIR " is of another version of relinktrace: "
					 "`relinktrace detach --all`, and attach again"
			      : strerror(-err);
}

/* What cannot be opened is not asked how often it was skipped. */
static void open_hooks(struct hooks *hooks)
{
	AUTO_DIR *dir = opendir(PINS_DIR);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		AUTO_FREE char *path = NULL;
		int fd;

		if (strncmp(entry->d_name, TRACKER_PROGRAM, strlen(TRACKER_PROGRAM)) ||
		    hooks->n == RT_MAX_HOOKS)
			continue;
		if (asprintf(&path, PINS_DIR "/%s", entry->d_name) < 0) {
			path = NULL;
			continue;
		}
		fd = bpf_obj_get(path);
		if (fd >= 0)
			hooks_add(hooks, entry->d_name + strlen(TRACKER_PROGRAM), fd);
	}
}

int pins_open(struct pins *out)
{
	AUTO(pins_close) struct pins pins = PINS_INIT;
	int err;

	if (access(PINS_DIR, F_OK))
		return -errno;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (!access(marks[i].path, F_OK))
			pins.backend = marks[i].backend;
	pins.orphans_fd = bpf_obj_get(PINS_DIR "/rt_orphans");
	if (pins.orphans_fd < 0)
		return pins.orphans_fd;
	pins.targets_fd = bpf_obj_get(PINS_DIR "/rt_targets");
	if (pins.targets_fd < 0)
		return pins.targets_fd;
	pins.stats_fd = bpf_obj_get(PINS_DIR "/rt_stats_map");
	if (pins.stats_fd < 0)
		return pins.stats_fd;
	err = check_abi(&pins);
	if (err)
		return err;
	if (pins.backend != BACKEND_TP_BTF)
		open_hooks(&pins.hooks);
	*out = pins;
	pins = (struct pins)PINS_INIT;
	return 0;
}

/* -1 where it is not there. */
static int open_iterator(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), PINS_DIR "/%s", name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -1 : fd;
}

int pins_open_iterators(struct pins *pins, bool wait)
{
	AUTO(iterators_close) struct iterators iterators = ITERATORS_INIT;
	AUTO_FD lock = open(PINS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock < 0 || flock(lock, wait ? LOCK_EX : LOCK_EX | LOCK_NB))
		return -errno;
	iterators.files_fd = open_iterator("rt_iter_files");
	iterators.tables_fd = open_iterator("rt_iter_tables_cast");
	if (iterators.tables_fd < 0)
		iterators.tables_fd = open_iterator("rt_iter_tables");
	iterators.maps_fd = open_iterator("rt_iter_maps");
	iterators.tasks_fd = open_iterator("rt_iter_tasks");
	iterators.ours_fd = open_iterator("rt_iter_ours");
	if (iterators.files_fd < 0 || iterators.tasks_fd < 0)
		return -ENOENT;
	pins->iterators = iterators;
	pins->lock_fd = TAKE_FD(lock);
	iterators = (struct iterators)ITERATORS_INIT;
	return 0;
}

static bool is_bpffs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int pins_lock(void)
{
	AUTO_FD fd = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!is_bpffs(fd)) {
		if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			  "mode=0700"))
			return -errno;
		close(fd);
		fd = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	if (flock(fd, LOCK_EX))
		return -errno;
	return TAKE_FD(fd);
}

/* Removes a folder of pins, and with them what nothing else holds. */
static int remove_dir(int bpffs, const char *name)
{
	AUTO_FD fd = openat(bpffs, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO_DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = fdopendir(dup(fd));
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && unlinkat(fd, entry->d_name, 0) &&
		    errno != ENOENT)
			return -errno;
	return unlinkat(bpffs, name, AT_REMOVEDIR) ? -errno : 0;
}

int pins_remove(void)
{
	AUTO_DIR *dir = opendir(BPFFS);
	struct dirent *entry;
	int err;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	/* The name that others look for first, the remains after it. */
	err = remove_dir(dirfd(dir), "relinktrace");
	while ((entry = readdir(dir))) {
		int e = 0;

		if (!strncmp(entry->d_name, NEW_PREFIX, strlen(NEW_PREFIX)))
			e = remove_dir(dirfd(dir), entry->d_name);
		err = err ? err : e;
	}
	return err;
}

int pins_create(struct tracker *tracker)
{
	char dir[64];
	int err;

	snprintf(dir, sizeof(dir), BPFFS "/" NEW_PREFIX "%d", getpid());
	if (mkdir(dir, 0700))
		return -errno;
	err = tracker_pin(tracker, dir);
	if (!err && rename(dir, PINS_DIR))
		err = -errno;
	if (err)
		pins_remove();
	return err;
}

int pins_add_targets(int fd, const struct target *target)
{
	for (size_t i = 0; i < target->n; i++) {
		struct rt_target_info info = {.level = target->cgroups[i].level};
		int err = bpf_map_update_elem(fd, &target->cgroups[i].id, &info, BPF_ANY);

		if (err)
			return err;
	}
	return 0;
}

int pins_targets(int fd, uint64_t ids[static RT_MAX_TARGETS], size_t *n)
{
	uint64_t *previous = NULL;
	size_t count = 0;

	while (count < RT_MAX_TARGETS && !bpf_map_get_next_key(fd, previous, &ids[count]))
		previous = &ids[count++];
	*n = count;
	return 0;
}

void pins_find_target(struct target *target)
{
	AUTO(pins_close) struct pins pins = PINS_INIT;
	uint64_t ids[RT_MAX_TARGETS];
	size_t n;

	if (pins_open(&pins) || pins_targets(pins.targets_fd, ids, &n))
		return;
	/* Also when none of them is left: then these are nobody, and not everybody. */
	target->kind = TARGET_CGROUPS;
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *path = NULL;
		char spec[32];

		if (cgroup_path_of(ids[i], &path))
			continue;
		snprintf(spec, sizeof(spec), "id:%llu", (unsigned long long)ids[i]);
		target_add_cgroup(target, spec);
	}
}

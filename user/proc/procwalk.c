/* SPDX-License-Identifier: GPL-2.0-only */
#include "procwalk.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/auto.h"
#include "base/caps.h"
#include "kcmp.h"
#include "base/log.h"
#include "mount.h"
#include "process.h"
#include "proclink.h"
#include "proctext.h"
#include "walk.h"

/* How often a fd that changes while it is looked at is looked at again. */
#define FD_TRIES 8

static struct holder holder_of(const struct process *process, pid_t tid,
			       enum rt_holder_kind kind)
{
	struct holder holder = {
		.pid = process->pid,
		.tid = tid == process->pid ? 0 : tid,
		.start_time = process->stat.start_time,
		.kind = kind,
		.fd = -1,
	};

	memcpy(holder.comm, process->stat.comm, sizeof(holder.comm));
	return holder;
}

static bool same_file(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor && a->stx_mnt_id == b->stx_mnt_id;
}

/* Reads link and fdinfo of fd @n once. proclink_read()'s answer; -EAGAIN when the fd
 * became another file between the two. */
static int fd_read_once(int task_fd, int n, struct proclink *link,
			struct proctext_fdinfo *info)
{
	AUTO(proclink_fini) struct proclink read = {0};
	AUTO_FREE char *text = NULL;
	struct statx after;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "fd/%d", n);
	err = proclink_read(task_fd, name, &read);
	if (err <= 0)
		return err;
	snprintf(name, sizeof(name), "fdinfo/%d", n);
	err = proctext_read(task_fd, name, &text);
	if (!err)
		err = proctext_fdinfo(text, info);
	if (err)
		return err;
	snprintf(name, sizeof(name), "fd/%d", n);
	if (statx(task_fd, name, AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &after))
		return -errno;
	if (!same_file(&read.stx, &after))
		return -EAGAIN;
	*link = read;
	read = (struct proclink){0};
	return 1;
}

/* Counts fd @n, which leads to @path, where files are in flight in it (unix(7)), or registered
 * with it: fdinfo has their number (net/unix/af_unix.c, unix_show_fdinfo, 5.6;
 * io_uring/fdinfo.c, 5.2). */
static int look_behind(struct walk *walk, int task_fd, int n, const char *path)
{
	AUTO_FREE char *text = NULL;
	uint64_t files = 0;
	char name[32];
	int err;

	if (strncmp(path, "socket:", 7) && strcmp(path, "anon_inode:[io_uring]"))
		return 0;
	snprintf(name, sizeof(name), "fdinfo/%d", n);
	err = proctext_read(task_fd, name, &text);
	if (!err && (!proctext_value(text, "scm_fds", 10, &files) ||
		     !proctext_value(text, "UserFiles", 10, &files)))
		walk->hiding += files > 0;
	return err;
}

/* Adds fd @n, where what it leads to is unlinked. */
static int walk_unlinked(struct walk *walk, const struct process *process, pid_t tid,
			 int task_fd, int n)
{
	AUTO(proclink_fini) struct proclink link = {0};
	struct holder holder = holder_of(process, tid, RT_HOLDER_FD);
	struct proctext_fdinfo info;
	int err = -EAGAIN;

	for (int i = 0; i < FD_TRIES && err == -EAGAIN; i++)
		err = fd_read_once(task_fd, n, &link, &info);
	if (err <= 0)
		return err;
	holder.fd = n;
	holder.flags = info.flags;
	holder.pos = info.pos;
	holder.cloexec = info.cloexec;
	return walk_add(walk, process, &link, &holder);
}

/* One look at the link tells nearly every fd as a file that has its name. */
static int walk_fd(struct walk *walk, const struct process *process, pid_t tid,
		   int task_fd, int n)
{
	AUTO_FREE char *path = NULL;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "fd/%d", n);
	err = proctext_readlink(task_fd, name, &path);
	if (err == -ENAMETOOLONG || (!err && proctext_is_deleted(path)))
		return walk->parts & PROCWALK_HELD
			       ? walk_unlinked(walk, process, tid, task_fd, n)
			       : 0;
	return err ?: look_behind(walk, task_fd, n, path);
}

/* The fds of the table of @tid, whose directory is @task_fd. */
static int walk_fds(struct walk *walk, struct process *process, pid_t tid, int task_fd)
{
	AUTO_FD fd = openat(task_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return walk_forgive(walk, -errno);
	TAKE_FD(fd);
	while (!err && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = walk_forgive(walk, walk_fd(walk, process, tid, task_fd,
							 atoi(entry->d_name)));
	return err ? err : walk_forgive(walk, -errno);
}

/* A link with one holder: exe, cwd, root, or a mapping. */
static int walk_link(struct walk *walk, struct process *process, int task_fd,
		     const char *name, struct holder holder)
{
	AUTO(proclink_fini) struct proclink link = {0};
	int err = proclink_read(task_fd, name, &link);

	if (err > 0)
		err = walk_add(walk, process, &link, &holder);
	return walk_forgive(walk, err);
}

static int walk_cwd_root(struct walk *walk, struct process *process, pid_t tid,
			 int task_fd)
{
	int err = walk_link(walk, process, task_fd, "cwd",
			    holder_of(process, tid, RT_HOLDER_CWD));

	return err ? err
		   : walk_link(walk, process, task_fd, "root",
			       holder_of(process, tid, RT_HOLDER_ROOT));
}

/* The mappings of @process. maps is read first, as one text: links are then opened for
 * deleted files only. map_files is there for the main thread's number of a process and,
 * unlisted, for each thread's (fs/proc/base.c, proc_pid_lookup). */
static int walk_maps(struct walk *walk, struct process *process)
{
	AUTO_FD task = -1, fd = -1;
	AUTO_FILE *maps = NULL;
	AUTO_FREE char *line = NULL;
	struct proctext_map map, last = {0};
	size_t room = 0;
	char name[64];
	ssize_t len;
	int err = 0;

	snprintf(name, sizeof(name), "/proc/%d", process->live);
	task = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Asked by number: it is of this process as long as that still has it. */
	snprintf(name, sizeof(name), "task/%d", process->live);
	if (task >= 0 && !faccessat(process->dir, name, F_OK, 0))
		fd = openat(task, "maps", O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		maps = fdopen(fd, "re");
	if (!maps)
		return walk_forgive(walk, -errno);
	TAKE_FD(fd);
	while (!err && (errno = 0, len = getline(&line, &room, maps)) > 0) {
		struct holder holder = holder_of(process, process->live, RT_HOLDER_MAP);

		line[len - 1] = '\0';
		if (proctext_map(line, &map) || !map.deleted)
			continue;
		/* The segments of one file follow each other. */
		if (map.ino == last.ino && map.dev_major == last.dev_major &&
		    map.dev_minor == last.dev_minor)
			continue;
		last = map;
		holder.map_start = map.start;
		holder.map_end = map.end;
		snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, map.start,
			 map.end);
		err = walk_link(walk, process, task, name, holder);
	}
	return err ? err : walk_forgive(walk, -errno);
}

/* Whether the table of @tid has not been read yet. Where kcmp is refused (not built in,
 * or by seccomp) every thread's counts as new, and walk_add() drops those fds that repeat
 * another table's number and file. */
static int walk_table(struct walk *walk, struct kcmp_tables *tables, pid_t tid)
{
	int is_new = kcmp_tables_add(tables, tid);

	if (is_new != -EPERM && is_new != -ENOSYS)
		return is_new;
	walk->no_kcmp = true;
	return 1;
}

/* What thread @tid has of its own. */
static int walk_thread(struct walk *walk, struct process *process,
		       struct kcmp_tables *files, struct kcmp_tables *fs, pid_t tid)
{
	int new_files = walk_table(walk, files, tid);
	int new_fs = new_files < 0 ? new_files : walk_table(walk, fs, tid);
	AUTO_FD task = -1;
	char name[64];
	int err = 0;

	if (new_fs < 0)
		return new_fs;
	if (!new_files && !new_fs)
		return 0;
	snprintf(name, sizeof(name), "task/%d", tid);
	task = openat(process->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (task < 0)
		return walk_forgive(walk, -errno);
	if (new_files)
		err = walk_fds(walk, process, tid, task);
	if (!err && new_fs && walk->parts & PROCWALK_HELD)
		err = walk_cwd_root(walk, process, tid, task);
	return err;
}

/* All threads of @process, the main one first: its tables have tid 0. One that exits is left
 * out: its number leads to them for a moment only, another thread's for longer. */
static int walk_threads(struct walk *walk, struct process *process)
{
	AUTO(kcmp_tables_fini) struct kcmp_tables files = {.type = KCMP_FILES};
	AUTO(kcmp_tables_fini) struct kcmp_tables fs = {.type = KCMP_FS};
	AUTO_FD fd = -1;
	AUTO_DIR *dir = NULL;
	struct dirent *entry;
	int err = 0;

	if (process->live == process->pid)
		err = walk_thread(walk, process, &files, &fs, process->pid);
	if (err || (process->stat.threads == 1 && process->live == process->pid))
		return err;
	fd = openat(process->dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return walk_forgive(walk, -errno);
	TAKE_FD(fd);
	while (!err && (errno = 0, entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 && tid != process->pid)
			err = walk_thread(walk, process, &files, &fs, tid);
	}
	return err ? err : walk_forgive(walk, -errno);
}

static int process_walk(struct walk *walk, struct process *process)
{
	char name[64];
	int err = 0;

	/* Kernel threads have no files, no mappings, and the root as cwd; a zombie has
	 * nothing at all, and is unreadable to its own user. */
	if (process->stat.kthread || !process_lives(process) ||
	    !target_has(walk->target, process->pid, process->cgroup))
		return 0;
	if (walk->parts & PROCWALK_HELD) {
		snprintf(name, sizeof(name), "task/%d/exe", process->live);
		err = walk_link(walk, process, process->dir, name,
				holder_of(process, process->live, RT_HOLDER_EXE));
	}
	if (!err && walk->parts & (PROCWALK_HELD | PROCWALK_HIDDEN))
		err = walk_threads(walk, process);
	if (!err && walk->parts & PROCWALK_MAPS)
		err = walk_maps(walk, process);
	return err;
}

static int walk_pid(struct walk *walk, pid_t pid)
{
	AUTO(process_fini) struct process process = PROCESS_INIT;
	int err = process_open(pid, &process);

	walk->denied = false;
	if (!err)
		err = process_walk(walk, &process);
	err = walk_forgive(walk, err);
	walk->set->unread += walk->denied;
	return err;
}

static int walk_all(struct walk *walk)
{
	AUTO_DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;
	int err = 0;

	if (!proc)
		return -errno;
	while (!err && (errno = 0, entry = readdir(proc)))
		if (!proctext_number(entry->d_name, INT_MAX, &pid))
			err = walk_pid(walk, pid);
	return err ? err : -errno;
}

static int walk_one(struct walk *walk, pid_t pid)
{
	int err = process_check(pid);

	return err ? err : walk_pid(walk, pid);
}

/* Says once what the scan could not see. */
static void walk_conclude(struct walk *walk, uint64_t unread)
{
	unread = walk->set->unread - unread;
	if (unread)
		log_warning("%" PRIu64 " processes could not be read%s%s", unread,
			    caps_missing(CAPS_PROC_READ),
			    caps_have(CAPS_PROC_READ) ? caps_missing(CAPS_MAP_FILES)
						      : "");
	if (walk->undecided)
		log_warning("%" PRIu64
			    " links in /proc could not be followed, or have paths "
			    "above %d bytes: nobody can tell whether they are orphans",
			    walk->undecided, PATH_MAX);
	if (walk->hiding)
		log_warning(
			"%" PRIu64
			" sockets or io_urings have files that /proc does not show, and "
			"the holder iterators do from Linux 6.1 on%s",
			walk->hiding, caps_missing(CAPS_BPF_LOAD));
	if (unread || walk->undecided || walk->hiding)
		walk->set->complete = false;
}

static int walk_run(struct walk *walk)
{
	const struct target *target = walk->target;
	uint64_t unread = walk->set->unread;
	int err;

	/* What was read by an earlier scan may be of namespaces that are gone. */
	mount_cache_drop();
	err = target->kind == TARGET_PID ? walk_one(walk, target->pid) : walk_all(walk);
	if (!err && walk->parts & PROCWALK_HELD)
		err = kcmp_find_ofds(walk->set);
	walk_conclude(walk, unread);
	return err;
}

int procwalk_scan(const struct target *target, struct orphan_set *set)
{
	return procwalk_scan_parts(target,
				   PROCWALK_HELD | PROCWALK_MAPS | PROCWALK_HIDDEN, set);
}

int procwalk_scan_parts(const struct target *target, unsigned int parts,
			struct orphan_set *set)
{
	AUTO(walk_fini) struct walk walk = {.target = target, .set = set, .parts = parts};

	return walk_run(&walk);
}

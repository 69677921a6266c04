/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The truth about held unlinked files, from /proc alone: rows of `MAJ:MIN INO` and a
 * holder, which is PID/TID:fd:FD:POS:FLAGS:CLOEXEC (TID 0 in the leader's table, FLAGS
 * decimal without O_CLOEXEC) or PID:KIND for map, exe, cwd and root. MAJ:MIN is what
 * mountinfo says of the mount that the file was opened through.
 *
 * With a ledger (ledger.h) also PID/TID:flight:FD and PID/TID:uring:FD.
 */
#ifndef RELINKTRACE_TEST_TRUTH_H
#define RELINKTRACE_TEST_TRUTH_H

#include <dirent.h>
#include <ftw.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "ledger.h"

struct row {
	char key[48];
	char holder[80];
};

struct rows {
	struct row *rows;
	size_t n, room;
};

/* A mount that was looked up, and a task that sees it. */
struct seen_mount {
	unsigned long long id;
	char dev[32]; /* its MAJ:MIN */
	int tid;
	bool is_ours; /* it is in our own namespace */
};

#define SEEN_MOUNTS 64

static struct {
	struct rows sure;   /* sorted and unique after truth_read */
	struct rows unsure; /* of unsure entries of the ledger */
	struct ledger *ledger;
	const char *ledger_dev; /* of all files in it */
	bool inodes_only;	/* positions and flags of fds are not read */
	ino_t mnt_ns;		/* our own */
	struct seen_mount mounts[SEEN_MOUNTS];
	unsigned int n_mounts; /* ever; the last few are there */
} truth;

static inline void row_add(struct rows *to, const char *key, const char *holder)
{
	if (to->n == to->room) {
		to->room = to->room ? to->room * 2 : 256;
		to->rows = realloc(to->rows, to->room * sizeof(*to->rows));
		if (!to->rows)
			die("realloc");
	}
	snprintf(to->rows[to->n].key, sizeof(to->rows->key), "%s", key);
	snprintf(to->rows[to->n++].holder, sizeof(to->rows->holder), "%s", holder);
}

static inline int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int keys = strcmp(x->key, y->key);

	return keys ? keys : strcmp(x->holder, y->holder);
}

static inline void rows_sort(struct rows *rows)
{
	size_t n = 0;

	if (rows->n)
		qsort(rows->rows, rows->n, sizeof(*rows->rows), row_compare);
	for (size_t i = 0; i < rows->n; i++)
		if (!n || row_compare(&rows->rows[n - 1], &rows->rows[i]))
			rows->rows[n++] = rows->rows[i];
	rows->n = n;
}

/* Looks for mount @id in what @tid sees of the mounts: those below its root only. */
static inline const struct seen_mount *mount_find(int tid, unsigned long long id)
{
	struct seen_mount *mount = &truth.mounts[truth.n_mounts % SEEN_MOUNTS];
	FILE *table = fopen(path_of("/proc/%d/mountinfo", tid), "re");
	char *line = NULL;
	bool found = false;
	struct stat ns;
	size_t room = 0;

	while (table && !found && getline(&line, &room, table) >= 0)
		found = strtoull(line, NULL, 10) == id &&
			sscanf(line, "%*u %*d %31s", mount->dev) == 1;
	free(line);
	if (table)
		fclose(table);
	if (!found)
		return NULL;
	mount->id = id;
	mount->tid = tid;
	mount->is_ours =
		stat(path_of("/proc/%d/ns/mnt", tid), &ns) || ns.st_ino == truth.mnt_ns;
	truth.n_mounts++;
	return mount;
}

/* Mount @id as @tid sees it; or as the leader @pid does, for a thread can have files of its
 * namespace without being in it; or as we do, should their root be elsewhere. NULL when it
 * is not among the mounts, which is so for memfd, SysV shm, pipes and sockets. */
static inline const struct seen_mount *mount_seen(int pid, int tid, unsigned long long id)
{
	const struct seen_mount *mount = NULL;

	for (unsigned int i = 0; i < SEEN_MOUNTS && i < truth.n_mounts; i++)
		if (truth.mounts[i].id == id)
			return &truth.mounts[i];
	mount = mount_find(tid, id);
	if (!mount && pid != tid)
		mount = mount_find(pid, id);
	return mount ? mount : mount_find(getpid(), id);
}

/* Where @path, as the kernel tells it to us, can be looked up: in another mount namespace
 * through the root of who sees @mount, in ours as it is, for a task can have another root. */
static inline const char *path_seen(const struct seen_mount *mount, const char *path)
{
	return mount->is_ours ? path : path_of("/proc/%d/root%s", mount->tid, path);
}

/* What @link leads to, terminated; false when it has nothing to do with what is deleted
 * or kept by others. */
static inline bool link_read(const char *link, char target[4096])
{
	ssize_t len = readlink(link, target, 4095);

	target[len < 0 ? 0 : len] = '\0';
	return len > 0;
}

static inline bool is_marked(const char *target)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(target);

	return len >= sizeof(mark) && !strcmp(target + len - sizeof(mark) + 1, mark);
}

/* Notes @holder when @link of /proc leads to an unlinked file of a mount of @tid, a thread
 * of @pid, because a leader that has exited shows neither root nor mounts. The mark in its
 * @target is a hint only: a real name can end so. */
static inline void link_look(int pid, int tid, const char *link, const char *target,
			     const char *holder)
{
	const struct seen_mount *mount;
	struct statx is, there;

	if (!is_marked(target) || statx(AT_FDCWD, link, 0, STATX_INO | STATX_MNT_ID, &is))
		return;
	mount = mount_seen(pid, tid, is.stx_mnt_id);
	if (!mount)
		return;
	if (!statx(AT_FDCWD, path_seen(mount, target), AT_SYMLINK_NOFOLLOW, STATX_INO,
		   &there) &&
	    there.stx_ino == is.stx_ino && there.stx_dev_minor == is.stx_dev_minor &&
	    there.stx_dev_major == is.stx_dev_major)
		return;
	row_add(&truth.sure,
		path_of("%s %llu", mount->dev, (unsigned long long)is.stx_ino), holder);
}

/* What the ledger has for the socket or ring that is @fd. */
static inline void entry_look(const struct ledger_entry *entry, int pid, int tid,
			      const char *kind, int fd)
{
	char holder[80];
	bool unsure = __atomic_load_n(&entry->unsure, __ATOMIC_SEQ_CST);

	snprintf(holder, sizeof(holder), "%d/%d:%s:%d", pid, tid, kind, fd);
	for (unsigned int i = 0; i < (unsure ? LEDGER_FILES : entry->n); i++)
		if (entry->inos[i])
			row_add(unsure ? &truth.unsure : &truth.sure,
				path_of("%s %llu", truth.ledger_dev,
					(unsigned long long)entry->inos[i]),
				holder);
}

static inline void pseudo_look(int pid, int tid, const char *fd, const char *target)
{
	unsigned int ring = atoi(fd) - RING_FD;
	struct ledger_entry *entry;
	unsigned long long ino;

	tid = tid == pid ? 0 : tid;
	if (!strcmp(target, "anon_inode:[io_uring]") && ring < LEDGER_RINGS)
		entry_look(&truth.ledger->rings[ring], pid, tid, "uring", atoi(fd));
	if (sscanf(target, "socket:[%llu]", &ino) != 1)
		return;
	entry = ledger_socket(truth.ledger, ino);
	if (entry->socket == ino)
		entry_look(entry, pid, tid, "flight", atoi(fd));
}

/* What fdinfo says of the position and flags of @fd; empty when it is closed. */
static inline const char *fd_state(int pid, int tid, const char *fd)
{
	int info = open(path_of("/proc/%d/task/%d/fdinfo/%s", pid, tid, fd),
			O_RDONLY | O_CLOEXEC);
	unsigned long long pos;
	unsigned int flags;
	char text[256];
	ssize_t n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);

	close(info);
	text[n < 0 ? 0 : n] = '\0';
	if (sscanf(text, "pos: %llu flags: %o", &pos, &flags) != 2)
		return "";
	return path_of("%llu:%u:%d", pos, flags & ~O_CLOEXEC, !!(flags & O_CLOEXEC));
}

static inline void fd_look(int pid, int tid, const char *fd)
{
	const char *link = path_of("/proc/%d/task/%d/fd/%s", pid, tid, fd), *state = "-";
	char target[4096];

	if (!link_read(link, target))
		return;
	if (truth.ledger && target[0] != '/')
		pseudo_look(pid, tid, fd, target);
	if (!is_marked(target))
		return;
	if (!truth.inodes_only)
		state = fd_state(pid, tid, fd);
	if (state[0])
		link_look(
			pid, tid, link, target,
			path_of("%d/%d:fd:%s:%s", pid, tid == pid ? 0 : tid, fd, state));
}

/* The mappings of @tid, in whose text a deleted file has the same mark. */
static inline void maps_look(int pid, int tid)
{
	FILE *maps = fopen(path_of("/proc/%d/maps", tid), "re");
	char *line = NULL, target[4096];
	unsigned long start, end;
	size_t room = 0;
	ssize_t len;

	while (maps && (len = getline(&line, &room, maps)) > 0) {
		const char *link;

		line[len - 1] = '\0';
		if (!is_marked(line) || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		link = path_of("/proc/%d/map_files/%lx-%lx", tid, start, end);
		if (link_read(link, target))
			link_look(pid, tid, link, target, path_of("%d:map", pid));
	}
	free(line);
	if (maps)
		fclose(maps);
}

static inline void dir_each(const char *path, int pid, int tid,
			    void (*look)(int pid, int tid, const char *name))
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			look(pid, tid, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* A leader that has exited has no table and no memory: its threads have. */
static inline bool shares(int pid, int tid, int what)
{
	return tid != pid && syscall(SYS_kcmp, pid, tid, what, 0, 0) == 0;
}

/* Whether the table of @tid is the leader's, or that of a thread before it: a table is told
 * once, be it shared by several threads whose leader has exited. */
static inline bool table_is_told(int pid, int tid)
{
	DIR *tasks = tid == pid ? NULL : opendir(path_of("/proc/%d/task", pid));
	bool told = shares(pid, tid, KCMP_FILES);
	struct dirent *entry;

	while (tasks && !told && (entry = readdir(tasks))) {
		int other = atoi(entry->d_name);

		told = other > 0 && other < tid && shares(other, tid, KCMP_FILES);
	}
	if (tasks)
		closedir(tasks);
	return told;
}

static inline void task_look(int pid, int leader, const char *name)
{
	static const char *const kinds[] = {"exe", "cwd", "root"};
	char target[4096];
	int tid = atoi(name);

	(void)leader;
	if (!table_is_told(pid, tid))
		dir_each(path_of("/proc/%d/task/%d/fd", pid, tid), pid, tid, fd_look);
	if (!shares(pid, tid, KCMP_VM))
		maps_look(pid, tid);
	for (int i = 0; i < 3; i++) {
		const char *link = path_of("/proc/%d/task/%d/%s", pid, tid, kinds[i]);

		if (link_read(link, target))
			link_look(pid, tid, link, target,
				  path_of("%d:%s", pid, kinds[i]));
	}
}

static inline void process_look(int pid)
{
	dir_each(path_of("/proc/%d/task", pid), pid, pid, task_look);
}

static inline int cgroup_look(const char *path, const struct stat *stat, int kind,
			      struct FTW *at)
{
	FILE *procs;
	int pid;

	(void)stat;
	(void)at;
	if (kind != FTW_D)
		return 0;
	procs = fopen(path_of("%s/cgroup.procs", path), "re");
	if (!procs)
		die("%s is no cgroup", path);
	while (fscanf(procs, "%d", &pid) == 1)
		process_look(pid);
	fclose(procs);
	return 0;
}

static inline void truth_begin(void)
{
	struct stat ns;

	truth.mnt_ns = stat("/proc/self/ns/mnt", &ns) ? 0 : ns.st_ino;
	truth.sure.n = truth.unsure.n = 0;
	truth.n_mounts = 0;
}

/* Of the tasks in the cgroup v2 directory @path and below it. */
static inline void truth_of_cgroup(const char *path)
{
	truth_begin();
	if (nftw(path, cgroup_look, 16, FTW_PHYS))
		die("walk %s", path);
	rows_sort(&truth.sure);
	rows_sort(&truth.unsure);
}

#endif

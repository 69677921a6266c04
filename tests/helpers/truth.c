/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The truth about held unlinked files, from /proc alone:
 *
 *   truth CGROUP_DIR      of the tasks in that cgroup v2 directory and below it
 *   truth -p PID...
 *
 * One line an inode, `MAJ:MIN INO HOLDER...`, lines and holders sorted and unique. A
 * holder is PID/TID:fd:FD:POS:FLAGS:CLOEXEC (TID 0 in the leader's table, FLAGS decimal
 * without O_CLOEXEC) or PID:KIND for map, exe, cwd and root. MAJ:MIN is what mountinfo
 * says of the mount that the file was opened through.
 */
#include <dirent.h>
#include <ftw.h>
#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib.h"

struct row {
	char key[64];
	char holder[128];
};

static struct {
	struct row *rows;
	size_t n, room;
} found;

static void row_add(const char *key, const char *holder)
{
	if (found.n == found.room) {
		found.room = found.room ? found.room * 2 : 256;
		found.rows = realloc(found.rows, found.room * sizeof(*found.rows));
		if (!found.rows)
			die("realloc");
	}
	snprintf(found.rows[found.n].key, sizeof(found.rows->key), "%s", key);
	snprintf(found.rows[found.n++].holder, sizeof(found.rows->holder), "%s", holder);
}

/* "MAJ:MIN" of mount @id as @tid sees it; 0 when the mount is not among its mounts, which
 * is so for memfd, SysV shm, pipes and sockets. */
static int mount_dev(int tid, unsigned long long id, char dev[32])
{
	FILE *table = fopen(path_of("/proc/%d/mountinfo", tid), "re");
	char *line = NULL;
	size_t room = 0;
	int known = 0;

	while (table && !known && getline(&line, &room, table) >= 0) {
		unsigned long long this;

		known = sscanf(line, "%llu %*d %31s", &this, dev) == 2 && this == id;
	}
	free(line);
	if (table)
		fclose(table);
	return known;
}

/* Whether what @link of /proc leads to, which is @is, has lost the name it was opened by.
 * " (deleted)" is a hint only: a real name can end so. */
static int is_unlinked(int tid, const char *link, const struct statx *is)
{
	static const char mark[] = " (deleted)";
	const size_t mark_len = sizeof(mark) - 1;
	char target[4096];
	struct statx there;
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len <= (ssize_t)mark_len || memcmp(target + len - mark_len, mark, mark_len))
		return 0;
	target[len] = '\0';
	return statx(AT_FDCWD, path_of("/proc/%d/root%s", tid, target),
		     AT_SYMLINK_NOFOLLOW, STATX_INO, &there) ||
	       there.stx_ino != is->stx_ino || there.stx_dev_minor != is->stx_dev_minor ||
	       there.stx_dev_major != is->stx_dev_major;
}

/* Notes @holder when @link of /proc leads to an unlinked file of a mount of @tid: a
 * thread, because a leader that has exited shows neither root nor mounts. */
static void link_look(int tid, const char *link, const char *holder)
{
	struct statx is;
	char dev[32];

	if (statx(AT_FDCWD, link, 0, STATX_INO | STATX_MNT_ID, &is) ||
	    !is_unlinked(tid, link, &is) || !mount_dev(tid, is.stx_mnt_id, dev))
		return;
	row_add(path_of("%s %llu", dev, (unsigned long long)is.stx_ino), holder);
}

static void fd_look(int pid, int tid, const char *fd)
{
	FILE *info = fopen(path_of("/proc/%d/task/%d/fdinfo/%s", pid, tid, fd), "re");
	unsigned long long pos;
	unsigned int flags;

	if (!info)
		return;
	if (fscanf(info, "pos: %llu flags: %o", &pos, &flags) == 2)
		link_look(tid, path_of("/proc/%d/task/%d/fd/%s", pid, tid, fd),
			  path_of("%d/%d:fd:%s:%llu:%u:%d", pid, tid == pid ? 0 : tid, fd,
				  pos, flags & ~O_CLOEXEC, !!(flags & O_CLOEXEC)));
	fclose(info);
}

static void map_look(int pid, int tid, const char *range)
{
	(void)tid;
	link_look(pid, path_of("/proc/%d/map_files/%s", pid, range),
		  path_of("%d:map", pid));
}

static void dir_each(const char *path, int pid, int tid,
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

static void task_look(int pid, int leader, const char *name)
{
	static const char *const kinds[] = {"exe", "cwd", "root"};
	int tid = atoi(name);

	(void)leader;
	if (tid == pid || syscall(SYS_kcmp, pid, tid, KCMP_FILES, 0, 0) != 0)
		dir_each(path_of("/proc/%d/task/%d/fd", pid, tid), pid, tid, fd_look);
	for (int i = 0; i < 3; i++)
		link_look(tid, path_of("/proc/%d/task/%d/%s", pid, tid, kinds[i]),
			  path_of("%d:%s", pid, kinds[i]));
}

static void process_look(int pid)
{
	dir_each(path_of("/proc/%d/task", pid), pid, pid, task_look);
	dir_each(path_of("/proc/%d/map_files", pid), pid, pid, map_look);
}

static int cgroup_look(const char *path, const struct stat *stat, int kind,
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

static int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int keys = strcmp(x->key, y->key);

	return keys ? keys : strcmp(x->holder, y->holder);
}

static void rows_print(void)
{
	qsort(found.rows, found.n, sizeof(*found.rows), row_compare);
	for (size_t i = 0; i < found.n; i++) {
		const struct row *row = &found.rows[i], *last = i ? row - 1 : NULL;

		if (!last || strcmp(last->key, row->key))
			printf("%s%s %s", last ? "\n" : "", row->key, row->holder);
		else if (strcmp(last->holder, row->holder))
			printf(" %s", row->holder);
	}
	if (found.n)
		printf("\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: truth CGROUP_DIR | -p PID...\n");
		return 2;
	}
	if (strcmp(argv[1], "-p")) {
		if (nftw(argv[1], cgroup_look, 16, FTW_PHYS))
			die("walk %s", argv[1]);
	} else {
		for (int i = 2; i < argc; i++)
			process_look(atoi(argv[i]));
	}
	rows_print();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "base/auto.h"
#include "proc/mount.h"

static char
	dir[64]; /* a directory of ours, empty where we are, mounts where the child is */

/* What the child tells: the ids of its mounts, and of what it cannot reach any more. */
struct told {
	int whole, sub, file, under, over, newline, outside;
	dev_t dev;
};

static char *below(const char *name)
{
	static char text[4][128];
	static int n;

	n = (n + 1) % 4;
	snprintf(text[n], sizeof(text[n]), "%s%s", dir, name);
	return text[n];
}

static int id_of(const char *path)
{
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);
	int id = -1;

	MUST(fd >= 0 && !mount_id_of_fd(fd, &id));
	return id;
}

static void make_dirs(const char *const *names)
{
	for (; *names; names++)
		MUST(!mkdir(below(*names), 0755));
}

/* In a mount namespace of its own: a tmpfs at @dir, and in it mounts of several sorts. */
static void child_mounts(struct told *told)
{
	static const char *const dirs[] = {"/src",	"/sub",	 "/under",
					   "/a b\n\\c", "/jail", NULL};
	AUTO_FD file = -1;
	struct stat st;

	MUST(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	told->outside = id_of("/");
	MUST(!mount("none", dir, "tmpfs", 0, NULL));
	make_dirs(dirs);
	file = open(below("/file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	MUST(file >= 0 && !stat(dir, &st));
	told->dev = st.st_dev;
	told->whole = id_of(dir);
	MUST(!mount(below("/src"), below("/sub"), NULL, MS_BIND, NULL));
	told->sub = id_of(below("/sub"));
	MUST(!mount(below("/file"), below("/file"), NULL, MS_BIND, NULL));
	told->file = id_of(below("/file"));
	MUST(!mount("none", below("/under"), "tmpfs", 0, NULL));
	told->under = id_of(below("/under"));
	MUST(!mount("none", below("/under"), "tmpfs", 0, NULL));
	told->over = id_of(below("/under"));
	MUST(!mount("none", below("/a b\n\\c"), "tmpfs", 0, NULL));
	told->newline = id_of(below("/a b\n\\c"));
}

/* A child with these mounts, @jailed in @dir/jail or not; lives until @hold is closed. */
static pid_t child_start(struct told *told, bool jailed, int *hold)
{
	int tell[2], wait[2];
	char byte;
	pid_t pid;

	MUST(!pipe2(tell, O_CLOEXEC) && !pipe2(wait, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		close(wait[1]);
		child_mounts(told);
		if (jailed)
			MUST(!chroot(below("/jail")) && !chdir("/"));
		MUST(write(tell[1], told, sizeof(*told)) == sizeof(*told));
		_exit(read(wait[0], &byte, 1) != 0);
	}
	close(wait[0]);
	close(tell[1]);
	MUST(read(tell[0], told, sizeof(*told)) == sizeof(*told));
	close(tell[0]);
	*hold = wait[1];
	return pid;
}

static void child_end(pid_t pid, int hold)
{
	close(hold);
	MUST(waitpid(pid, NULL, 0) == pid);
	mount_cache_drop();
}

static void expect(pid_t pid, int id, const char *point, const char *root)
{
	AUTO(mount_fini) struct mount mount = {0};

	CHECK_INT(mount_find(pid, id, &mount), 0);
	CHECK_INT(mount.id, id);
	CHECK_STR(mount.point, point);
	CHECK_STR(mount.root, root);
	CHECK_STR(mount.fstype, "tmpfs");
}

static void test_find(pid_t pid, const struct told *told)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO(mount_fini) struct mount none = {0};
	char name[64];
	struct stat ns;

	expect(pid, told->whole, dir, "/");
	expect(pid, told->sub, below("/sub"), "/src");
	expect(pid, told->file, below("/file"), "/file");
	expect(pid, told->newline, below("/a b\n\\c"), "/");
	MUST(!mount_find(pid, told->sub, &mount));
	CHECK(makedev(mount.dev_major, mount.dev_minor) == told->dev);
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", pid);
	CHECK(!stat(name, &ns) && ns.st_ino == mount.ns);
	CHECK_INT(mount_find(getpid(), told->whole, &none), -ENOENT);
	CHECK_STR(none.point, NULL);
}

/* Whether @fd is the directory that the child sees as @path, on mount @id. */
static void expect_root(int fd, pid_t pid, const char *path, int id)
{
	AUTO_FD own = fd;
	AUTO_FREE char *name = NULL;
	struct stat want, got;
	int got_id = -1;

	MUST(asprintf(&name, "/proc/%d/root%s", pid, path) > 0 && !stat(name, &want));
	CHECK(own >= 0 && !fstat(own, &got));
	CHECK(got.st_dev == want.st_dev && got.st_ino == want.st_ino);
	CHECK(!mount_id_of_fd(own, &got_id));
	CHECK_INT(got_id, id);
}

static void test_open_root(pid_t pid, const struct told *told)
{
	expect_root(mount_open_root(pid, told->whole), pid, dir, told->whole);
	expect_root(mount_open_root(pid, told->sub), pid, below("/src"), told->sub);
	expect_root(mount_open_root(pid, told->over), pid, below("/under"), told->over);
	expect_root(mount_open_root(pid, told->newline), pid, below("/a b\n\\c"),
		    told->newline);
	CHECK_INT(mount_open_root(pid, told->under), -EXDEV);
	CHECK_INT(mount_open_root(pid, told->file), -ENOTDIR);
	CHECK_INT(mount_open_root(getpid(), told->whole), -ENOENT);
	CHECK_INT(mount_open_root(pid, 0x7fffffff), -ENOENT);
}

/* Somebody moves the mount point away and plants a link to another place. */
static void test_planted(pid_t pid, const struct told *told)
{
	AUTO_FREE char *root = NULL;
	AUTO_FD dir_fd = -1;

	MUST(asprintf(&root, "/proc/%d/root%s", pid, dir) > 0);
	dir_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(dir_fd >= 0);
	/* Fills the table; a name that is mounted on elsewhere can be moved all the same.
	 */
	expect_root(mount_open_root(pid, told->sub), pid, below("/src"), told->sub);
	MUST(!renameat(dir_fd, "sub", dir_fd, "moved"));
	MUST(!symlinkat("/", dir_fd, "sub"));
	CHECK_INT(mount_open_root(pid, told->sub), -EXDEV);
	mount_cache_drop();
	expect_root(mount_open_root(pid, told->sub), pid, below("/moved"), told->sub);
}

/* A chrooted task's mountinfo leaves out what is above its root. */
static void test_jailed(void)
{
	AUTO(mount_fini) struct mount mount = {0};
	struct told told;
	int hold;
	pid_t pid = child_start(&told, true, &hold);

	CHECK_INT(mount_find(pid, told.whole, &mount), -ENOENT);
	CHECK_INT(mount_open_root(pid, told.whole), -ENOENT);
	child_end(pid, hold);
}

/* A chrooted task of our own namespace: there we know better than it. */
static void test_jailed_here(void)
{
	AUTO(mount_fini) struct mount none = {0};
	int id = id_of("/"), hold[2], ready[2];
	char byte;
	pid_t pid;

	MUST(!pipe2(hold, O_CLOEXEC) && !pipe2(ready, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		close(hold[1]);
		MUST(!chroot(dir) && write(ready[1], "x", 1) == 1);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	close(hold[0]);
	MUST(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	CHECK_INT(mount_find(pid, id, &none), -ENOENT);
	expect_root(mount_open_root(pid, id), getpid(), "/", id);
	child_end(pid, hold[1]);
	CHECK_INT(mount_find(pid, id, &none), -ESRCH);
}

static void test_by_dev(void)
{
	AUTO(mount_fini) struct mount first = {0};
	AUTO(mount_fini) struct mount sub = {0};
	AUTO(mount_fini) struct mount none = {0};
	struct stat st;

	MUST(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(!mount("none", dir, "tmpfs", 0, NULL) && !stat(dir, &st));
	MUST(!mkdir(below("/src"), 0755) && !mkdir(below("/srcs"), 0755));
	MUST(!mkdir("/tmp/.relinktrace-unit", 0755) || errno == EEXIST);
	MUST(!mount(below("/src"), "/tmp/.relinktrace-unit", NULL, MS_BIND, NULL));
	MUST(!umount2(dir, MNT_DETACH));
	mount_cache_drop();
	CHECK_INT(mount_find_by_dev(major(st.st_dev), minor(st.st_dev), "/", &first), 0);
	CHECK_STR(first.root, "/src");
	CHECK_INT(mount_find_by_dev(major(st.st_dev), minor(st.st_dev), "/src/x", &sub),
		  0);
	CHECK_STR(sub.point, "/tmp/.relinktrace-unit");
	CHECK_INT(mount_find_by_dev(major(st.st_dev), minor(st.st_dev), "/srcs", &none),
		  -ENOENT);
	CHECK_INT(mount_find_by_type("cgroup2", &none), 0);
	CHECK_STR(none.root, "/");
	MUST(!umount2("/tmp/.relinktrace-unit", 0) && !rmdir("/tmp/.relinktrace-unit"));
}

/* Which mount, and so which filesystem, @path is on. */
static void expect_letters(const char *path, const char *point, const char *fstype)
{
	AUTO(mount_fini) struct mount found = {0};

	CHECK_INT(mount_find_by_letters(path, &found), 0);
	CHECK_STR(found.point ? found.point : "", point);
	if (fstype)
		CHECK_STR(found.fstype ? found.fstype : "", fstype);
}

static void test_by_letters(void)
{
	char sub[128];

	MUST(!mount("none", dir, "tmpfs", 0, NULL));
	snprintf(sub, sizeof(sub), "%s", below("/sub"));
	MUST(!mkdir(sub, 0755) && !mount("none", sub, "tmpfs", 0, NULL));
	/* over another */
	MUST(!mount("none", sub, "ramfs", 0, NULL));
	mount_cache_drop();
	expect_letters("/", "/", NULL);
	expect_letters(dir, dir, "tmpfs");
	expect_letters(below("/subs"), dir, "tmpfs");
	expect_letters(sub, sub, "ramfs");
	expect_letters(below("/sub/x/y"), sub, "ramfs");
	MUST(!umount(sub) && !umount(sub) && !umount(dir));
	mount_cache_drop();
}

/* Counts the mounts that are tried, and takes that of @point. Forgets all tables, as a
 * caller may. */
struct tried {
	const char *point;
	int n;
};

static int try_one(const struct mount *mount, void *data)
{
	struct tried *tried = data;

	mount_cache_drop();
	tried->n++;
	return strcmp(mount->point, tried->point) ? -EXDEV : 0;
}

/* One after the other, until one is taken; those that have not the path are left out. */
static void test_try_by_dev(void)
{
	struct tried first = {dir, 0}, none = {"", 0}, whole = {"", 0};
	char point[128];
	struct tried second = {point, 0};
	struct stat st;
	int dev_major, dev_minor;

	MUST(!mount("none", dir, "tmpfs", 0, NULL) && !stat(dir, &st));
	snprintf(point, sizeof(point), "%s", below("/second"));
	MUST(!mkdir(below("/src"), 0755) && !mkdir(point, 0755));
	MUST(!mount(below("/src"), point, NULL, MS_BIND, NULL));
	mount_cache_drop();
	dev_major = major(st.st_dev);
	dev_minor = minor(st.st_dev);
	CHECK_INT(mount_try_by_dev(dev_major, dev_minor, "/src/x", try_one, &first), 0);
	CHECK_INT(first.n, 1);
	CHECK_INT(mount_try_by_dev(dev_major, dev_minor, "/src/x", try_one, &second), 0);
	CHECK_INT(second.n, 2);
	CHECK_INT(mount_try_by_dev(dev_major, dev_minor, "/src/x", try_one, &none),
		  -ENOENT);
	CHECK_INT(none.n, 2);
	CHECK_INT(mount_try_by_dev(dev_major, dev_minor, "/x", try_one, &whole), -ENOENT);
	CHECK_INT(whole.n, 1);
	MUST(!umount2(point, 0) && !umount2(dir, 0));
	mount_cache_drop();
}

static void expect_base(const char *path, const char *base, const char *rest)
{
	CHECK_STR(mount_base(&path), base);
	CHECK_STR(path, rest);
}

/* Nothing but that very beginning is the first process's. */
static void test_base(void)
{
	expect_base("/a/b", "/", "a/b");
	expect_base("/", "/", "");
	expect_base(MOUNT_MACHINE "/a/b", MOUNT_MACHINE, "a/b");
	expect_base(MOUNT_MACHINE "//a", MOUNT_MACHINE, "a");
	expect_base(MOUNT_MACHINE, "/", "proc/1/root");
	expect_base("/proc/1/roots/a", "/", "proc/1/roots/a");
	expect_base("/proc/10/root/a", "/", "proc/10/root/a");
	expect_base("/x" MOUNT_MACHINE "/a", "/", "x" MOUNT_MACHINE "/a");
}

int main(void)
{
	struct told told;
	int hold;
	pid_t pid;

	snprintf(dir, sizeof(dir), "/tmp/relinktrace-unit-%d", getpid());
	MUST(!mkdir(dir, 0755));
	pid = child_start(&told, false, &hold);
	test_find(pid, &told);
	test_open_root(pid, &told);
	test_planted(pid, &told);
	child_end(pid, hold);
	test_jailed();
	test_jailed_here();
	test_by_dev();
	test_by_letters();
	test_try_by_dev();
	test_base();
	CHECK(!rmdir(dir));
	return check_done();
}

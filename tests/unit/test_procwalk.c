/* SPDX-License-Identifier: GPL-2.0-only */
/* Every kind of holder. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>

#include "child.h"
#include "proc/proctext.h"

static uint64_t start_time(pid_t pid)
{
	AUTO_FREE char *text = NULL;
	struct proctext_stat stat;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	MUST(!proctext_read(AT_FDCWD, name, &text) && !proctext_stat(text, &stat));
	return stat.start_time;
}

static void arrange_fd(void)
{
	told->fd = file_make("a b\n\xff (deleted)", 0);
	MUST(lseek(told->fd, 4100, SEEK_SET) == 4100);
	MUST(!fcntl(told->fd, F_SETFL, O_APPEND));
	MUST(!prctl(PR_SET_NAME, "a) R (b"));
	MUST(!unlink(in_dir("a b\n\xff (deleted)")));
}

static void test_fd(void)
{
	struct child child = child_scan(arrange_fd);
	const struct orphan *o = only(&child, "a b\n\xff (deleted)", 1);
	const struct holder *h = holder_at(o, 0);
	AUTO_FREE char *cgroup = NULL;
	char name[64];
	struct stat ns;

	CHECK_INT(o->nlink, 0);
	CHECK_INT(o->mode, S_IFREG | 0640);
	CHECK_INT(o->size, 8192);
	CHECK_INT(o->allocated, child.st.st_blocks * 512);
	CHECK(o->allocated > 0);
	CHECK_INT(o->dev_major, major(child.st.st_dev));
	CHECK_INT(o->dev_minor, minor(child.st.st_dev));
	CHECK(o->fstype[0] && o->mnt_id > 0 && o->mnt_point && o->mnt_point[0] == '/');
	CHECK(!o->tmpfile && !o->has_generation && !o->unlinker.known &&
	      !o->unattributed);
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", child.pid);
	CHECK(!stat(name, &ns) && o->mnt_ns == ns.st_ino);
	CHECK(!cgroup_of_pid(child.pid, &cgroup));
	CHECK_STR(o->cgroup, cgroup);
	CHECK(o->cgroup_id && o->cgroup_id == h->cgroup_id);
	CHECK_INT(h->pid, child.pid);
	CHECK_INT(h->tid, 0);
	CHECK_INT(h->start_time, start_time(child.pid));
	CHECK_STR(h->comm, "a) R (b");
	CHECK_INT(h->kind, RT_HOLDER_FD);
	CHECK_INT(h->fd, told->fd);
	CHECK_INT(h->flags & (O_ACCMODE | O_APPEND | O_CLOEXEC), O_RDWR | O_APPEND);
	CHECK(h->cloexec);
	CHECK_INT(h->pos, 4100);
	CHECK_INT(h->ofd, 1);
	child_end(&child);
}

static void arrange_linked(void)
{
	file_make("a", 0);
	MUST(!link(in_dir("a"), in_dir("b")) && !unlink(in_dir("a")));
}

/* The example of the 2010 patch. */
static void test_linked(void)
{
	struct child child = child_scan(arrange_linked);

	CHECK_INT(only(&child, "a", 1)->nlink, 1);
	child_end(&child);
	MUST(!unlink(in_dir("b")));
}

static void arrange_renamed_over(void)
{
	AUTO_FD other = -1;

	file_make("a", 0);
	other = open(in_dir("c"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	MUST(!rename(in_dir("c"), in_dir("a")));
}

/* Another file has the name now. */
static void test_renamed_over(void)
{
	struct child child = child_scan(arrange_renamed_over);

	only(&child, "a", 1);
	child_end(&child);
	MUST(!unlink(in_dir("a")));
}

static void arrange_map(void)
{
	int fd = file_make("m", 0);

	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096) != MAP_FAILED);
	close(fd);
	MUST(!unlink(in_dir("m")));
}

static void test_map(void)
{
	struct child child = child_scan(arrange_map);
	const struct holder *h = holder_at(only(&child, "m", 1), 0);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};
	AUTO(orphan_set_fini) struct orphan_set maps;
	char name[128];
	struct stat st;

	CHECK_INT(h->kind, RT_HOLDER_MAP);
	CHECK_INT(h->fd, -1);
	CHECK_INT(h->tid, 0);
	snprintf(name, sizeof(name), "/proc/%d/map_files/%lx-%lx", child.pid,
		 (unsigned long)h->map_start, (unsigned long)h->map_end);
	CHECK(!stat(name, &st) && st.st_ino == child.st.st_ino);
	orphan_set_init(&maps);
	CHECK_INT(procwalk_scan_parts(&target, PROCWALK_MAPS, &maps), 0);
	CHECK_INT(maps.n, 1);
	child_end(&child);
}

static void arrange_map_and_fd(void)
{
	int fd = file_make("m", 0);

	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(!unlink(in_dir("m")));
}

static void test_map_and_fd(void)
{
	struct child child = child_scan(arrange_map_and_fd);
	const struct orphan *o = only(&child, "m", 2);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};
	AUTO(orphan_set_fini) struct orphan_set maps;

	CHECK_INT(holder_at(o, 0)->kind, RT_HOLDER_FD);
	CHECK_INT(holder_at(o, 1)->kind, RT_HOLDER_MAP);
	orphan_set_init(&maps);
	CHECK_INT(procwalk_scan_parts(&target, PROCWALK_MAPS, &maps), 0);
	CHECK(maps.n == 1 && maps.orphans[0].n_holders == 1);
	child_end(&child);
}

static void arrange_cwd(void)
{
	MUST(!mkdir(in_dir("d"), 0700) && !chdir(in_dir("d")) && !stat(".", &told->st));
	MUST(!rmdir(in_dir("d")));
}

static void test_cwd(void)
{
	struct child child = child_scan(arrange_cwd);
	const struct orphan *o = only(&child, "d", 1);

	CHECK(S_ISDIR(o->mode));
	CHECK_INT(holder_at(o, 0)->kind, RT_HOLDER_CWD);
	child_end(&child);
}

static void arrange_root(void)
{
	MUST(!mkdir(in_dir("d"), 0700) && !stat(in_dir("d"), &told->st));
	MUST(!chdir("/"));
	MUST(!mkdir(in_dir("e"), 0700));
	MUST(open(in_dir("e"), O_RDONLY | O_DIRECTORY) >= 0); /* stays linked */
	MUST(!chroot(in_dir("d")));
}

static void test_root(void)
{
	struct child child = child_start(arrange_root);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};
	const struct orphan *o;

	MUST(!rmdir(in_dir("d")));
	CHECK_INT(procwalk_scan(&target, &child.set), 0);
	o = only(&child, "d", 1);
	CHECK_INT(holder_at(o, 0)->kind, RT_HOLDER_ROOT);
	child_end(&child);
	MUST(!rmdir(in_dir("e")));
}

/* Copies this program and becomes the copy, which is unlinked then. */
static void arrange_exe(void)
{
	AUTO_FD in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(in_dir("exe"), O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
	struct stat st;
	char wait_text[16], ready_text[16], address[32];

	MUST(in >= 0 && out >= 0 && !fstat(in, &st));
	while (sendfile(out, in, NULL, st.st_size) > 0)
		;
	MUST(!fstat(out, &told->st) && told->st.st_size == st.st_size);
	close(out);
	MUST(!fcntl(wait_fd, F_SETFD, 0) && !fcntl(ready_fd, F_SETFD, 0));
	snprintf(wait_text, sizeof(wait_text), "%d", wait_fd);
	snprintf(ready_text, sizeof(ready_text), "%d", ready_fd);
	snprintf(address, sizeof(address), "%s", in_dir("exe"));
	execl(address, address, "--held", wait_text, ready_text, NULL);
	MUST(!"exec");
}

static void test_exe(void)
{
	struct child child = child_scan(arrange_exe);
	const struct orphan *o = only(&child, "exe", 2);

	CHECK_INT(holder_at(o, 0)->kind, RT_HOLDER_MAP);
	CHECK_INT(holder_at(o, 1)->kind, RT_HOLDER_EXE);
	child_end(&child);
}

static void arrange_shared(void)
{
	int fd = file_make("s", 0);

	MUST(dup(fd) >= 0);
	MUST(open(in_dir("s"), O_RDONLY) >= 0);
	MUST(!unlink(in_dir("s")));
	if (!fork()) {
		char byte;

		MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
		for (;;)
			if (read(wait_fd, &byte, 1) <= 0)
				_exit(0);
	}
}

/* dup and fork share one description, a second open does not. */
static void test_shared(void)
{
	struct child child = child_start(arrange_shared);
	struct target target = {.kind = TARGET_ALL};
	const struct orphan *o = NULL;

	CHECK_INT(procwalk_scan(&target, &child.set), 0);
	orphan_set_sort(&child.set);
	for (size_t i = 0; i < child.set.n; i++)
		if (child.set.orphans[i].ino == child.st.st_ino)
			o = &child.set.orphans[i];
	if (CHECK(o && o->n_holders == 6)) {
		const struct holder *h = o->holders;

		CHECK(h[0].ofd && h[0].ofd == h[1].ofd && h[1].ofd != h[2].ofd);
		CHECK(h[2].ofd);
		CHECK(h[0].pid != h[3].pid);
		for (int i = 0; i < 3; i++)
			CHECK(h[i].ofd == h[i + 3].ofd && h[i].fd == h[i + 3].fd);
	}
	child_end(&child);
}

static void arrange_closed(void)
{
	close(file_make("a", 0));
	MUST(!unlink(in_dir("a")));
	file_make("kept", 0);
}

static void test_closed(void)
{
	struct child child = child_scan(arrange_closed);

	CHECK_INT(child.set.n, 0);
	child_end(&child);
	MUST(!unlink(in_dir("kept")));
}

static void arrange_tmpfile(void)
{
	told->fd = open(dir, O_TMPFILE | O_RDWR, 0600);
	MUST(told->fd >= 0 && !fstat(told->fd, &told->st));
}

static void test_tmpfile(void)
{
	struct child child = child_scan(arrange_tmpfile);

	if (CHECK_INT(child.set.n, 1)) {
		CHECK(child.set.orphans[0].tmpfile);
		CHECK_INT(child.set.orphans[0].ino, child.st.st_ino);
		CHECK(!holder_at(child.set.orphans, 0)->cloexec);
	}
	child_end(&child);
}

/* Nobody writes, so that an open for reading would wait for ever. */
static void arrange_fifo(void)
{
	MUST(!mkfifo(in_dir("f"), 0600));
	told->fd = open(in_dir("f"), O_RDONLY | O_NONBLOCK);
	MUST(told->fd >= 0 && !fstat(told->fd, &told->st));
	MUST(open(in_dir("f"), O_PATH) >= 0);
	MUST(!unlink(in_dir("f")));
}

static void test_fifo(void)
{
	struct child child = child_scan(arrange_fifo);
	const struct orphan *o = only(&child, "f", 2);

	CHECK(S_ISFIFO(o->mode));
	CHECK(holder_at(o, 1)->flags & O_PATH);
	child_end(&child);
}

/* What test_exe() runs: this program by another name. */
static int held(char **argv)
{
	MUST(!unlink(argv[0]));
	wait_fd = atoi(argv[2]);
	ready_fd = atoi(argv[3]);
	arranged();
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--held"))
		return held(argv);
	children_set_up();
	test_fd();
	test_linked();
	test_renamed_over();
	test_map();
	test_map_and_fd();
	test_cwd();
	test_root();
	test_exe();
	test_shared();
	test_closed();
	test_tmpfile();
	test_fifo();
	return children_done();
}

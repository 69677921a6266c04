/* SPDX-License-Identifier: GPL-2.0-only */
/* What "(deleted)" in a link's text means, and what it does not. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include <linux/aio_abi.h>

#include "child.h"

/* All that says "(deleted)" and is no orphan. */
static void arrange_nameless(void)
{
	aio_context_t aio = 0;
	int memfd = memfd_create("x", 0),
	    shm = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	int fds[2];
	void *at;

	MUST(memfd >= 0 && !ftruncate(memfd, 4096));
	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, memfd, 0) != MAP_FAILED);
	at = shmat(shm, NULL, 0);
	MUST(at != (void *)-1 && !shmctl(shm, IPC_RMID, NULL));
	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
	     MAP_FAILED);
	syscall(SYS_io_setup, 4, &aio); /* may not be built in */
	memfd_create("h", MFD_HUGETLB);
	syscall(SYS_memfd_secret, 0);
	MUST(!pipe(fds));
	file_make("x (deleted)", 0);
	MUST(open("/", O_RDONLY) >= 0);
}

static pid_t dead_child(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid;
}

static void arrange_dead_proc(void)
{
	char name[64];
	pid_t pid = dead_child();

	snprintf(name, sizeof(name), "/proc/%d", pid);
	MUST(pid > 0 && open(name, O_RDONLY | O_DIRECTORY) >= 0 && !chdir(name));
	MUST(waitpid(pid, NULL, 0) == pid);
}

static void test_nameless(void)
{
	struct child child = child_scan(arrange_nameless);
	struct child dead = child_scan(arrange_dead_proc);

	if (!CHECK_INT(child.set.n, 0))
		printf("# %s\n", child.set.orphans[0].path);
	CHECK_INT(dead.set.n, 0);
	child_end(&dead);
	child_end(&child);
	MUST(!unlink(in_dir("x (deleted)")));
}

/* Fills PATH_MAX with directories and holds files below them that nobody can name. */
static void arrange_long(void)
{
	char name[201] = {0};

	memset(name, 'n', 200);
	MUST(!chdir(dir) && !mkdir("long", 0700) && !chdir("long"));
	for (int i = 0; i < 21; i++)
		MUST(!mkdir(name, 0700) && !chdir(name));
	told->fd = open("gone", O_CREAT | O_RDWR, 0600);
	MUST(told->fd >= 0 && !fstat(told->fd, &told->st) && !unlink("gone"));
	MUST(open("linked", O_CREAT | O_RDWR, 0600) >= 0);
	MUST(!chdir("/"));
}

static void test_long(void)
{
	struct child child = child_start(arrange_long);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};
	AUTO_FREE char *command = NULL;

	CHECK_INT(procwalk_scan(&target, &child.set), 0);
	only(&child, NULL, 1);
	CHECK(!child.set.complete); /* "linked": nobody can tell, and that is said */
	child_end(&child);
	MUST(asprintf(&command, "rm -r %s/long", dir) > 0 && !system(command));
}

/* A container that chroots: d_path() writes from its mount namespace's root, the task
 * sees it from its own. */
static void arrange_jail(void)
{
	MUST(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(!mount("none", dir, "tmpfs", 0, NULL));
	MUST(!mkdir(in_dir("jail"), 0700) && !chroot(in_dir("jail")) && !chdir("/"));
	MUST(open("/y (deleted)", O_CREAT | O_RDWR, 0600) >= 0);
	told->fd = open("/z", O_CREAT | O_RDWR, 0600);
	MUST(told->fd >= 0 && !fstat(told->fd, &told->st) && !unlink("/z"));
}

static void test_jail(void)
{
	struct child child = child_scan(arrange_jail);

	only(&child, "jail/z", 1);
	child_end(&child);
}

static void arrange_detached(void)
{
	MUST(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(!mount("none", dir, "tmpfs", 0, NULL));
	file_make("v", 0);
	MUST(!unlink(in_dir("v")) && !umount2(dir, MNT_DETACH));
}

/* On a mount that is in no table any more. */
static void test_detached(void)
{
	struct child child = child_scan(arrange_detached);

	if (CHECK_INT(child.set.n, 1)) {
		CHECK_INT(child.set.orphans[0].ino, child.st.st_ino);
		CHECK_STR(child.set.orphans[0].path, "/v");
		CHECK_STR(child.set.orphans[0].mnt_point, NULL);
		CHECK_INT(child.set.orphans[0].mnt_ns, 0);
	}
	child_end(&child);
}

int main(void)
{
	children_set_up();
	test_nameless();
	test_long();
	test_jail();
	test_detached();
	return children_done();
}

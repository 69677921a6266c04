/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A random workload of everything that makes, keeps and ends an orphan:
 *
 *   storm DIR LEDGER SEED CGROUP_DIR...
 *
 * A few processes in each cgroup work on the same names in DIR without end, each by its
 * own random numbers; one that has ended is begun again with others. Prints "ready PID"
 * when all are at work, and a dot for every few steps that somebody has made. What /proc
 * cannot tell is written into LEDGER (ledger.h). They end when the helper's input does:
 * then nothing is held any more.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include "storm_sent.h"

#define EACH_CGROUP 3

/* Of a dot. */
#define STEPS_TOLD 32

/* A copy of this program, of which others are links or copies. */
#define EXE "storm-exe"

/* Where those with mounts of their own put one. */
#define MOUNT "elsewhere"

/* Who they are that are not root. */
#define OTHER_USER 12345

static const char *dir;
static int n_cgroups;
static bool has_rings;
static int n_threads; /* of this process, besides the first */

static void step(void);

/* Whole, or not at all: whoever reads may be slow. */
static void steps(unsigned int n)
{
	while (n--) {
		step();
		if (n % STEPS_TOLD == 0 && write(STDOUT_FILENO, ".", 1) < 0 &&
		    errno != EAGAIN && errno != EPIPE)
			die("write");
	}
}

static void do_move(void)
{
	if (write(CGROUP_FD + draw(n_cgroups), "0", 1) != 1)
		die("move to another cgroup");
}

/* What it has is its parent's still, to hold and to close; but not what the ledger says
 * of the parent. */
static void child_begin(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("prctl");
	me->state ^= getpid();
	me->ring = me->pair[0] = me->pair[1] = -1;
	me->asks = NULL;
	n_threads = 0;
}

static void fd_at(int fd, int number)
{
	if (fd < 0 || dup3(fd, number, O_CLOEXEC) < 0)
		die("fd %d", number);
	close(fd);
}

static void *after_leader(void *task)
{
	me = task;
	me->is_thread = true;
	steps(draw(60));
	_exit(0);
}

/* The first thread exits, another goes on. */
static void child_leaves(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, after_leader, me))
		die("pthread_create");
	syscall(SYS_exit, 0);
}

/* A removed directory as root; fds lead out of it. */
static void child_chroots(void)
{
	const char *name = own_name("root");

	directory_make(name);
	/* A thread may have the same cwd, and leave it. */
	if (unshare(CLONE_FS) || fchdir(DIR_FD) || chroot(name))
		die("chroot");
	unlink_or_die(name, AT_REMOVEDIR);
	me->is_thread = true; /* no program is to be found there */
	steps(draw(60));
	_exit(0);
}

/* The names of a mount that nobody else sees, which are those of all others or its own. */
static void child_mounts(void)
{
	bool own = draw(2);

	/* The cwd, no thread's any more, is that of the copy of its mount, once the mounts are
	 * copied. */
	if (unshare(CLONE_FS) || fchdir(DIR_FD) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    (own ? mount("tmpfs", MOUNT, "tmpfs", 0, "mode=777")
		 : mount(".", MOUNT, NULL, MS_BIND, NULL)))
		die("a mount namespace of its own");
	fd_at(open_or_die(MOUNT, O_RDONLY | O_DIRECTORY), DIR_FD);
	me->is_alien = own;
	me->is_thread = true; /* nor is a program to be found here */
	steps(draw(300));
	_exit(0);
}

/* Another user, who may neither open nor link what is root's, but can remove it. */
static void child_changes_user(void)
{
	unsigned int id = OTHER_USER + draw(3);

	/* By the system calls, for libc would change all threads, each in the middle of
	 * whatever it does. The signal is forgotten then. */
	if (syscall(SYS_setresgid, id, id, id) || syscall(SYS_setresuid, id, id, id) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("become user %u", id);
	me->is_thread = true;
	steps(draw(300));
	_exit(0);
}

static void exe_copy(int in, const char *name)
{
	int out = open_name(name, O_WRONLY | O_CREAT | O_EXCL);

	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	if (in < 0 || out < 0 || fchmod(out, 0700))
		die("copy of the program");
	close(in);
	close(out);
}

/* Runs a link or a copy of this program, which removes it and goes on. */
static void child_executes(void)
{
	const char *name = own_name("exe");

	if (draw(3) == 0)
		exe_copy(open_name(EXE, O_RDONLY), name);
	else if (linkat(DIR_FD, EXE, DIR_FD, name, 0))
		die("link %s", name);
	execl(path_of("%s/%s", dir, name), "storm", "--removed", dir, name,
	      path_of("%u", draw(100000)), (char *)NULL);
	/* A thread that got its own table meanwhile has the copy open for writing. */
	if (errno != ETXTBSY)
		die("exec %s", name);
	unlink_or_die(name, 0);
}

/* A child that shares our descriptions for a while, and ends in one way or the other. */
static void do_fork(void)
{
	unsigned int n = draw(40), way = draw(9);
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		child_begin();
		steps(n);
		if (way == 0)
			raise(SIGKILL);
		if (way == 1) /* only what was dup'ed is not close-on-exec */
			execl("/bin/true", "true", NULL);
		if (way == 2)
			child_leaves();
		if (way == 3)
			child_chroots();
		if (way == 4)
			child_executes();
		if (way == 5)
			child_mounts();
		if (way == 6)
			child_changes_user();
		_exit(0);
	}
	if (draw(4))
		waitpid(pid, NULL, 0);
}

/* A table of its own, and perhaps a cwd: a copy of the process' at first. */
static void *thread_run(void *task)
{
	me = task;
	if (unshare(CLONE_FILES | (draw(2) ? CLONE_FS : 0)))
		die("unshare");
	steps(draw(60));
	for (int i = 0; i < MAPS; i++)
		if (me->maps[i])
			munmap(me->maps[i], 4096);
	free(me);
	__atomic_sub_fetch(&n_threads, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void do_thread(void)
{
	struct task *task;
	pthread_t thread;

	if (__atomic_load_n(&n_threads, __ATOMIC_SEQ_CST) >= 2)
		return;
	task = malloc(sizeof(*task));
	if (!task)
		die("malloc");
	*task = *me;
	task->state ^= 0x5bd1e995;
	memset(task->maps, 0, sizeof(task->maps));
	task->ring = task->pair[0] = task->pair[1] = -1;
	task->asks = NULL;
	task->is_thread = true;
	__atomic_add_fetch(&n_threads, 1, __ATOMIC_SEQ_CST);
	if (pthread_create(&thread, NULL, thread_run, task))
		die("pthread_create");
	pthread_detach(thread);
}

/* A thread makes no tasks, and leaves the process where it is. */
static void rare_step(unsigned int which)
{
	if (which == 0)
		do_fork();
	else if (which == 1)
		do_thread();
	else
		do_move();
}

static void step(void)
{
	static void (*const all[])(void) = {
		do_open,       do_open,	    do_open,	do_open_path,  do_tmpfile,
		do_link_fd,    do_link,	    do_unlink,	do_unlink,     do_unlink,
		do_rename,     do_exchange, do_close,	do_close,      do_close,
		do_link_again, do_dup,	    do_map,	do_seek,       do_directory,
		do_fifo,       do_send,	    do_receive, do_pair_close, do_ring,
		do_ask,
	};
	unsigned int rare = draw(300);

	if (me->is_thread || rare > 2) {
		all[draw(sizeof(all) / sizeof(all[0]))]();
		return;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	rare_step(rare);
}

static void task_init(struct task *task, unsigned long long seed)
{
	*task = (struct task){.state = seed, .ring = -1, .pair = {-1, -1}};
	for (int i = 0; i < SLOTS; i++)
		task->slots[i] = -1;
	me = task;
}

/* Never returns. */
static void worker(int place, unsigned long long seed)
{
	static struct task task;
	static struct ring asks;

	task_init(&task, seed);
	if (has_rings) {
		task.ring = place;
		ring_open(&asks, 0);
		task.asks = &asks;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    write(CGROUP_FD + place % n_cgroups, "0", 1) != 1)
		die("enter a cgroup");
	steps(500 + draw(5000));
	_exit(0);
}

static pid_t worker_begin(int place, unsigned long long seed)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		worker(place, seed);
	return pid;
}

/* Rings live as long as this process: the kernel takes one apart some time after its last
 * fd is gone, and no file tells when. */
static void rings_make(int n)
{
	for (int i = 0; i < n; i++) {
		struct io_uring_params params = {0};
		int fd = syscall(SYS_io_uring_setup, 4, &params);

		if (fd < 0 && i == 0)
			return;
		fd_at(fd, RING_FD + i);
	}
	has_rings = true;
}

static void rings_empty(int n)
{
	static struct task task;

	me = &task;
	for (task.ring = 0; task.ring < n; task.ring++)
		ring_register(IORING_UNREGISTER_FILES, NULL, 0);
}

/* Until the input ends. */
static void supervise(pid_t *pids, int n, unsigned long long seed)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};
	int ready, status;
	pid_t pid;

	/* To be frozen interrupts it. */
	while ((ready = poll(&input, 1, 10)) == 0 || (ready < 0 && errno == EINTR)) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			for (int i = 0; i < n; i++) {
				if (pids[i] != pid)
					continue;
				if (!WIFEXITED(status) || WEXITSTATUS(status))
					die("a worker ended with status %d", status);
				pids[i] = worker_begin(i, ++seed);
			}
		}
	}
}

/* What a copy of us does that was executed by a child_executes(). */
static int removed(char **argv)
{
	static struct task task;

	dir = argv[2];
	fd_at(open_or_die(dir, O_RDONLY | O_DIRECTORY), DIR_FD);
	unlink_or_die(argv[3], 0);
	task_init(&task, strtoull(argv[4], NULL, 10));
	task.is_thread = task.is_alien = true;
	steps(draw(40));
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long long seed;
	pid_t pids[LEDGER_RINGS];
	int n;

	if (argc == 5 && !strcmp(argv[1], "--removed"))
		return removed(argv);
	n_cgroups = argc - 4;
	n = n_cgroups * EACH_CGROUP;
	if (argc < 5 || n > LEDGER_RINGS) {
		fprintf(stderr, "usage: storm DIR LEDGER SEED CGROUP_DIR...\n");
		return 2;
	}
	dir = argv[1];
	ledger = ledger_map(argv[2]);
	seed = strtoull(argv[3], NULL, 10) << 20;
	/* Whoever loses its parent is ours to wait for. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || fcntl(1, F_SETFL, O_NONBLOCK) < 0)
		die("prctl, fcntl");
	signal(SIGPIPE, SIG_IGN);
	fd_at(open_or_die(dir, O_RDONLY | O_DIRECTORY), DIR_FD);
	dir_dev = dev_of_fd(DIR_FD);
	for (int i = 0; i < n_cgroups; i++)
		fd_at(open_or_die(path_of("%s/cgroup.procs", argv[4 + i]), O_WRONLY),
		      CGROUP_FD + i);
	rings_make(n);
	if (fchmod(DIR_FD, 0777))
		die("fchmod %s", dir);
	directory_make(MOUNT);
	exe_copy(open_or_die("/proc/self/exe", O_RDONLY), EXE);
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (int i = 0; i < n; i++)
		pids[i] = worker_begin(i, ++seed);
	supervise(pids, n, seed);
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	rings_empty(n);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A random workload of everything that makes, keeps and ends an orphan:
 *
 *   storm DIR SEED CGROUP_DIR...
 *
 * A few processes in each cgroup work on the same names in DIR without end, each by its
 * own random numbers; one that has ended is begun again with others. Prints "ready" when
 * all are at work. They end when the helper's input does: then nothing is held any more.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib.h"

#define EACH_CGROUP 3
#define NAMES	    24
#define SLOTS	    24
#define MAPS	    6

static const char *dir;
static unsigned long long state;

/* splitmix64: the same numbers on every machine. */
static unsigned int draw(unsigned int below)
{
	unsigned long long z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

static int slots[SLOTS];
static void *maps[MAPS];

static const char *some_name(void)
{
	return path_of("%s/name-%u", dir, draw(NAMES));
}

/* A name that no other process uses. */
static const char *own_name(const char *kind)
{
	return path_of("%s/%s-%d-%ld", dir, kind, getpid(), syscall(SYS_gettid));
}

/* Into a slot, which is closed for it. */
static void keep(int fd)
{
	unsigned int slot = draw(SLOTS);

	if (fd < 0)
		return;
	if (slots[slot] >= 0)
		close(slots[slot]);
	slots[slot] = fd;
}

static int some_fd(void)
{
	return slots[draw(SLOTS)];
}

static void do_open(void)
{
	int fd = open(some_name(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0 && ftruncate(fd, 1 + draw(100000)))
		die("ftruncate");
	keep(fd);
}

static void do_open_path(void)
{
	keep(open(some_name(), O_PATH | O_CLOEXEC));
}

static void do_tmpfile(void)
{
	keep(open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | (draw(2) ? O_EXCL : 0), 0600));
}

static void do_link_fd(void)
{
	linkat(AT_FDCWD, path_of("/proc/self/fd/%d", some_fd()), AT_FDCWD, some_name(),
	       AT_SYMLINK_FOLLOW);
}

static void do_link(void)
{
	linkat(AT_FDCWD, some_name(), AT_FDCWD, some_name(), 0);
}

static void do_unlink(void)
{
	unlink(some_name());
}

static void do_rename(void)
{
	rename(some_name(), some_name());
}

static void do_exchange(void)
{
	renameat2(AT_FDCWD, some_name(), AT_FDCWD, some_name(), RENAME_EXCHANGE);
}

static void do_close(void)
{
	unsigned int slot = draw(SLOTS);

	if (slots[slot] >= 0)
		close(slots[slot]);
	slots[slot] = -1;
}

static void do_dup(void)
{
	int fd = some_fd();

	if (fd >= 0)
		keep(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static void do_map(void)
{
	unsigned int slot = draw(MAPS);

	if (maps[slot])
		munmap(maps[slot], 4096);
	maps[slot] = mmap(NULL, 4096, PROT_READ, draw(2) ? MAP_SHARED : MAP_PRIVATE,
			  some_fd(), 0);
	if (maps[slot] == MAP_FAILED)
		maps[slot] = NULL;
}

static void do_seek(void)
{
	lseek(some_fd(), draw(10000), SEEK_SET);
}

/* A directory of our own, removed while it is held by a slot or as cwd. */
static void do_directory(void)
{
	const char *path = own_name("dir");

	if (mkdir(path, 0700))
		die("mkdir %s", path);
	if (draw(2))
		keep(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	else if (chdir(draw(3) ? path : dir))
		die("chdir");
	if (rmdir(path))
		die("rmdir %s", path);
}

static void do_fifo(void)
{
	const char *path = own_name("fifo");

	if (mkfifo(path, 0600))
		die("mkfifo %s", path);
	keep(open(path, O_RDWR | O_CLOEXEC));
	unlink(path);
}

static void step(void);

/* A child that shares our descriptions for a while, and ends in one way or the other. */
static void do_fork(void)
{
	unsigned int steps = draw(40), way = draw(3);
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL))
			die("prctl");
		state ^= getpid();
		while (steps--)
			step();
		if (way == 0)
			raise(SIGKILL);
		if (way == 1) /* its fds are all close-on-exec */
			execl("/bin/true", "true", NULL);
		_exit(0);
	}
	if (draw(4))
		waitpid(pid, NULL, 0);
}

/* A table of its own holds another name for a moment. */
static void *thread_hold(void *unused)
{
	const char *path = own_name("thread");
	int fd;

	(void)unused;
	if (unshare(CLONE_FILES))
		die("unshare");
	fd = open_or_die(path, O_RDWR | O_CREAT);
	unlink(path);
	sched_yield();
	close(fd);
	return NULL;
}

static void do_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_hold, NULL))
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void step(void)
{
	static void (*const steps[])(void) = {
		do_open,    do_open,	 do_open,   do_open_path, do_tmpfile,
		do_link_fd, do_link,	 do_unlink, do_unlink,	  do_unlink,
		do_rename,  do_exchange, do_close,  do_close,	  do_close,
		do_dup,	    do_map,	 do_seek,   do_directory, do_fifo,
	};
	unsigned int rare = draw(200);

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (rare == 0)
		do_fork();
	else if (rare == 1)
		do_thread();
	else
		steps[draw(sizeof(steps) / sizeof(steps[0]))]();
}

/* Never returns. */
static void worker(const char *cgroup, unsigned long long seed)
{
	int fd = open_or_die(path_of("%s/cgroup.procs", cgroup), O_WRONLY);

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || write(fd, "0", 1) != 1)
		die("enter %s", cgroup);
	close(fd);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	state = seed;
	for (unsigned int life = 500 + draw(5000); life; life--)
		step();
	_exit(0);
}

static pid_t worker_begin(const char *cgroup, unsigned long long seed)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		worker(cgroup, seed);
	return pid;
}

int main(int argc, char **argv)
{
	int n = (argc - 3) * EACH_CGROUP;
	unsigned long long seed;
	struct pollfd input = {.fd = 0, .events = POLLIN};
	pid_t pids[64];

	if (argc < 4 || n > 64) {
		fprintf(stderr, "usage: storm DIR SEED CGROUP_DIR...\n");
		return 2;
	}
	dir = argv[1];
	seed = strtoull(argv[2], NULL, 10) << 20;
	for (int i = 0; i < n; i++)
		pids[i] = worker_begin(argv[3 + i % (argc - 3)], ++seed);
	puts("ready");
	fflush(stdout);
	while (poll(&input, 1, 10) == 0) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		for (int i = 0; i < n && pid > 0; i++)
			if (pids[i] == pid) {
				if (!WIFEXITED(status) || WEXITSTATUS(status))
					die("a worker ended with status %d", status);
				pids[i] = worker_begin(argv[3 + i % (argc - 3)], ++seed);
			}
	}
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}

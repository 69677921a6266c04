/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes a situation in a directory, says `ready PID [KEY=VALUE]...` and keeps it until
 * stdin is closed:
 *
 *   hold SITUATION DIR [ARG]...
 *
 * Commands on stdin, each answered with one line (`ok`, a number, or `failed` and why):
 * close, unlink, link NAME, poke, write TEXT, pos, receive.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "hold.h"
#include "hold_kernel.h"

/* The descriptions of the patch of 2010: DIR [SIZE [OFFSET]]. */
static void make_ab(struct hold *hold)
{
	int fd;

	hold->fd = file_make(hold, "a", atoll(arg_or(hold, 0, "8192")), O_RDWR);
	seek(hold->fd, atoll(arg_or(hold, 1, "100")));
	if (link(in_dir(hold, "a"), in_dir(hold, "b")))
		die("link b");
	unlink_or_die(hold, "a");
	fd = open_or_die(in_dir(hold, "a"), O_WRONLY | O_CREAT | O_EXCL);
	write_or_die(fd, "another a\n", 10, 0);
	close(fd);
	hold->name = "b";
}

/* nlink 0: DIR [NAME]. The fd is inherited over exec and appends, so that flags show. */
static void make_unlinked(struct hold *hold)
{
	hold->name = arg_or(hold, 0, "unlinked");
	hold->fd = file_make(hold, hold->name, SMALL, O_RDWR);
	seek(hold->fd, 4711);
	unlink_or_die(hold, hold->name);
	if (fcntl(hold->fd, F_SETFD, 0) || fcntl(hold->fd, F_SETFL, O_APPEND))
		die("fcntl");
}

/* A file without a name that was never given one: DIR [SIZE]. */
static void make_tmpfile(struct hold *hold)
{
	hold->fd = open_or_die(hold->dir, O_TMPFILE | O_RDWR);
	file_fill(hold->fd, atoll(arg_or(hold, 0, "8192")));
	seek(hold->fd, 17);
}

static void make_rename_over(struct hold *hold)
{
	int other;

	hold->name = "target";
	hold->fd = file_make(hold, "target", SMALL, O_RDWR);
	seek(hold->fd, 5);
	other = file_make(hold, "source", 10, O_RDWR);
	close(other);
	if (rename(in_dir(hold, "source"), in_dir(hold, "target")))
		die("rename");
}

/* Ends with its parent, and says over the pipe when it is ready. */
static void child_of_two(const struct hold *hold, int ready)
{
	int independent = open_or_die(in_dir(hold, hold->name), O_RDONLY);
	int copy = fcntl(hold->fd, F_DUPFD, 100);
	int fds[2] = {copy, independent};

	if (copy < 0)
		die("F_DUPFD");
	seek(independent, 3);
	write_or_die(hold->fd, "from the child\n", 15, 0);
	if (write(ready, fds, sizeof(fds)) != sizeof(fds))
		die("write to the parent");
	for (;;)
		pause();
}

/* One description in two processes, a dup of it in the second, which also opened the same
 * file by itself. */
static void make_two(struct hold *hold)
{
	int fds[2], link[2];
	pid_t child;

	hold->name = "shared";
	hold->fd = file_make(hold, "shared", SMALL, O_RDWR);
	seek(hold->fd, 7);
	if (pipe2(link, O_CLOEXEC))
		die("pipe2");
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(open_or_die("/dev/null", O_RDWR), STDIN_FILENO);
		dup2(STDIN_FILENO, STDOUT_FILENO);
		close(link[0]);
		child_of_two(hold, link[1]);
	}
	close(link[1]);
	if (read(link[0], fds, sizeof(fds)) != sizeof(fds))
		die("the child ended");
	close(link[0]);
	unlink_or_die(hold, "shared");
	tell(hold, " child=%d dup=%d independent=%d", child, fds[0], fds[1]);
}

static void make_mapped(struct hold *hold)
{
	int fd = file_make(hold, "mapped", MAP_LEN, O_RDWR);

	hold->map = mmap(NULL, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (hold->map == MAP_FAILED)
		die("mmap");
	close(fd);
	unlink_or_die(hold, "mapped");
	tell(hold, " map=%lx-%lx", (unsigned long)hold->map,
	     (unsigned long)hold->map + MAP_LEN);
}

static void make_cwd(struct hold *hold)
{
	const char *path = in_dir(hold, "cwd");

	if (mkdir(path, 0710) || chdir(path) || rmdir(path))
		die("leave %s removed", path);
}

static void make_dirfd(struct hold *hold)
{
	const char *path = in_dir(hold, "directory");

	if (mkdir(path, 0750))
		die("mkdir %s", path);
	hold->fd = open_or_die(path, O_RDONLY | O_DIRECTORY);
	if (rmdir(path))
		die("rmdir %s", path);
}

static void fifo_make(struct hold *hold)
{
	hold->name = "fifo";
	if (mkfifo(in_dir(hold, "fifo"), 0620))
		die("mkfifo");
	hold->fd = open_or_die(in_dir(hold, "fifo"), O_RDWR | O_NONBLOCK);
}

static void make_fifo(struct hold *hold)
{
	fifo_make(hold);
	unlink_or_die(hold, "fifo");
}

static void make_fifo_linked(struct hold *hold)
{
	fifo_make(hold);
	if (link(in_dir(hold, "fifo"), in_dir(hold, "fifo-b")))
		die("link fifo-b");
	unlink_or_die(hold, "fifo");
	hold->name = "fifo-b";
}

static void file_copy(const char *from, const char *to)
{
	int in = open_or_die(from, O_RDONLY);
	int out = open_or_die(to, O_WRONLY | O_CREAT | O_EXCL);
	char buffer[65536];
	ssize_t n;

	while ((n = read(in, buffer, sizeof(buffer))) > 0) {
		if (write(out, buffer, n) != n)
			die("write %s", to);
	}
	if (n < 0 || fchmod(out, 0700))
		die("copy %s", from);
	close(in);
	close(out);
}

/* Becomes a copy of itself, which then removes its own file (exe-removed). */
/* Its root alone: nothing can be opened by an absolute path from then on. */
static void make_root(struct hold *hold)
{
	int before = open_or_die("/", O_PATH | O_DIRECTORY);

	if (mkdir(in_dir(hold, "root"), 0751) || chdir(in_dir(hold, "root")) ||
	    rmdir(in_dir(hold, "root")) || chroot(".") || fchdir(before) || close(before))
		die("chroot");
}

static void make_exe(struct hold *hold)
{
	const char *copy = in_dir(hold, "exe");

	file_copy("/proc/self/exe", copy);
	execl(copy, "hold", "exe-removed", hold->dir, (char *)NULL);
	die("exec %s", copy);
}

static void make_exe_removed(struct hold *hold)
{
	unlink_or_die(hold, "exe");
}

struct start {
	struct hold *hold;
	int ready[2];
};

static void start_run(struct start *start, void *(*run)(void *))
{
	pthread_t thread;
	char byte;

	if (pipe2(start->ready, O_CLOEXEC) || pthread_create(&thread, NULL, run, start) ||
	    read(start->ready[0], &byte, 1) != 1)
		die("start a thread");
	close(start->ready[0]);
}

static void *thread_with_own_table(void *arg)
{
	struct start *start = arg;
	struct hold *hold = start->hold;
	int ready = start->ready[1];
	int fd;

	if (unshare(CLONE_FILES))
		die("unshare");
	fd = file_make(hold, "thread", SMALL, O_RDWR);
	seek(fd, 23);
	unlink_or_die(hold, "thread");
	tell(hold, " tid=%d threadfd=%d", gettid(), fd);
	if (write(ready, "", 1) != 1)
		die("write to the leader");
	for (;;)
		pause();
	return NULL;
}

static void make_thread(struct hold *hold)
{
	struct start start = {.hold = hold};

	start_run(&start, thread_with_own_table);
}

static void hold_serve(struct hold *hold);

static pthread_t leader;

static void *thread_that_stays(void *arg)
{
	struct hold *hold = arg;

	if (pthread_join(leader, NULL))
		die("wait for the leader");
	tell(hold, " tid=%d", gettid());
	hold_serve(hold);
	exit(0);
}

static void *thread_that_waits(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Of two threads that share what was its table, the first tells. */
static void make_leader_exited(struct hold *hold)
{
	pthread_t thread;

	hold->fd = file_make(hold, "led", SMALL, O_RDWR);
	seek(hold->fd, 29);
	unlink_or_die(hold, "led");
	leader = pthread_self();
	if (pthread_create(&thread, NULL, thread_that_stays, hold) ||
	    pthread_create(&thread, NULL, thread_that_waits, NULL))
		die("start a thread");
	pthread_exit(NULL);
}

/* A file that has its name still; somebody else removes it. */
static void make_by_other(struct hold *hold)
{
	hold->name = "by-other";
	hold->fd = file_make(hold, "by-other", SMALL, O_RDWR);
	seek(hold->fd, 31);
}

static void make_nobody(struct hold *hold)
{
	close(file_make(hold, "nobody", SMALL, O_RDWR));
	unlink_or_die(hold, "nobody");
}

static void make_memfd(struct hold *hold)
{
	hold->fd = memfd_create("memfd", MFD_CLOEXEC);
	if (hold->fd < 0)
		die("memfd_create");
	file_fill(hold->fd, SMALL);
	hold->map = mmap(NULL, MAP_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, hold->fd, 0);
	if (hold->map == MAP_FAILED)
		die("mmap memfd");
}

static void make_sysvshm(struct hold *hold)
{
	int id = shmget(IPC_PRIVATE, MAP_LEN, IPC_CREAT | 0600);

	if (id < 0)
		die("shmget");
	hold->map = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	if (hold->map == (void *)-1)
		die("shmat");
}

/* A file that is there, and whose name looks as if it were not. */
static void make_deleted_name(struct hold *hold)
{
	hold->name = "x (deleted)";
	hold->fd = file_make(hold, hold->name, SMALL, O_RDWR);
}

/* A directory that loses its name and gets it back is no orphan; nor is a moved file. */
static void make_renamed(struct hold *hold)
{
	hold->fd = file_make(hold, "before", SMALL, O_RDWR);
	if (rename(in_dir(hold, "before"), in_dir(hold, "after")))
		die("rename");
	hold->name = "after";
}

/* A rename between two links of one inode returns 0 and does nothing (rename(2)). */
static void make_rename_same(struct hold *hold)
{
	hold->fd = file_make(hold, "one", SMALL, O_RDWR);
	if (link(in_dir(hold, "one"), in_dir(hold, "two")) ||
	    rename(in_dir(hold, "two"), in_dir(hold, "one")))
		die("rename two to one");
	hold->name = "one";
}

static void range_lock(int fd, int command, short type, off_t start, off_t len)
{
	struct flock range = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	if (fcntl(fd, command, &range))
		die("lock");
}

/* One file with an flock and a process's own lock through the first fd, a description's
 * own through the second; another with a lease through the third. */
static void make_locks(struct hold *hold)
{
	int second, third;

	hold->name = "locked";
	hold->fd = file_make(hold, "locked", SMALL, O_RDWR);
	second = open_or_die(in_dir(hold, "locked"), O_RDONLY);
	third = file_make(hold, "leased", SMALL, O_WRONLY);
	close(third);
	third = open_or_die(in_dir(hold, "leased"), O_RDONLY);
	range_lock(hold->fd, F_SETLK, F_WRLCK, 5, 5);
	range_lock(second, F_OFD_SETLK, F_RDLCK, 100, 0);
	if (flock(hold->fd, LOCK_EX) || fcntl(third, F_SETLEASE, F_RDLCK))
		die("lock");
	unlink_or_die(hold, "locked");
	unlink_or_die(hold, "leased");
	tell(hold, " second=%d third=%d", second, third);
}

/* As many files as the first argument says, of so many bytes as the second one does, or of
 * a few. */
static void make_many(struct hold *hold)
{
	int n = atoi(arg_or(hold, 0, "100")), size = atoi(arg_or(hold, 1, "0"));
	static char block[1 << 16];
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit");
	for (int i = 0; i < n; i++) {
		int fd = open_or_die(in_dir(hold, "many"), O_RDWR | O_CREAT | O_EXCL);

		write_or_die(fd, &i, sizeof(i), 0);
		for (int at = 0; at < size; at += sizeof(block)) {
			block_fill(block, sizeof(block), at + i);
			write_or_die(fd, block, sizeof(block), at);
		}
		unlink_or_die(hold, "many");
	}
}

static const struct situation {
	const char *name;
	void (*make)(struct hold *);
} situations[] = {
	{"ab", make_ab},
	{"unlinked", make_unlinked},
	{"tmpfile", make_tmpfile},
	{"rename-over", make_rename_over},
	{"two", make_two},
	{"mapped", make_mapped},
	{"cwd", make_cwd},
	{"dirfd", make_dirfd},
	{"fifo", make_fifo},
	{"fifo-linked", make_fifo_linked},
	{"root", make_root},
	{"exe", make_exe},
	{"exe-removed", make_exe_removed},
	{"thread", make_thread},
	{"leader-exited", make_leader_exited},
	{"by-other", make_by_other},
	{"in-flight", make_in_flight},
	{"uring", make_uring},
	{"nobody", make_nobody},
	{"memfd", make_memfd},
	{"sysvshm", make_sysvshm},
	{"deleted-name", make_deleted_name},
	{"renamed", make_renamed},
	{"rename-same", make_rename_same},
	{"locks", make_locks},
	{"owned", make_owned},
	{"many", make_many},
};

/* linkat through /proc: what a program does with its own O_TMPFILE (open(2)). */
static int link_back(const struct hold *hold, const char *name)
{
	return linkat(AT_FDCWD, path_of("/proc/self/fd/%d", hold->fd), AT_FDCWD,
		      in_dir(hold, name), AT_SYMLINK_FOLLOW);
}

static int command_do(struct hold *hold, const char *word, const char *rest)
{
	if (!strcmp(word, "close")) {
		int fd = hold->fd;

		hold->fd = -1;
		return close(fd);
	}
	if (!strcmp(word, "receive")) {
		hold->fd = flight_receive();
		return 0;
	}
	if (!strcmp(word, "unlink"))
		return unlink(in_dir(hold, hold->name ? hold->name : ""));
	if (!strcmp(word, "link"))
		return link_back(hold, rest);
	if (!strcmp(word, "write"))
		return write(hold->fd, rest, strlen(rest)) < 0 ? -1 : 0;
	if (!strcmp(word, "poke") && hold->map) {
		memcpy(hold->map, "poked\n", 6);
		return 0;
	}
	errno = EINVAL;
	return -1;
}

static void command_answer(struct hold *hold, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	if (!strcmp(line, "pos"))
		printf("%lld\n", (long long)lseek(hold->fd, 0, SEEK_CUR));
	else if (command_do(hold, line, rest ? rest : ""))
		printf("failed %s\n", strerror(errno));
	else
		printf("ok\n");
}

static void hold_serve(struct hold *hold)
{
	char line[4096];

	if (hold->fd >= 0)
		tell(hold, " fd=%d", hold->fd);
	printf("ready %d%s\n", getpid(), hold->told);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		command_answer(hold, line);
	}
}

int main(int argc, char **argv)
{
	static struct hold hold = {.fd = -1}; /* outlives the main thread */

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3) {
		fprintf(stderr, "usage: hold SITUATION DIR [ARG]...\n");
		return 2;
	}
	hold.dir = realpath(argv[2], NULL);
	if (!hold.dir)
		die("%s", argv[2]);
	umask(0);
	hold.args = argv + 3;
	for (size_t i = 0; i < sizeof(situations) / sizeof(*situations); i++) {
		if (!strcmp(situations[i].name, argv[1])) {
			situations[i].make(&hold);
			hold_serve(&hold);
			return 0;
		}
	}
	fprintf(stderr, "hold: no situation %s\n", argv[1]);
	return 2;
}

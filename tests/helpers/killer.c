/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a command and looks at each of its system calls before the kernel does it
 * (seccomp_unotify(2)). The first one that counts is the first that changes a filesystem:
 * before it there is nothing to be left behind.
 *
 *   killer kill N COMMAND...    kills it in place of its N-th call: `killed NAME` and exit
 *                               status 0, or `ended STATUS CALLS` and 1 when it has fewer,
 *                               or N is 0
 *   killer order JOURNAL DIR COMMAND...
 *                               checks that each name that it makes on the filesystem of
 *                               DIR is in JOURNAL before, and JOURNAL on the disk; says
 *                               `ended STATUS CHECKED`, and on stderr what was not so
 *
 * What another program does that the command executes does not count any more.
 *
 * KILLER_TASK in the environment says whose calls count; without, those of the command's first
 * task alone:
 *
 *   any        all of its processes and threads
 *   thread     all but the first one of each process
 *   steward, worker, guardian, probe, cleaner, guard
 *              the processes that give themselves this name (relink-worker and so on), from
 *              their first call, and whatever has no name of its own yet
 *
 * With it, all processes of the command are killed at once; with KILLER_ONLY=yes only the one
 * whose call it is, and what becomes of the others is waited for: `ended STATUS` follows.
 *
 * Words of KILLER_REFUSE in the environment say what the kernel does not get to do:
 *
 *   tmpfile    no O_TMPFILE is opened (EOPNOTSUPP), as on a filesystem that has none
 *   noreplace  no renameat2() but with no flags (EINVAL), as on one that has none
 *   unlink     no name that a file has for a while (.relinktrace-*) is removed (EIO)
 *   first      but all after the first of them
 *   rmdir      no folder is (EIO)
 *   look       nobody finds out by fstatat() what a name that a checkpoint made is (EIO)
 *
 * and those of KILLER_DENY what it does, but the command is told that it failed
 * (KILLER_ERRNO, or EIO), as with a server whose answer is lost:
 *
 *   link, mkdir, node  every name is made
 *   create       every file with a name for a while
 *   rename       every name that takes the place of one for a while
 *   commit       the manifest gets its name
 *   once         but only the first of them
 *
 * Being killed before a call is being killed after the one before it. A row of calls that
 * only look counts as one: in between nothing is different.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "killer_tasks.h"

struct watch {
	pid_t pid;
	const char *whose; /* a word of the environment; NULL the first task's */
	bool only;	   /* nobody else is killed */
	struct tasks tasks;
	int listener;
	long n, wanted; /* calls that count; the one to be killed at, 0 none */
	bool counting;
	const char *journal, *dir;
	bool dirty; /* the journal was written to since it was synced */
	int syncing_fd;
	long checked, bad;
	const char *refused, *denied; /* words of the environment */
	int denial;		      /* errno */
	const char *command;	      /* without symbolic links */
	bool executing;		      /* the last call was execve */
	bool looked;		      /* the last call changed nothing */
};

/* Whether fd @fd of @pid is the journal. */
static bool is_journal(const struct watch *watch, pid_t pid, int fd)
{
	char target[4096];
	ssize_t n =
		readlink(path_of("/proc/%d/fd/%d", pid, fd), target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return !strcmp(target, watch->journal);
}

static bool file_has(const char *path, const char *text)
{
	static char content[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, content, sizeof(content) - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	content[n] = '\0';
	return strstr(content, text);
}

/* A name is about to be made. */
static void check_name(struct watch *watch, const struct call *call, int row)
{
	int dir_arg = changing[row].dir_arg;
	int dir_fd = dir_arg < 0 ? AT_FDCWD : (int)call->args[dir_arg];
	char path[4096];
	const char *name;
	struct stat st, dir;

	read_string(call->tid, call->args[changing[row].path_arg], path, sizeof(path));
	if (dir_fd == AT_FDCWD)
		return; /* the checkpoint's own files */
	if (stat(path_of("/proc/%d/fd/%d", call->tid, dir_fd), &st) ||
	    stat(watch->dir, &dir) || st.st_dev != dir.st_dev)
		return;
	name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	watch->checked++;
	if (watch->dirty) {
		fprintf(stderr, "%s %s: the journal is not on the disk\n",
			changing[row].name, name);
		watch->bad++;
	}
	if (!file_has(watch->journal, path_of("%s\"", name))) {
		fprintf(stderr, "%s %s: the journal does not tell of it\n",
			changing[row].name, name);
		watch->bad++;
	}
}

static void check_order(struct watch *watch, const struct call *call)
{
	int row = changing_find(call);

	/* Each call begins when the one before has ended. */
	if (watch->syncing_fd >= 0)
		watch->dirty = false;
	watch->syncing_fd = -1;
	if ((call->nr == __NR_fdatasync || call->nr == __NR_fsync) &&
	    is_journal(watch, call->tid, call->args[0]))
		watch->syncing_fd = call->args[0];
	else if (call->nr == __NR_write && is_journal(watch, call->tid, call->args[0]))
		watch->dirty = true;
	else if (row >= 0 && call->nr != __NR_unlinkat)
		check_name(watch, call, row);
}

/* Whether the command has executed another program. */
static bool is_replaced(const struct watch *watch)
{
	char target[4096];
	ssize_t n =
		readlink(path_of("/proc/%d/exe", watch->pid), target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, watch->command) != 0;
}

/* Whether the calls of @task count. */
static bool is_wanted(struct watch *watch, const struct task *task)
{
	if (!strcmp(watch->whose, "any"))
		return true;
	if (!strcmp(watch->whose, "thread"))
		return task->tid != task->pid;
	if (task->pid == watch->pid ||
	    (task->kind[0] && strcmp(task->kind, watch->whose) != 0))
		return false;
	/* Nothing that it does is before there is something to be left behind. */
	watch->counting = true;
	return true;
}

/* Whether the command was killed in place of @call. */
static bool look(struct watch *watch, const struct call *call)
{
	const struct task *task = watch->whose ? task_of(&watch->tasks, call) : NULL;

	if (!watch->whose && call->tid != watch->pid)
		return false;
	if (!watch->counting && changing_find(call) >= 0 && !is_replaced(watch))
		watch->counting = true;
	if (watch->whose && (!task || !is_wanted(watch, task)))
		return false;
	if (watch->executing && is_replaced(watch))
		watch->counting = false;
	watch->executing = call->nr == __NR_execve;
	if (!watch->counting)
		return false;
	if (watch->journal)
		check_order(watch, call);
	if (only_looks(call) && watch->looked)
		return false;
	watch->looked = only_looks(call);
	watch->n++;
	if (watch->n != watch->wanted)
		return false;
	printf("killed %s\n", call_name(call));
	if (watch->whose && !watch->only)
		tasks_kill(&watch->tasks);
	else
		kill(task ? task->pid : watch->pid, SIGKILL);
	return true;
}

/* Whether @name is one for a while, see journal_own_name(). */
static bool is_for_a_while(const char *name)
{
	return strstr(name, ".relinktrace-") == name && !strstr(name, ".tmp");
}

/* What is refused of @call, or 0. */
static int refusal(struct watch *watch, const struct call *call)
{
	char path[4096];

	if (call->nr == __NR_newfstatat && strstr(watch->refused, "look")) {
		read_string(call->tid, call->args[1], path, sizeof(path));
		return is_for_a_while(path) || strstr(path, "unlink-at-restart") ? -EIO
										 : 0;
	}
	if (call->nr == __NR_openat && (call->args[2] & O_TMPFILE) == O_TMPFILE)
		return strstr(watch->refused, "tmpfile") ? -EOPNOTSUPP : 0;
	if (call->nr == __NR_renameat2 && call->args[4])
		return strstr(watch->refused, "noreplace") ? -EINVAL : 0;
	if (call->nr != __NR_unlinkat)
		return 0;
	if (call->args[2] & AT_REMOVEDIR)
		return strstr(watch->refused, "rmdir") ? -EIO : 0;
	if (!strstr(watch->refused, "unlink"))
		return 0;
	read_string(call->tid, call->args[1], path, sizeof(path));
	if (!is_for_a_while(path))
		return 0;
	if (strstr(watch->refused, "first"))
		watch->refused = "tmpfile noreplace";
	return -EIO;
}

/* fd @fd of @tid, or -1. */
static int their_folder(pid_t tid, int fd)
{
	return fd < 0 ? -1
		      : open(path_of("/proc/%d/fd/%d", tid, fd),
			     O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Does linkat() of @tid: 0 or -1. */
static int link_for(const struct call *call, int to, const char *from_name,
		    const char *to_name)
{
	int fd, from, ret;

	if (sscanf(from_name, "/proc/self/fd/%d", &fd) == 1)
		return linkat(AT_FDCWD, path_of("/proc/%d/fd/%d", call->tid, fd), to,
			      to_name, AT_SYMLINK_FOLLOW);
	from = their_folder(call->tid, call->args[0]);
	ret = linkat(from, from_name, to, to_name, call->args[4]);
	close(from);
	return ret;
}

/* Does @call, which makes @name in @folder: 0 or -1. */
static int do_for(const struct call *call, int folder, const char *from, const char *name)
{
	int fd;

	switch (call->nr) {
	case __NR_linkat:
		return link_for(call, folder, from, name);
	case __NR_mkdirat:
		return mkdirat(folder, name, call->args[2]);
	case __NR_mknodat:
		return mknodat(folder, name, call->args[2], call->args[3]);
	case __NR_renameat2:
		return renameat2(folder, from, folder, name, call->args[4]);
	}
	fd = openat(folder, name, (int)call->args[2], (mode_t)call->args[3]);
	return fd < 0 ? -1 : close(fd);
}

/* The word of KILLER_DENY for @call, which has @from as the first of two names. */
static const char *word_of(const struct call *call, const char *from, const char *name)
{
	switch (call->nr) {
	case __NR_linkat:
		return "link";
	case __NR_mkdirat:
		return "mkdir";
	case __NR_mknodat:
		return "node";
	case __NR_renameat2:
		return is_for_a_while(from)   ? "rename"
		       : strstr(from, ".tmp") ? "commit"
					      : NULL;
	}
	return call->nr == __NR_openat && is_for_a_while(name) ? "create" : NULL;
}

/* What is told of @call when it is done and denied, or that it failed; 0: the kernel is to
 * do it. */
static int denial(struct watch *watch, const struct call *call)
{
	int row = *watch->denied ? changing_find(call) : -1, folder, ret;
	char from[4096] = "", name[4096];
	const char *word;

	if (row < 0)
		return 0;
	read_string(call->tid, call->args[changing[row].path_arg], name, sizeof(name));
	if (changing[row].path_arg == 3)
		read_string(call->tid, call->args[1], from, sizeof(from));
	word = word_of(call, from, name);
	if (!word || !strstr(watch->denied, word))
		return 0;
	folder = their_folder(call->tid, call->args[changing[row].dir_arg]);
	if (folder < 0)
		return 0;
	ret = do_for(call, folder, from, name) ? -errno : -watch->denial;
	close(folder);
	if (strstr(watch->denied, "once"))
		watch->denied = "";
	return ret;
}

static bool killed;

/* Answers one call. */
static void answer(struct watch *watch, const struct seccomp_notif_sizes *sizes)
{
	struct seccomp_notif *request = calloc(1, sizes->seccomp_notif);
	struct seccomp_notif_resp *response = calloc(1, sizes->seccomp_notif_resp);

	if (!ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_RECV, request)) {
		struct call call = {request->pid, request->data.nr, request->data.args};

		if (!killed)
			killed = look(watch, &call);
		else if (watch->whose && !watch->only)
			kill(call.tid, SIGKILL); /* born meanwhile */
		response->id = request->id;
		response->error = refusal(watch, &call) ?: denial(watch, &call);
		if (!response->error)
			response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(watch->listener, SECCOMP_IOCTL_NOTIF_SEND, response);
	} else if (errno != ENOENT &&
		   errno != EINTR) { /* ENOENT: it was killed meanwhile */
		die("SECCOMP_IOCTL_NOTIF_RECV");
	}
	free(request);
	free(response);
}

/* Answers the command and its children, until all have ended. What waitpid() said. */
static int serve(struct watch *watch)
{
	struct seccomp_notif_sizes sizes;
	struct pollfd polled[2] = {{watch->listener, POLLIN, 0}, {-1, POLLIN, 0}};
	bool ended = false, reaped = false;
	int status = 0;

	if (syscall(__NR_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		die("SECCOMP_GET_NOTIF_SIZES");
	polled[1].fd = syscall(__NR_pidfd_open, watch->pid, 0);
	if (polled[1].fd < 0)
		die("pidfd_open");
	for (;;) {
		/* Whoever traces it has to see its end first, and its calls wait for us. */
		if (poll(polled, 2, ended ? 10 : -1) < 0)
			die("poll");
		if (ended && !reaped)
			reaped = waitpid(watch->pid, &status, WNOHANG) == watch->pid;
		/* Before 6.11 (bfafe5efa975) a zombie still has the filter. */
		while (reaped && waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (polled[0].revents & POLLIN) {
			answer(watch, &sizes);
		} else if (polled[1].revents) {
			polled[1].fd = -1;
			ended = true;
		} else if (polled[0].revents && reaped) {
			/* POLLHUP: nobody is left (since 5.9). They lose their locks later. */
			while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
				;
			return status;
		}
	}
}

struct start {
	char **command;
	int *listener;
};

/* Runs in a process that shares our fds, so that the listener is ours too. */
static int command_run(void *data)
{
	struct start *start = data;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = {1, filter};
	int fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
			 SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);

	/* From here on every call waits for an answer. */
	__atomic_store_n(start->listener, fd < 0 ? -2 : fd, __ATOMIC_SEQ_CST);
	if (fd < 0)
		_exit(127);
	execv(start->command[0], start->command);
	_exit(127);
}

static void command_start(struct watch *watch, char **command)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct start start = {.command = command};
	int fd;

	start.listener = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (start.listener == MAP_FAILED)
		die("mmap");
	*start.listener = -1;
	watch->pid =
		clone(command_run, stack + sizeof(stack), CLONE_FILES | SIGCHLD, &start);
	if (watch->pid < 0)
		die("clone");
	do {
		sched_yield();
		fd = __atomic_load_n(start.listener, __ATOMIC_SEQ_CST);
	} while (fd == -1);
	if (fd < 0)
		die("SECCOMP_SET_MODE_FILTER");
	watch->listener = fd;
}

int main(int argc, char **argv)
{
	static struct watch watch; /* what it owns is found there at the end */
	char **command;
	int status;

	watch = (struct watch){
		.syncing_fd = -1,
		.refused = getenv("KILLER_REFUSE") ?: "",
		.denied = getenv("KILLER_DENY") ?: "",
		.denial = atoi(getenv("KILLER_ERRNO") ?: "") ?: EIO,
		.whose = getenv("KILLER_TASK"),
		.only = getenv("KILLER_ONLY"),
	};
	if (argc >= 4 && !strcmp(argv[1], "kill")) {
		watch.wanted = atol(argv[2]);
		command = argv + 3;
	} else if (argc >= 5 && !strcmp(argv[1], "order")) {
		watch.journal = argv[2];
		watch.dir = argv[3];
		command = argv + 4;
	} else {
		fprintf(stderr, "usage: killer kill N COMMAND... | order JOURNAL DIR "
				"COMMAND...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	watch.command = realpath(command[0], NULL);
	if (!watch.command)
		die("%s", command[0]);
	/* LeakSanitizer would look with a process of its own. */
	if (watch.whose)
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("PR_SET_CHILD_SUBREAPER");
	command_start(&watch, command);
	status = serve(&watch);
	if (killed && !watch.only)
		return 0;
	printf("ended %d %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128,
	       watch.journal ? watch.checked : watch.n);
	return watch.journal ? watch.bad != 0 : !killed;
}

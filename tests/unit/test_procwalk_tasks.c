/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads with tables of their own, processes without a main thread, and what cannot be
 * read. */
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "child.h"

static void *thread_own_table(void *ready)
{
	MUST(!unshare(CLONE_FILES | CLONE_FS));
	told->tid = gettid();
	told->fd = file_make("t", 0);
	MUST(!mkdir(in_dir("td"), 0700) && !chdir(in_dir("td")) && !rmdir(in_dir("td")));
	MUST(!unlink(in_dir("t")));
	pthread_barrier_wait(ready);
	for (;;)
		pause();
	return NULL;
}

static void *thread_shared_table(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void arrange_thread(void)
{
	pthread_barrier_t ready;
	pthread_t thread;

	MUST(!pthread_barrier_init(&ready, NULL, 2));
	MUST(!pthread_create(&thread, NULL, thread_shared_table, NULL));
	MUST(!pthread_create(&thread, NULL, thread_own_table, &ready));
	pthread_barrier_wait(&ready);
}

static void test_thread(void)
{
	struct child child = child_scan(arrange_thread);
	bool file = false, cwd = false;

	CHECK_INT(child.set.n, 2);
	for (size_t i = 0; i < child.set.n; i++) {
		const struct orphan *o = &child.set.orphans[i];
		const struct holder *h = holder_at(o, 0);

		CHECK(o->n_holders == 1 && h->pid == child.pid && h->tid == told->tid);
		file |= h->kind == RT_HOLDER_FD && h->fd == told->fd && h->ofd &&
			o->ino == child.st.st_ino;
		cwd |= h->kind == RT_HOLDER_CWD;
	}
	CHECK(file && cwd);
	child_end(&child);
}

static void *thread_survivor(void *main_thread)
{
	/* The main thread can be joined as soon as it has no memory any more; what it still
	 * has to do then waits for whoever else wants the processor. */
	MUST(!pthread_join(*(pthread_t *)main_thread, NULL));
	arranged();
}

/* For everything that comes after. */
static void one_processor_only(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	MUST(!sched_setaffinity(0, sizeof(set), &set));
}

static void arrange_leader_exited(void)
{
	static pthread_t main_thread;
	pthread_t threads[2];

	told->fd = file_make("l", 0);
	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, told->fd, 0) != MAP_FAILED);
	MUST(!unlink(in_dir("l")));
	main_thread = pthread_self();
	MUST(!pthread_create(&threads[0], NULL, thread_shared_table, NULL));
	MUST(!pthread_create(&threads[1], NULL, thread_survivor, &main_thread));
	MUST(!sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0}));
	pthread_exit(NULL);
}

static void test_leader_exited(void)
{
	struct child child = (one_processor_only(), child_scan(arrange_leader_exited));
	const struct orphan *o = only(&child, "l", 2);
	const struct holder *h = holder_at(o, 0), *map = holder_at(o, 1);
	char name[128];
	struct stat st;

	CHECK_INT(h->kind, RT_HOLDER_FD);
	CHECK(h->pid == child.pid && h->tid && h->tid != child.pid && h->ofd);
	CHECK(o->mnt_point);
	CHECK_INT(map->kind, RT_HOLDER_MAP);
	snprintf(name, sizeof(name), "/proc/%d/map_files/%lx-%lx", map->tid,
		 (unsigned long)map->map_start, (unsigned long)map->map_end);
	CHECK(!stat(name, &st) && st.st_ino == child.st.st_ino);
	child_end(&child);
}

static void test_no_process(void)
{
	struct target target = {.kind = TARGET_PID};
	AUTO(orphan_set_fini) struct orphan_set set;
	struct child child = child_start(arrange_thread);

	orphan_set_init(&set);
	target.pid = told->tid; /* has a directory in /proc and is no process */
	CHECK_INT(procwalk_scan(&target, &set), -ESRCH);
	target.pid = child.pid;
	child_end(&child);
	CHECK_INT(procwalk_scan(&target, &set), -ESRCH);
	CHECK_INT(set.n, 0);
}

static void arrange_file(void)
{
	file_make("u", 0);
	MUST(!unlink(in_dir("u")));
}

/* What another user's process holds cannot be read without privilege, and that is said.
 */
static void test_unread(void)
{
	struct child child = child_start(arrange_file);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};
	int status;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		if (setgid(65534) || setuid(65534) || procwalk_scan(&target, &child.set))
			_exit(2);
		_exit(child.set.unread == 1 && !child.set.complete && !child.set.n ? 0
										   : 3);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
	child_end(&child);
}

/* Refuses kcmp(2), as container runtimes do. */
static int deny_kcmp(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kcmp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void arrange_thread_and_main(void)
{
	told->fd = file_make("n", 0);
	MUST(!unlink(in_dir("n")));
	arrange_thread();
}

/* Without kcmp threads that share a table are not counted twice, and one of its own is
 * still found. */
static void test_no_kcmp(void)
{
	struct child child = child_start(arrange_thread_and_main);
	struct target target = {.kind = TARGET_PID, .pid = child.pid};
	int status, n = 0;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		if (deny_kcmp() || procwalk_scan(&target, &child.set) || child.set.n != 3)
			_exit(100);
		for (size_t i = 0; i < child.set.n; i++)
			n += child.set.orphans[i].n_holders;
		_exit(n);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 3);
	child_end(&child);
}

int main(void)
{
	children_set_up();
	test_thread();
	test_leader_exited();
	test_no_process();
	test_unread();
	test_no_kcmp();
	return children_done();
}

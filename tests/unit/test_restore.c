/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving back: the descriptions are as they were, at their numbers, shared as they were;
 * nothing is removed that is not ours, and nothing before all is open. */
#include <errno.h>
#include <signal.h>

#include "checkpointed.h"
#include "restore/clean.h"
#include "restore/program.h"
#include "restore/reopen.h"
#include "restore/restore.h"

#define FLAGS_SHOWN (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_NOATIME | O_PATH)

/* fds 40 and 41 share one description, 42 is another one of the same file. */
static void arrange_shared(void)
{
	int fd = file_make("a", 0), other;

	MUST(dup2(fd, 40) == 40 && dup2(fd, 41) == 41 && !close(fd));
	MUST(lseek(40, 100, SEEK_SET) == 100 && !fcntl(40, F_SETFL, O_APPEND));
	other = open(in_dir("a"), O_RDONLY | O_NOATIME | O_SYNC);
	MUST(dup2(other, 42) == 42 && !close(other));
	MUST(lseek(42, 4096, SEEK_SET) == 4096 && !unlink(in_dir("a")));
}

static void arrange_cwd(void)
{
	MUST(!mkdir(in_dir("d"), 0751) && !chdir(in_dir("d")) && !rmdir(in_dir("d")));
}

/* 40 reads, 41 writes, neither blocks; and an O_PATH fd. */
static void arrange_fifo(void)
{
	int fd;

	MUST(!mkfifo(in_dir("f"), 0640));
	fd = open(in_dir("f"), O_RDONLY | O_NONBLOCK);
	MUST(dup2(fd, 40) == 40 && !close(fd));
	fd = open(in_dir("f"), O_WRONLY);
	MUST(dup2(fd, 41) == 41 && !close(fd));
	fd = open(in_dir("f"), O_PATH);
	MUST(dup2(fd, 42) == 42 && !close(fd));
	MUST(!unlink(in_dir("f")));
}

static void arrange_linked(void)
{
	int fd = file_make("a", 0);

	MUST(dup2(fd, 40) == 40 && !close(fd) && lseek(40, 4100, SEEK_SET) == 4100);
	MUST(!link(in_dir("a"), in_dir("b")) && !unlink(in_dir("a")));
}

static void arrange_mapped(void)
{
	int fd = file_make("a", 0);

	MUST(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	MUST(!close(fd) && !unlink(in_dir("a")));
}

/* Preserves, keeps the names and ends the program that had the files; its pid. */
static pid_t stop(struct checkpointed *run, void (*arrange)(void))
{
	pid_t pid;

	checkpoint(run, arrange, METHOD_AUTO, true);
	preserve_keep(&run->preserve);
	preserve_fini(&run->preserve);
	pid = run->child.pid;
	child_end(&run->child);
	return pid;
}

/* Removes what is left, and the names that arrange_linked() made. */
static void finish(struct checkpointed *run)
{
	struct clean_result result = {0};

	clean_all(&run->manifest, &result);
	CHECK_INT(result.left, 0);
	manifest_fini(&run->manifest);
	unlink(in_place("b"));
	CHECK_INT(place_count(), 0);
}

/* Our fd for @wanted in the plan, or -1. */
static int planned(const struct restore *restore, int wanted)
{
	for (size_t i = 0; i < restore->plan.n; i++)
		if (restore->plan.items[i].wanted == wanted)
			return restore->plan.items[i].fd;
	return -1;
}

static void check_fd(const struct restore *restore, int wanted, int flags, off_t pos)
{
	int fd = planned(restore, wanted);

	if (!CHECK(fd >= 0))
		return;
	CHECK_INT(fcntl(fd, F_GETFL) & FLAGS_SHOWN, flags);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	if (pos >= 0)
		CHECK_INT(lseek(fd, 0, SEEK_CUR), pos);
}

static void check_shared(const struct restore *restore, int a, int b, bool want)
{
	off_t before = lseek(planned(restore, b), 0, SEEK_CUR);

	MUST(lseek(planned(restore, a), 7, SEEK_CUR) >= 0);
	CHECK_INT(lseek(planned(restore, b), 0, SEEK_CUR) != before, want);
	MUST(lseek(planned(restore, a), -7, SEEK_CUR) >= 0);
}

static void test_holder(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_shared);
	AUTO_FREE char *why = NULL;

	CHECK_INT(restore_open(&restore, &run.manifest, pid, &why), 0);
	CHECK_STR(why, NULL);
	CHECK_INT(restore.plan.n, 3);
	check_fd(&restore, 40, O_RDWR | O_APPEND, 100);
	check_fd(&restore, 41, O_RDWR | O_APPEND, 100);
	check_fd(&restore, 42, O_RDONLY | O_NOATIME | O_SYNC, 4096);
	check_shared(&restore, 40, 41, true);
	check_shared(&restore, 40, 42, false);
	/* All of them out of the way of the numbers. */
	for (size_t i = 0; i < restore.plan.n; i++)
		CHECK(restore.plan.items[i].fd > 42);
	CHECK_INT(place_count(), 1);
	restore_unlink_names(&restore);
	CHECK_INT(place_count(), 0);
	finish(&run);
}

/* Without a holder each description comes once. */
static void test_listen(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	struct checkpointed run;

	stop(&run, arrange_shared);
	CHECK_INT(restore_open(&restore, &run.manifest, 0, NULL), 0);
	CHECK_INT(restore.plan.n, 2);
	check_fd(&restore, 3, O_RDWR | O_APPEND, 100);
	check_fd(&restore, 4, O_RDONLY | O_NOATIME | O_SYNC, 4096);
	finish(&run);
}

/* A thread's own table may have the leader's numbers: they get others, and share as they
 * did. */
static void test_thread_table(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_shared);
	struct holder *holders = run.manifest.entries[0].orphan.holders;

	/* 42 of the leader; 42 and 41 of a thread, another description. */
	holders[0].tid = holders[1].tid = pid + 1;
	holders[0].fd = 42;
	CHECK_INT(restore_open(&restore, &run.manifest, pid, NULL), 0);
	CHECK_INT(restore.plan.n, 3);
	check_fd(&restore, 42, O_RDONLY | O_NOATIME | O_SYNC, 4096);
	check_fd(&restore, 43, O_RDWR | O_APPEND, 100);
	check_fd(&restore, 44, O_RDWR | O_APPEND, 100);
	check_shared(&restore, 43, 44, true);
	check_shared(&restore, 42, 43, false);
	finish(&run);
}

static void test_fifo(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_fifo);
	char byte = 0;

	alarm(10); /* a FIFO that blocks is to fail, not to hang */
	CHECK_INT(restore_open(&restore, &run.manifest, pid, NULL), 0);
	check_fd(&restore, 40, O_RDONLY | O_NONBLOCK, -1);
	check_fd(&restore, 41, O_WRONLY, -1);
	check_fd(&restore, 42, O_PATH, -1);
	CHECK_INT(write(planned(&restore, 41), "x", 1), 1);
	CHECK(read(planned(&restore, 40), &byte, 1) == 1 && byte == 'x');
	alarm(0);
	/* Made again and without a name; folders that were made for it are gone. */
	CHECK_INT(place_count(), 0);
	finish(&run);
}

static void test_cwd(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_cwd);
	struct stat st;

	CHECK_INT(restore_open(&restore, &run.manifest, pid, NULL), 0);
	CHECK(!fstat(restore.cwd_fd, &st));
	CHECK_INT(st.st_mode, S_IFDIR | 0751);
	CHECK_INT(st.st_nlink, 0);
	CHECK_INT(place_count(), 0);
	finish(&run);
}

/* A mapping alone still gives the program an fd to map. */
static void test_mapped(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_mapped);
	char bytes[4] = "";

	CHECK_INT(restore_open(&restore, &run.manifest, pid, NULL), 0);
	if (CHECK_INT(restore.plan.n, 1)) {
		CHECK_INT(pread(restore.plan.items[0].fd, bytes, 4, 4096), 4);
		CHECK(!memcmp(bytes, "foo\n", 4));
	}
	finish(&run);
}

/* What restore_execute() makes the program see: the script's exit status. */
static int run_script(const struct manifest *manifest, pid_t holder, char *script)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		AUTO(restore_fini) struct restore restore = RESTORE_INIT;
		char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};

		setenv("LISTEN_FDS", "stale", 1);
		setenv("LISTEN_FDNAMES", "stale", 1);
		if (restore_open(&restore, manifest, holder, NULL))
			_exit(100);
		restore_unlink_names(&restore);
		restore_execute(&restore, "/bin/sh", argv);
		_exit(101);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The example of the patch: what is read and written through the fd is b's. */
static void test_execute_holder(void)
{
	static char script[] =
		"test \"$RELINKTRACE_ORPHANS\" = orphan1=40 || exit 1\n"
		"test -z \"$LISTEN_FDS$LISTEN_PID$LISTEN_FDNAMES\" || exit 2\n"
		"grep -q '^pos:.4100$' /proc/self/fdinfo/40 || exit 3\n"
		"printf new >/proc/self/fd/40 || exit 4\n"
		"test ! -e /proc/self/fd/41 || exit 5\n";
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_linked);
	AUTO_FD b = -1;
	char bytes[4] = "";

	CHECK_INT(run_script(&run.manifest, pid, script), 0);
	b = open(in_place("b"), O_RDONLY);
	CHECK_INT(pread(b, bytes, 3, 0), 3);
	CHECK_STR(bytes, "new");
	CHECK_INT(place_count(), 1);
	finish(&run);
}

static void test_execute_listen(void)
{
	static char script[] =
		"test \"$RELINKTRACE_ORPHANS\" = 'orphan1=3 orphan1=4' || exit 1\n"
		"test \"$LISTEN_FDS\" = 2 && test \"$LISTEN_PID\" = $$ || exit 2\n"
		"test \"$LISTEN_FDNAMES\" = orphan1:orphan1 || exit 3\n"
		"test -e /proc/self/fd/4 || exit 4\n";
	struct checkpointed run;

	stop(&run, arrange_shared);
	CHECK_INT(run_script(&run.manifest, 0, script), 0);
	finish(&run);
}

static void test_execute_cwd(void)
{
	static char script[] = "case $(readlink /proc/self/cwd) in\n"
			       "*' (deleted)') exit 0;; esac; exit 1\n";
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_cwd);

	CHECK_INT(run_script(&run.manifest, pid, script), 0);
	finish(&run);
}

static void test_no_such_holder(void)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	AUTO_FREE char *why = NULL;
	struct checkpointed run;
	pid_t pid = stop(&run, arrange_linked);

	CHECK_INT(restore_open(&restore, &run.manifest, pid + 1, &why), -ESRCH);
	CHECK(why != NULL);
	CHECK_INT(place_count(), 2);
	finish(&run);
}

/* Both --check and restore refuse, with @told as the reason, and remove nothing. */
static void check_refused(const struct manifest *manifest, int error,
			  const char *told_why)
{
	AUTO(restore_fini) struct restore restore = RESTORE_INIT;
	AUTO_FREE char *why = NULL, *also = NULL;
	int before = place_count();

	CHECK_INT(restore_check_entry(manifest, &manifest->entries[0], &why), error);
	CHECK(why && strstr(why, told_why));
	CHECK_INT(restore_open(&restore, manifest, 0, &also), error);
	CHECK(also && strstr(also, told_why));
	CHECK_INT(place_count(), before);
}

/* Another file at the name: not opened, and clean leaves it. */
static void test_swapped(void)
{
	struct clean_result result = {0};
	struct checkpointed run;
	char path[4200];
	struct stat st;

	stop(&run, arrange_linked);
	snprintf(path, sizeof(path), "%s", path_of(&run.manifest.entries[0]));
	MUST(!rename(path, in_place("kept")));
	check_refused(&run.manifest, -ENOENT, "does not exist");
	MUST(!symlink("/etc/passwd", path));
	check_refused(&run.manifest, -ESTALE, "another file");
	MUST(!unlink(path) && !mkfifo(path, 0600));
	check_refused(&run.manifest, -ESTALE, "another file");
	MUST(!unlink(path) && !close(open(path, O_CREAT | O_EXCL | O_RDWR, 0600)));
	check_refused(&run.manifest, -ESTALE, "another file");
	clean_all(&run.manifest, &result);
	CHECK(result.left == 1 && !result.removed);
	CHECK(!stat(path, &st));
	MUST(!rename(in_place("kept"), path));
	result = (struct clean_result){0};
	clean_all(&run.manifest, &result);
	CHECK(result.removed == 1 && !result.left);
	finish(&run);
}

/* A folder on the way that is a symbolic link now, to a folder with the same name. */
static void test_swapped_folder(void)
{
	struct clean_result result = {0};
	struct checkpointed run;
	AUTO_FREE char *why = NULL;

	stop(&run, arrange_linked);
	MUST(!rename(in_place("lost+found"), in_place("moved")));
	MUST(!symlink("moved", in_place("lost+found")));
	CHECK(restore_check_entry(&run.manifest, &run.manifest.entries[0], &why) < 0);
	clean_all(&run.manifest, &result);
	CHECK_INT(result.left, 1);
	MUST(!unlink(in_place("lost+found")));
	MUST(!rename(in_place("moved"), in_place("lost+found")));
	finish(&run);
}

/* A copy that somebody wrote to is not what was preserved. */
static void test_changed_copy(void)
{
	struct checkpointed run;
	AUTO_FD fd = -1;

	stop(&run, arrange_mapped);
	CHECK_INT(restore_check_entry(&run.manifest, &run.manifest.entries[0], NULL), 0);
	fd = open(path_of(&run.manifest.entries[0]), O_WRONLY | O_APPEND);
	MUST(fd >= 0 && write(fd, "x", 1) == 1);
	check_refused(&run.manifest, -ESTALE, "8193 bytes");
	finish(&run);
}

/* Cleaning twice is cleaning once, and a folder that somebody uses stays. */
static void test_clean(void)
{
	struct clean_result first = {0}, second = {0};
	struct checkpointed run;

	stop(&run, arrange_linked);
	MUST(!mkdir(in_place("lost+found/checkpoint/theirs"), 0700));
	clean_all(&run.manifest, &first);
	CHECK(first.removed == 1 && !first.absent && !first.left);
	clean_all(&run.manifest, &second);
	CHECK(!second.removed && second.absent == 1 && !second.left);
	CHECK(!rmdir(in_place("lost+found/checkpoint/theirs")));
	finish(&run);
}

/* The filesystem is found at another mount point too. */
static void test_moved_mount(void)
{
	struct checkpointed run;
	char other[] = "/tmp/relinktrace-moved-XXXXXX";

	stop(&run, arrange_linked);
	MUST(mkdtemp(other) && !mount(place, other, NULL, MS_MOVE, NULL));
	mount_cache_drop();
	CHECK_INT(restore_check_entry(&run.manifest, &run.manifest.entries[0], NULL), 0);
	MUST(!mount(other, place, NULL, MS_MOVE, NULL) && !rmdir(other));
	mount_cache_drop();
	finish(&run);
}

static void test_flags(void)
{
	CHECK_INT(reopen_flags(S_IFREG, O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND),
		  O_RDWR | O_APPEND);
	CHECK_INT(reopen_flags(S_IFREG, O_TMPFILE | O_RDWR | O_EXCL), O_RDWR);
	CHECK_INT(reopen_flags(S_IFREG, O_NOFOLLOW | O_WRONLY | O_ASYNC), O_WRONLY);
	CHECK_INT(reopen_flags(S_IFREG, O_DIRECT | O_DSYNC | O_NONBLOCK | O_NOATIME),
		  O_DIRECT | O_DSYNC | O_NONBLOCK | O_NOATIME);
	CHECK_INT(reopen_flags(S_IFDIR, O_DIRECTORY), O_DIRECTORY);
	CHECK_INT(reopen_flags(S_IFREG, O_PATH | O_NOFOLLOW), O_PATH);
}

/* Numbers: the wanted ones as they are, the others above, none twice. */
static void test_plan(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	AUTO(fdplan_fini) struct fdplan twice = {0};
	static const int wanted[] = {5, -1, 0, -1};

	for (size_t i = 0; i < 4; i++)
		MUST(!fdplan_add(&plan, open("/", O_PATH | O_CLOEXEC), wanted[i], i));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(plan.items[0].wanted, 5);
	CHECK_INT(plan.items[1].wanted, 6);
	CHECK_INT(plan.items[2].wanted, 0);
	CHECK_INT(plan.items[3].wanted, 7);
	for (size_t i = 0; i < 4; i++)
		CHECK(plan.items[i].fd > 7);
	for (size_t i = 0; i < 2; i++)
		MUST(!fdplan_add(&twice, open("/", O_PATH | O_CLOEXEC), 9, i));
	CHECK_INT(fdplan_prepare(&twice), -EEXIST);
}

/* Above the soft limit: raised for the work, and what it was for the program. */
static void test_plan_limit(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		AUTO(fdplan_fini) struct fdplan plan = {0};
		struct rlimit limit = {64, 400};

		MUST(!setrlimit(RLIMIT_NOFILE, &limit));
		MUST(!fdplan_add(&plan, open("/", O_PATH | O_CLOEXEC), 300, 1));
		if (fdplan_prepare(&plan) || fdplan_place(&plan))
			_exit(1);
		if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur != 64)
			_exit(2);
		if (fcntl(300, F_GETFD) != 0)
			_exit(3);
		plan.items[0].wanted = 500;
		_exit(fdplan_prepare(&plan) == -EMFILE ? 0 : 4);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}

static void check_program(const char *name, int error, const char *want)
{
	AUTO_FREE char *path = NULL;

	CHECK_INT(program_find(name, &path), error);
	CHECK_STR(path, want);
}

static void test_program(void)
{
	AUTO_FREE char *search = strdup(getenv("PATH") ? getenv("PATH") : "/bin");

	setenv("PATH", "/nonexistent:/bin", 1);
	check_program("sh", 0, "/bin/sh");
	check_program("/bin/sh", 0, "/bin/sh");
	check_program("no such program", -ENOENT, NULL);
	check_program("", -ENOENT, NULL);
	check_program("/etc/passwd", -EACCES, NULL);
	check_program("/etc", -EACCES, NULL);
	MUST(!chdir("/usr/bin"));
	check_program("./sh", 0, "/usr/bin/./sh");
	MUST(!chdir("/"));
	setenv("PATH", search, 1);
}

int main(void)
{
	static const char *const fstypes[] = {"tmpfs", "xfs"};

	checkpointed_begin();
	test_flags();
	test_plan();
	test_plan_limit();
	test_program();
	for (size_t i = 0; i < sizeof(fstypes) / sizeof(*fstypes); i++) {
		if (!place_mount(fstypes[i]))
			continue;
		test_holder();
		test_listen();
		test_thread_table();
		test_fifo();
		test_cwd();
		test_mapped();
		test_execute_holder();
		test_execute_listen();
		test_execute_cwd();
		test_no_such_holder();
		test_swapped();
		test_swapped_folder();
		test_changed_copy();
		test_clean();
		test_moved_mount();
		place_umount();
	}
	return place_end();
}

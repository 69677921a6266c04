/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "base/auto.h"
#include "proc/cgroup.h"
#include "proc/cgroup_walk.h"
#include "proc/target.h"

static char base[64];	/* of the cgroups made here, below the v2 root */
static char root[4096]; /* the same as a path */

static const char *path(const char *name)
{
	static char text[4][8192];
	static int n;

	n = (n + 1) % 4;
	snprintf(text[n], sizeof(text[n]), "%s%s", root, name);
	return text[n];
}

static const char *below(const char *name)
{
	static char text[4][128];
	static int n;

	n = (n + 1) % 4;
	snprintf(text[n], sizeof(text[n]), "%s%s", base, name);
	return text[n];
}

static const char *const names[] = {"",
				    "/a",
				    "/a/b",
				    "/x.service",
				    "/a/x.service",
				    "/one.service",
				    "/d (deleted)",
				    "/a/one.scope"};

#define N_NAMES (sizeof(names) / sizeof(*names))

static void set_up(void)
{
	MUST(cgroup_mount());
	snprintf(base, sizeof(base), "/relinktrace-unit-%d", getpid());
	snprintf(root, sizeof(root), "%s%s", cgroup_mount(), base);
	for (size_t i = 0; i < N_NAMES; i++)
		MUST(!mkdir(path(names[i]), 0755));
}

static void tear_down(void)
{
	for (size_t i = N_NAMES; i--;)
		rmdir(path(names[i]));
}

/* Expects that @spec is the cgroup @want below the v2 root, @level deep. */
static void expect(const char *spec, const char *want, uint32_t level)
{
	AUTO(cgroup_fini) struct cgroup cg = CGROUP_INIT;
	AUTO_FREE char *why = NULL;
	struct stat st;

	CHECK_INT(cgroup_find(spec, &cg, &why), 0);
	CHECK_STR(cg.path, want);
	CHECK_INT(cg.level, level);
	/* kernfs: on 64 bits the inode number is the id. */
	CHECK(!fstat(cg.fd, &st) && S_ISDIR(st.st_mode) && st.st_ino == cg.id);
	CHECK_STR(why, NULL);
}

/* Expects that @spec fails with @err and a reason that has @words. */
static void refuse(const char *spec, int err, const char *words)
{
	struct cgroup cg = CGROUP_INIT;
	AUTO_FREE char *why = NULL;

	CHECK_INT(cgroup_find(spec, &cg, &why), err);
	CHECK(cg.fd == -1 && !cg.path && !cg.id);
	if (!CHECK(why && strstr(why, words)))
		printf("# %s: %s\n", spec, why ? why : "(null)");
}

static void test_paths(void)
{
	expect(path("/a/b"), below("/a/b"), 3);
	expect(path("/a/b/"), below("/a/b"), 3);
	expect(path("/a/../a/./b"), below("/a/b"), 3);
	expect(below("/a") + 1, below("/a"), 2);
	expect(below("/a"), below("/a"), 2); /* as /proc/PID/cgroup has it */
	expect(below("/d (deleted)"), below("/d (deleted)"), 2);
	expect(cgroup_mount(), "/", 0);
	expect("/", "/", 0);
	expect(".", "/", 0);
}

static void test_paths_refused(void)
{
	AUTO_FREE char *up = NULL;

	refuse("", -EINVAL, "empty");
	refuse("/tmp", -EOPNOTSUPP, "not cgroup v2; the v2 tree is at /");
	refuse("/does/not/exist", -ENOENT, "no such cgroup");
	refuse("does-not-exist", -ENOENT, "no such cgroup");
	refuse("../../..", -EINVAL, "leads out");
	MUST(asprintf(&up, "%s/../..", below("") + 1) > 0);
	refuse(up, -EINVAL, "leads out");
	refuse(path("/a/cgroup.procs"), -ENOTDIR, "not a file");
	refuse(below("/a/cgroup.procs") + 1, -ENOTDIR, "not a file");
}

static uint32_t count_slashes(const char *text)
{
	uint32_t n = 0;

	for (; *text; text++)
		n += *text == '/';
	return n;
}

/* A cgroup whose path in the tree is the path of another one in the file system. */
static void test_ambiguous(void)
{
	AUTO_FREE char *twin = NULL;
	const char *want;
	char *at;

	MUST(asprintf(&twin, "%s%s", cgroup_mount(), path("/a")) > 0);
	want = twin + strlen(cgroup_mount());
	for (at = twin + strlen(cgroup_mount()) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(twin, 0755);
		*at = '/';
	}
	MUST(!mkdir(twin, 0755));
	refuse(path("/a"), -ENOTUNIQ, "ambiguous");
	expect(twin, want, count_slashes(want));
	/* The upper ones may be in use by others: then they stay. */
	for (at = twin; at && !rmdir(twin); *at = '\0')
		at = strrchr(twin, '/');
}

static void test_id(void)
{
	AUTO(cgroup_fini) struct cgroup cg = CGROUP_INIT;
	AUTO_FREE char *why = NULL;
	AUTO_FREE char *gone = NULL;
	char spec[64];
	uint64_t id = 0;

	MUST(!cgroup_find(path("/a/b"), &cg, &why));
	snprintf(spec, sizeof(spec), "id:%" PRIu64, cg.id);
	expect(spec, below("/a/b"), 3);
	CHECK_INT(cgroup_id_of(below("/a/b"), &id), 0);
	CHECK(id == cg.id);
	CHECK_INT(cgroup_id_of(below("/nothing"), &id), -ENOENT);
	CHECK(id == cg.id);

	MUST(!rmdir(path("/a/b")));
	refuse(spec, -ENOENT, "no cgroup");
	CHECK(cgroup_path_of(id, &gone) < 0);
	CHECK_STR(gone, NULL);
	MUST(!mkdir(path("/a/b"), 0755));
	CHECK_INT(cgroup_id_of(below("/a/b"), &id), 0);
	CHECK(id != cg.id);

	refuse("id:", -EINVAL, "decimal");
	refuse("id:0x1", -EINVAL, "decimal");
	refuse("id:18446744073709551615", -ENOENT, "no cgroup");
}

/* A child that is moved into the cgroup @name and waits for the end of a pipe. */
static pid_t child_in(const char *name, int *hold)
{
	AUTO_FILE *procs = NULL;
	AUTO_FREE char *file = NULL;
	int ends[2];
	pid_t pid;
	char byte;

	MUST(!pipe2(ends, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) < 0);
	}
	close(ends[0]);
	*hold = ends[1];
	MUST(asprintf(&file, "%s/cgroup.procs", path(name)) > 0);
	procs = fopen(file, "we");
	MUST(procs && fprintf(procs, "%d\n", pid) > 0 && !fflush(procs));
	return pid;
}

static void child_end(pid_t pid, int hold)
{
	close(hold);
	MUST(waitpid(pid, NULL, 0) == pid);
}

static void test_pid(void)
{
	AUTO_FREE char *text = NULL;
	char spec[64];
	int hold;
	pid_t pid = child_in("/d (deleted)", &hold);

	snprintf(spec, sizeof(spec), "pid:%d", pid);
	expect(spec, below("/d (deleted)"), 2);
	CHECK_INT(cgroup_of_pid(pid, &text), 0);
	CHECK_STR(text, below("/d (deleted)"));
	child_end(pid, hold);
	refuse(spec, -ENOENT, "no such process");
	refuse("pid:0", -EINVAL, "process number");
	refuse("pid:1x", -EINVAL, "process number");
}

static void test_unit(void)
{
	refuse("unit:x", -ENOTUNIQ, below("/a/x.service"));
	refuse("unit:x.service", -ENOTUNIQ, below("/x.service"));
	expect("unit:one", below("/one.service"), 2);
	expect("unit:one.scope", below("/a/one.scope"), 3);
	refuse("unit:does-not-exist", -ENOENT, "no cgroup does-not-exist.service");
	refuse("unit:", -EINVAL, "name of a unit");
	refuse("unit:a/one", -EINVAL, "name of a unit");
}

static void test_contains(void)
{
	CHECK(cgroup_contains("/", "/"));
	CHECK(cgroup_contains("/", "/a"));
	CHECK(cgroup_contains("/a", "/a"));
	CHECK(cgroup_contains("/a", "/a/b"));
	CHECK(!cgroup_contains("/a", "/ab"));
	CHECK(!cgroup_contains("/a/b", "/a"));
	CHECK(!cgroup_contains("/a", "/"));
}

/* Runs in a cgroup namespace whose root is @base/a. */
static int inside_namespace(void)
{
	AUTO(cgroup_fini) struct cgroup cg = CGROUP_INIT;
	AUTO_FREE char *own = NULL;
	AUTO_FREE char *outside = NULL;
	AUTO_FREE char *why = NULL;

	if (unshare(CLONE_NEWCGROUP))
		return 2;
	if (cgroup_of_pid(getpid(), &own) || strcmp(own, "/"))
		return 3;
	if (cgroup_of_pid(getppid(), &outside) != -EXDEV)
		return 4;
	if (cgroup_find(path("/a/b"), &cg, &why) != -EXDEV || !strstr(why, "namespace"))
		return 5;
	return 0;
}

static void test_namespace(void)
{
	AUTO_FILE *procs = NULL;
	AUTO_FREE char *file = NULL;
	int ends[2], status;
	char byte;
	pid_t pid;

	MUST(asprintf(&file, "%s/cgroup.procs", path("/a/b")) > 0);
	MUST(!pipe2(ends, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		_exit(read(ends[0], &byte, 1) == 1 ? inside_namespace() : 1);
	procs = fopen(file, "we");
	MUST(procs && fprintf(procs, "%d\n", pid) > 0 && !fflush(procs));
	MUST(write(ends[1], "x", 1) == 1);
	MUST(waitpid(pid, &status, 0) == pid);
	close(ends[0]);
	close(ends[1]);
	CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

static void test_target(void)
{
	AUTO(target_fini) struct target target;

	target_init(&target);
	CHECK(target_has(&target, 5, NULL));
	CHECK_INT(target_add_cgroup(&target, path("/a")), 0);
	CHECK_INT(target_add_cgroup(&target, below("/a") + 1), 0);
	CHECK_INT(target.n, 1);
	CHECK_INT(target_add_cgroup(&target, "unit:one"), 0);
	CHECK_INT(target.n, 2);
	CHECK(target.kind == TARGET_CGROUPS);
	CHECK(target_has(&target, 5, below("/a/b")));
	CHECK(target_has(&target, 5, below("/one.service")));
	CHECK(!target_has(&target, 5, below("")));
	CHECK(!target_has(&target, 5, NULL));
	CHECK_INT(target_add_cgroup(&target, "id:x"), -EINVAL);
	CHECK_INT(target.n, 2);
	target_fini(&target);
	target.kind = TARGET_PID;
	target.pid = 5;
	CHECK(target_has(&target, 5, "/"));
	CHECK(!target_has(&target, 6, "/"));
}

/* Counts, and notes which it was last. */
struct walked {
	int n, most;
	ino_t last;
};

static int count(int dir, void *data)
{
	struct walked *walked = data;
	struct stat st;

	MUST(!fstat(dir, &st));
	walked->last = st.st_ino;
	return ++walked->n == walked->most ? -ELOOP : 0;
}

static void test_walk(void)
{
	AUTO(cgroup_fini) struct cgroup cg = CGROUP_INIT;
	struct walked all = {0}, some = {.most = 3}, one = {0};
	struct stat st;

	MUST(!cgroup_find(base, &cg, NULL));
	CHECK_INT(cgroup_walk(&cg, count, &all), 0);
	CHECK_INT(all.n, N_NAMES);
	CHECK_INT(cgroup_walk(&cg, count, &some), -ELOOP);
	CHECK_INT(some.n, 3);
	cgroup_fini(&cg);
	cg = (struct cgroup)CGROUP_INIT;
	MUST(!cgroup_find(below("/a/b"), &cg, NULL) && !stat(path("/a/b"), &st));
	CHECK_INT(cgroup_walk(&cg, count, &one), 0);
	CHECK_INT(one.n, 1);
	CHECK_INT(one.last, st.st_ino);
	MUST(!rmdir(path("/a/b")));
	CHECK_INT(cgroup_walk(&cg, count, &one), 0);
	MUST(!mkdir(path("/a/b"), 0755));
}

int main(void)
{
	set_up();
	test_paths();
	test_paths_refused();
	test_ambiguous();
	test_id();
	test_pid();
	test_unit();
	test_contains();
	test_namespace();
	test_target();
	test_walk();
	tear_down();
	return check_done();
}

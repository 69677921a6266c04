/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "enter.h"
#include "base/auto.h"
#include "proc/family.h"

static struct cgroup outer = CGROUP_INIT, inner = CGROUP_INIT;
static char root[4096], below[4096 + 16];

static void set_up(void)
{
	AUTO_FREE char *why = NULL;

	MUST(cgroup_mount());
	snprintf(root, sizeof(root), "%s/relinktrace-unit-%d", cgroup_mount(), getpid());
	snprintf(below, sizeof(below), "%s/inner", root);
	MUST(!mkdir(root, 0755) && !mkdir(below, 0755));
	MUST(!cgroup_find(root, &outer, &why) && !cgroup_find(below, &inner, &why));
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	MUST(pid >= 0);
	while (!pid)
		pause();
	return pid;
}

static void end(pid_t pid)
{
	MUST(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
}

/* A child with a child, *@grandchild, which is ours when the child has ended. */
static pid_t generations(pid_t *grandchild)
{
	int ends[2];
	pid_t pid, second;

	MUST(!prctl(PR_SET_CHILD_SUBREAPER, 1) && !pipe2(ends, O_CLOEXEC));
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		second = sleeper();
		MUST(write(ends[1], &second, sizeof(second)) == sizeof(second));
		for (;;)
			pause();
	}
	MUST(read(ends[0], grandchild, sizeof(*grandchild)) == sizeof(*grandchild));
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static void test_generations(void)
{
	pid_t grandchild, child, other = sleeper();

	CHECK(family_has_all(other, &outer)); /* there is nobody */
	child = generations(&grandchild);
	cgroup_enter(root, child);
	cgroup_enter(below, grandchild);
	CHECK(family_has_all(child, &outer));
	CHECK(family_has_all(child, &inner));
	CHECK(family_has_all(getpid(), &outer));
	CHECK(family_has_all(grandchild, &inner));
	CHECK(!family_has_all(grandchild, &outer)); /* its parent is not of it */
	CHECK(!family_has_all(other, &outer));
	cgroup_enter(below, other);
	CHECK(!family_has_all(child, &outer)); /* a sibling, in a cgroup below */
	CHECK(family_has_all(getpid(), &outer));
	end(other);
	CHECK(family_has_all(child, &outer));
	/* what it leaves is another's */
	end(child);
	CHECK(!family_has_all(child, &outer));
	CHECK(family_has_all(getpid(), &outer));
	end(grandchild);
}

static void tear_down(void)
{
	CHECK(!rmdir(below) && !rmdir(root));
	cgroup_fini(&outer);
	cgroup_fini(&inner);
}

int main(void)
{
	set_up();
	test_generations();
	tear_down();
	return check_done();
}

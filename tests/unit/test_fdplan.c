/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers for a program's fds, in the ways in which they get into each other's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "restore/fdplan.h"

#include "check.h"

/* Files that are told apart by their first byte: 'a', 'b', … are read at a description's
 * position, which dups share. */
static int file_open(int n)
{
	char name[] = "/tmp/relinktrace-fdplan-XXXXXX";
	AUTO_FD fd = mkostemp(name, O_CLOEXEC);

	MUST(fd >= 0 && !unlink(name));
	for (char byte = 'a' + n; byte <= 'z'; byte++)
		MUST(write(fd, &byte, 1) == 1);
	MUST(!lseek(fd, 0, SEEK_SET));
	return TAKE_FD(fd);
}

/* The same at fd @number exactly, whatever was there. */
static int file_at(int n, int number)
{
	AUTO_FD fd = file_open(n);

	if (fd == number)
		return TAKE_FD(fd);
	MUST(dup3(fd, number, O_CLOEXEC) == number);
	return number;
}

/* The next byte at fd @number, 0 for none. */
static char next(int number)
{
	char byte = 0;

	return read(number, &byte, 1) == 1 ? byte : 0;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A program keeps what is there, and loses what is ours. */
static void check_flags(const struct fdplan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		CHECK_INT(fcntl(plan->items[i].wanted, F_GETFD), 0);
		CHECK_INT(fcntl(plan->items[i].fd, F_GETFD), FD_CLOEXEC);
	}
}

static void test_swap(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};

	MUST(!fdplan_add(&plan, file_at(0, 3), 4, 1));
	MUST(!fdplan_add(&plan, file_at(1, 4), 3, 2));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(fdplan_place(&plan), 0);
	CHECK_INT(next(4), 'a');
	CHECK_INT(next(3), 'b');
	check_flags(&plan);
	close(3);
	close(4);
}

/* Each goes where the next one is, the last where the first was; one is there already. */
static void test_circle(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};

	for (int i = 0; i < 4; i++)
		MUST(!fdplan_add(&plan, file_at(i, 10 + i), 10 + (i + 1) % 4, i));
	MUST(!fdplan_add(&plan, file_at(4, 14), 14, 4));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(fdplan_place(&plan), 0);
	for (int i = 0; i < 4; i++)
		CHECK_INT(next(10 + (i + 1) % 4), 'a' + i);
	CHECK_INT(next(14), 'e');
	check_flags(&plan);
	for (int i = 10; i < 15; i++)
		close(i);
}

/* Preparing moves, placing closes: fds of ours that have a wanted number, and are not of
 * the plan, live until then. */
static void test_foreign(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	int foreign = file_at(5, 20), moved;

	MUST(!fdplan_add(&plan, file_at(0, 21), foreign, 1));
	CHECK_INT(fdplan_prepare(&plan), 0);
	moved = plan.items[0].fd;
	CHECK(moved > 20);
	CHECK_INT(next(foreign), 'f');
	CHECK_INT(fdplan_place(&plan), 0);
	CHECK_INT(next(20), 'a');
	CHECK_INT(plan.items[0].fd, moved);
	check_flags(&plan);
	close(20);
}

/* Above what is wanted an fd of ours is in the way: it stays, the plan's goes past it. */
static void test_above(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	int above = file_at(5, 31);

	MUST(!fdplan_add(&plan, file_open(0), 30, 1));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK(plan.items[0].fd > 30 && plan.items[0].fd != above);
	CHECK_INT(fdplan_place(&plan), 0);
	CHECK_INT(next(above), 'f');
	CHECK_INT(next(30), 'a');
	close(30);
	close(above);
}

/* Two numbers of one description share its position, a third of another does not. */
static void test_dup(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	int first = file_at(0, 41), second = fcntl(first, F_DUPFD_CLOEXEC, 42);
	char link[64];
	int third;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", first);
	third = open(link, O_RDONLY | O_CLOEXEC);
	MUST(second >= 0 && third >= 0);
	MUST(!fdplan_add(&plan, first, second, 1));
	MUST(!fdplan_add(&plan, second, first, 1));
	MUST(!fdplan_add(&plan, third, 40, 1));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(fdplan_place(&plan), 0);
	CHECK_INT(next(first), 'a');
	CHECK_INT(next(second), 'b');
	CHECK_INT(next(40), 'a');
	CHECK_INT(next(first), 'c');
	check_flags(&plan);
	close(first);
	close(second);
	close(40);
}

/* Any number will do: none of the standard ones, none that another wants. */
static void test_any(void)
{
	static const int wanted[] = {-1, 7, -1, 60, -1};
	AUTO(fdplan_fini) struct fdplan plan = {0}, only = {0};

	for (int i = 0; i < 5; i++)
		MUST(!fdplan_add(&plan, file_open(i), wanted[i], i));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(fdplan_place(&plan), 0);
	for (int i = 0; i < 5; i++) {
		int number = plan.items[i].wanted;

		CHECK(wanted[i] < 0 ? number > 60 : number == wanted[i]);
		CHECK_INT(plan.items[i].n, i);
		CHECK_INT(next(number), 'a' + i);
	}
	check_flags(&plan);
	for (int i = 0; i < 5; i++)
		close(plan.items[i].wanted);
	MUST(!fdplan_add(&only, file_open(0), -1, 1));
	CHECK_INT(fdplan_prepare(&only), 0);
	CHECK(only.items[0].wanted > STDERR_FILENO);
}

/* Standard input and output too. What the checks print goes elsewhere meanwhile. */
static void test_standard(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	AUTO_FD input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 50);
	AUTO_FD output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 50);
	int prepared, placed;
	char bytes[2];

	MUST(output >= 0);
	MUST(!fdplan_add(&plan, file_open(0), STDOUT_FILENO, 1));
	MUST(!fdplan_add(&plan, file_open(1), STDIN_FILENO, 2));
	prepared = fdplan_prepare(&plan);
	placed = fdplan_place(&plan);
	bytes[0] = next(STDOUT_FILENO);
	bytes[1] = next(STDIN_FILENO);
	MUST(dup2(output, STDOUT_FILENO) == STDOUT_FILENO);
	if (input < 0)
		close(STDIN_FILENO);
	else
		MUST(dup2(input, STDIN_FILENO) == STDIN_FILENO);
	CHECK_INT(prepared, 0);
	CHECK_INT(placed, 0);
	CHECK_INT(bytes[0], 'a');
	CHECK_INT(bytes[1], 'b');
}

static void test_twice(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	static const int wanted[] = {9, 5, -1, 9};

	for (int i = 0; i < 4; i++)
		MUST(!fdplan_add(&plan, file_open(i), wanted[i], i));
	CHECK_INT(fdplan_prepare(&plan), -EEXIST);
	/* Nothing has been moved. */
	for (int i = 0; i < 4; i++)
		CHECK_INT(next(plan.items[i].fd), 'a' + i);
}

/* Ending a plan closes what it owns, and what was placed stays. */
static void test_end(void)
{
	struct fdplan plan = {0};
	int fd = file_open(0), moved;

	MUST(!fdplan_add(&plan, fd, 33, 1));
	CHECK_INT(fdplan_prepare(&plan), 0);
	moved = plan.items[0].fd;
	CHECK(fd != moved && !is_open(fd));
	CHECK_INT(fdplan_place(&plan), 0);
	fdplan_fini(&plan);
	CHECK(!is_open(moved) && is_open(33));
	CHECK(!plan.items && !plan.n);
	close(33);
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(fdplan_place(&plan), 0);
	fdplan_fini(&plan);
}

/* More than the limit allows at once, as the plan's own stay open while it places; a
 * program that is executed then finds the limit as it was. */
static void test_limit(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	struct rlimit before, soft, now;
	int n = 40, fds[40];

	MUST(!getrlimit(RLIMIT_NOFILE, &before));
	if (before.rlim_max < 256) {
		check_skip("limit", "RLIMIT_NOFILE is too low here");
		return;
	}
	for (int i = 0; i < n; i++)
		fds[i] = file_open(i % 26);
	/* Lower than what is open already: such fds stay. */
	soft = (struct rlimit){16, before.rlim_max};
	MUST(!setrlimit(RLIMIT_NOFILE, &soft));
	for (int i = 0; i < n; i++)
		MUST(!fdplan_add(&plan, fds[i], 199 - i, i));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK_INT(fdplan_place(&plan), 0);
	MUST(!getrlimit(RLIMIT_NOFILE, &now));
	CHECK_INT(now.rlim_cur, 16);
	CHECK_INT(now.rlim_max, before.rlim_max);
	for (int i = 0; i < n; i++) {
		CHECK_INT(next(199 - i), 'a' + i % 26);
		close(199 - i);
	}
	MUST(!setrlimit(RLIMIT_NOFILE, &before));
}

/* Where the limit is high enough, nobody touches it. */
static void test_limit_untouched(void)
{
	AUTO(fdplan_fini) struct fdplan plan = {0};
	struct rlimit before, now;

	MUST(!getrlimit(RLIMIT_NOFILE, &before));
	MUST(!fdplan_add(&plan, file_open(0), 5, 1));
	CHECK_INT(fdplan_prepare(&plan), 0);
	CHECK(!plan.raised);
	MUST(!getrlimit(RLIMIT_NOFILE, &now));
	CHECK(now.rlim_cur == before.rlim_cur && now.rlim_max == before.rlim_max);
}

/* The hard limit is not raised: the plan is refused before anything has moved, and a
 * number that no limit reaches is no overflow. In a child, as there is no way back. */
static void test_hard_limit(void)
{
	static const int wanted[] = {128, 4000, INT_MAX - 1, INT_MAX};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		pid_t pid = fork();
		int status;

		MUST(pid >= 0);
		if (!pid) {
			AUTO(fdplan_fini) struct fdplan plan = {0};
			struct rlimit limit = {64, 128}, now;
			int fd = file_open(0);

			MUST(!setrlimit(RLIMIT_NOFILE, &limit));
			MUST(!fdplan_add(&plan, fd, wanted[i], 1));
			MUST(!fdplan_add(&plan, file_open(1), -1, 2));
			if (fdplan_prepare(&plan) != -EMFILE)
				_exit(1);
			if (plan.items[0].fd != fd || next(fd) != 'a')
				_exit(2);
			if (getrlimit(RLIMIT_NOFILE, &now) || now.rlim_cur != 64)
				_exit(3);
			_exit(0);
		}
		MUST(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status));
		CHECK_INT(WEXITSTATUS(status), 0);
	}
}

int main(void)
{
	test_swap();
	test_circle();
	test_foreign();
	test_above();
	test_dup();
	test_any();
	test_standard();
	test_twice();
	test_end();
	test_limit();
	test_limit_untouched();
	test_hard_limit();
	return check_done();
}

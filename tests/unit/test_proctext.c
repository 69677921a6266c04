/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>

#include "check.h"
#include "base/auto.h"
#include "proc/proctext.h"

#define STAT_TAIL                                                                        \
	"S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 987654321 1000 200 "          \
	"18446744073709551615\n"

static void test_stat(void)
{
	struct proctext_stat stat;

	CHECK_INT(proctext_stat("42 (cat) " STAT_TAIL, &stat), 0);
	CHECK_STR(stat.comm, "cat");
	CHECK(stat.state == 'S');
	CHECK_INT(stat.threads, 3);
	CHECK_INT(stat.ppid, 1);
	CHECK_INT(stat.start_time, 987654321);
	CHECK(!stat.kthread && !stat.exiting);

	CHECK_INT(proctext_stat("42 (a) R 9 (b\n) " STAT_TAIL, &stat), 0);
	CHECK_STR(stat.comm, "a) R 9 (b\n");
	CHECK_INT(stat.start_time, 987654321);

	CHECK_INT(proctext_stat("42 (kworker/u8:2-events_unbound) " STAT_TAIL, &stat), 0);
	CHECK_STR(stat.comm, "kworker/u8:2-ev");

	CHECK_INT(
		proctext_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 "
			      "0 5 0 0\n",
			      &stat),
		0);
	CHECK(stat.kthread && !stat.exiting);

	CHECK_INT(
		proctext_stat("7 (cat) R 1 7 7 0 -1 4194308 0 0 0 0 0 0 0 0 20 0 2 0 5 0 "
			      "0\n",
			      &stat),
		0);
	CHECK(stat.exiting && !stat.kthread);
}

static void test_stat_malformed(void)
{
	static const char *const bad[] = {
		"",
		"42",
		"42 (cat)",
		"42 (cat) ",
		"42 )x(",
		"42 (cat) S 1 2 3",
		"42 (cat) S 1 1 1 0 -1 x 0 0 0 0 0 0 0 0 0 0 1 0 5"};
	struct proctext_stat stat = {.threads = 77};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_INT(proctext_stat(bad[i], &stat), -EINVAL);
	CHECK_INT(stat.threads, 77);
}

static void test_fdinfo(void)
{
	struct proctext_fdinfo info;

	CHECK_INT(proctext_fdinfo(
			  "pos:\t18446744073709551615\nflags:\t022100002\nmnt_id:\t27\n"
			  "ino:\t5\nlock:\t1: pos: 7\n",
			  &info),
		  0);
	CHECK(info.pos == UINT64_MAX);
	CHECK_INT(info.flags, 020100002);
	CHECK(info.cloexec);
	CHECK_INT(info.mnt_id, 27);

	CHECK_INT(proctext_fdinfo("pos:\t3\nflags:\t0100000\nmnt_id:\t1\n", &info), 0);
	CHECK(!info.cloexec);

	CHECK_INT(proctext_fdinfo("", &info), -EINVAL);
	CHECK_INT(proctext_fdinfo("pos:\t3\nflags:\t9\nmnt_id:\t1\n", &info), -EINVAL);
	CHECK_INT(proctext_fdinfo("pos:\t-3\nflags:\t0\nmnt_id:\t1\n", &info), -EINVAL);
	CHECK_INT(proctext_fdinfo("pos:\t3\nflags:\t0\nmnt_id:\t2147483648\n", &info),
		  -EINVAL);
	CHECK_INT(proctext_fdinfo("pos:\t3\nflags:\t0\n", &info), -EINVAL);
	CHECK_INT(info.pos, 3);
}

static void test_map(void)
{
	struct proctext_map map;

	CHECK_INT(proctext_map("7f0012345000-7f0012346000 rw-s 00001000 fe:1a 4711"
			       "                  /tmp/a b (deleted)",
			       &map),
		  0);
	CHECK(map.start == 0x7f0012345000);
	CHECK(map.end == 0x7f0012346000);
	CHECK_INT(map.dev_major, 0xfe);
	CHECK_INT(map.dev_minor, 0x1a);
	CHECK_INT(map.ino, 4711);
	CHECK(map.deleted);

	CHECK_INT(proctext_map("1000-2000 r--p 00000000 00:00 0 ", &map), 0);
	CHECK(!map.deleted);
	CHECK_INT(proctext_map("1000-2000 r--p 00000000 00:00 0", &map), 0);
	CHECK_INT(proctext_map("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
			       "[anon:x (deleted)]",
			       &map),
		  0);
	CHECK(!map.deleted);

	CHECK_INT(proctext_map("", &map), -EINVAL);
	CHECK_INT(proctext_map("2000-1000 r--p 00000000 00:00 0 ", &map), -EINVAL);
	CHECK_INT(proctext_map("1000-2000", &map), -EINVAL);
	CHECK_INT(proctext_map("1000-2000 r--p", &map), -EINVAL);
	CHECK_INT(proctext_map("1000-2000 r--p 0 0:0", &map), -EINVAL);
	CHECK_INT(proctext_map("+1000-2000 r--p 00000000 00:00 0 ", &map), -EINVAL);
}

static void test_cgroup(void)
{
	AUTO_FREE char *path = NULL;

	CHECK_INT(proctext_cgroup("12:pids:/a\n0::/system.slice/x (deleted)\n", &path),
		  0);
	CHECK_STR(path, "/system.slice/x (deleted)");
	auto_free(&path);
	path = NULL;
	CHECK_INT(proctext_cgroup("0::/", &path), 0);
	CHECK_STR(path, "/");
	auto_free(&path);
	path = NULL;
	CHECK_INT(proctext_cgroup("10::/a\n1:cpu:/0::/b\n", &path), -ENOENT);
	CHECK_INT(proctext_cgroup("", &path), -ENOENT);
	CHECK_STR(path, NULL);
}

static void test_value(void)
{
	uint64_t value = 9;

	CHECK_INT(proctext_value("populated 1\nfrozen 0\n", "frozen", 10, &value), 0);
	CHECK_INT(value, 0);
	CHECK_INT(proctext_value("Name:\tTgid: 5\nTgid:\t7\n", "Tgid", 10, &value), 0);
	CHECK_INT(value, 7);
	CHECK_INT(proctext_value("frozen_x 1\n", "frozen", 10, &value), -ENOENT);
	CHECK_INT(proctext_value("frozen", "frozen", 10, &value), -ENOENT);
	CHECK_INT(proctext_value("frozen \n", "frozen", 10, &value), -EINVAL);
	CHECK_INT(value, 7);
}

static void test_number(void)
{
	uint64_t n = 3;

	CHECK_INT(proctext_number("18446744073709551615", UINT64_MAX, &n), 0);
	CHECK(n == UINT64_MAX);
	CHECK_INT(proctext_number("18446744073709551616", UINT64_MAX, &n), -EINVAL);
	CHECK_INT(proctext_number("12", 11, &n), -EINVAL);
	CHECK_INT(proctext_number("0", 11, &n), -EINVAL);
	CHECK_INT(proctext_number("", 11, &n), -EINVAL);
	CHECK_INT(proctext_number("7 ", 11, &n), -EINVAL);
	CHECK_INT(proctext_number(" 7", 11, &n), -EINVAL);
	CHECK_INT(proctext_number("-7", UINT64_MAX, &n), -EINVAL);
	CHECK_INT(proctext_number("a", UINT64_MAX, &n), -EINVAL);
	CHECK(n == UINT64_MAX);
}

static void test_deleted(void)
{
	CHECK(proctext_is_deleted("/a (deleted)"));
	CHECK(proctext_is_deleted("/ (deleted)"));
	CHECK(!proctext_is_deleted(" (deleted)"));
	CHECK(!proctext_is_deleted("/a (deleted) "));
	CHECK(!proctext_is_deleted("pipe:[1] (deleted)"));
	CHECK(!proctext_is_deleted(""));
}

static void test_read(void)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *target = NULL;

	CHECK_INT(proctext_read(AT_FDCWD, "/proc/self/does-not-exist", &text), -ENOENT);
	CHECK_STR(text, NULL);
	CHECK_INT(proctext_read(AT_FDCWD, "/proc/kallsyms", &text), 0);
	CHECK(text && strlen(text) > 65536 && strstr(text, "do_exit"));
	CHECK_INT(proctext_readlink(AT_FDCWD, "/proc/self/root", &target), 0);
	CHECK_STR(target, "/");
}

int main(void)
{
	test_stat();
	test_stat_malformed();
	test_fdinfo();
	test_map();
	test_cgroup();
	test_value();
	test_number();
	test_deleted();
	test_read();
	return check_done();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Templates of relink names: which are refused, and what the others become. */
#include <errno.h>
#include <limits.h>

#include "check.h"
#include "preserve/relink.h"
#include "manifest/template.h"

static void check_expand(const char *template, uint64_t ktime, unsigned int n,
			 const char *want)
{
	char path[RELINK_PATH_MAX] = "untouched";

	CHECK_INT(template_expand(template, ktime, n, path), 0);
	CHECK_STR(path, want);
}

static void test_expand(void)
{
	/* What CKPT_RELINKAT_FMT of the patch of 2010 makes of the same values. */
	check_expand(TEMPLATE_DEFAULT, 0x1234abcdef, 7,
		     "lost+found/checkpoint/unlink-at-restart-1234abcdef-7");
	check_expand("%t", 0xa, 1, "0000000a");
	check_expand("%t-%n", UINT64_MAX, UINT_MAX, "ffffffffffffffff-4294967295");
	check_expand("a%%n%n%%", 0, 3, "a%n3%");
	check_expand("", 0, 3, "");
}

static void check_expand_refused(const char *template, int error)
{
	char path[RELINK_PATH_MAX] = "untouched";

	CHECK_INT(template_expand(template, 1, 1, path), error);
	CHECK_STR(path, "untouched");
}

static void test_expand_refusals(void)
{
	char text[RELINK_PATH_MAX + 8];

	check_expand_refused("%s", -EINVAL);
	check_expand_refused("a%", -EINVAL);
	check_expand_refused("%08t", -EINVAL);
	memset(text, 'a', sizeof(text));
	text[RELINK_PATH_MAX] = '\0';
	check_expand_refused(text, -ENAMETOOLONG);
	/* Too long only once the number is in. */
	strcpy(text + RELINK_PATH_MAX - 8, "%t");
	check_expand_refused(text, -ENAMETOOLONG);
}

static void test_good(void)
{
	static const char *const good[] = {TEMPLATE_DEFAULT, "%n",    "a/%t/b-%n",
					   "..a/.b/...%n",   "%%/%n", "%%n/%n",
					   "a b\n/\xff%n",   "-%n"};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		CHECK_STR(template_problem(good[i]), NULL);
}

static void test_bad(void)
{
	static const char *const bad[] = {"",	   "/%n",   "//%n",   "a//%n",	 "a/%n/",
					  "./%n",  "../%n", "a/./%n", "a/../%n", "a",
					  "%t",	   "a/%%n", "%n/a",   "%n/%n",	 "a%",
					  "%x-%n", "%s%n",  "%n%"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!CHECK(template_problem(bad[i]) != NULL))
			printf("# \"%s\"\n", bad[i]);
}

static void test_clock(void)
{
	CHECK(template_has_clock(TEMPLATE_DEFAULT));
	CHECK(template_has_clock("%t/%n"));
	CHECK(!template_has_clock("t/%n"));
	CHECK(!template_has_clock("%%t/%n"));
}

/* The longest component that every clock and counter leaves room for. */
static void test_component_length(void)
{
	char template[NAME_MAX + 8];

	memset(template, 'a', sizeof(template));
	strcpy(template + NAME_MAX - 10, "%n"); /* ten digits */
	CHECK_STR(template_problem(template), NULL);
	strcpy(template + NAME_MAX - 9, "%n");
	CHECK(template_problem(template) != NULL);
}

static void test_paths(void)
{
	char longest[RELINK_PATH_MAX + 1];

	CHECK(relink_path_valid("a"));
	CHECK(relink_path_valid("a/b..c/..d/.e"));
	CHECK(!relink_path_valid(""));
	CHECK(!relink_path_valid("/a"));
	CHECK(!relink_path_valid("a/"));
	CHECK(!relink_path_valid("a//b"));
	CHECK(!relink_path_valid("."));
	CHECK(!relink_path_valid("a/."));
	CHECK(!relink_path_valid("../a"));
	CHECK(!relink_path_valid("a/../b"));
	CHECK(!relink_path_valid("a/.."));
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '/' : 'a';
	longest[RELINK_PATH_MAX - 1] = '\0';
	CHECK(relink_path_valid(longest));
	longest[RELINK_PATH_MAX - 1] = 'b';
	longest[RELINK_PATH_MAX] = '\0';
	CHECK(!relink_path_valid(longest));
}

static void test_folders(void)
{
	CHECK_INT(relink_next_folder("a/bc/d", 0), 1);
	CHECK_INT(relink_next_folder("a/bc/d", 1), 4);
	CHECK_INT(relink_next_folder("a/bc/d", 4), 0);
	CHECK_INT(relink_next_folder("a", 0), 0);
}

int main(void)
{
	test_expand();
	test_expand_refusals();
	test_good();
	test_bad();
	test_clock();
	test_component_length();
	test_paths();
	test_folders();
	return check_done();
}

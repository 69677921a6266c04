/* SPDX-License-Identifier: GPL-2.0-only */
/* Where mount points are now: the longest one that is said, and never out of its DIR. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "restore/roots.h"

#include "check.h"

static char base[] = "/tmp/relinktrace-roots-XXXXXX";

static const char *in_base(const char *format, const char *name)
{
	static char text[4][256];
	static int n;

	n = (n + 1) % 4;
	snprintf(text[n], sizeof(text[n]), format, base, name);
	return text[n];
}

static void folder_make(const char *name)
{
	MUST(!mkdir(in_base("%s/%s", name), 0700));
}

static void check_add(struct roots *roots, const char *spec, int error)
{
	AUTO_FREE char *why = NULL;
	size_t before = roots->n;

	CHECK_INT(roots_add(roots, spec, &why), error);
	CHECK_INT(roots->n, before + !error);
	CHECK(!why == !error);
}

/* @point leads to the folder @name; NULL for nowhere. */
static void check_open(const struct roots *roots, const char *point, const char *name,
		       int error)
{
	AUTO_FREE char *why = NULL;
	AUTO_FD fd = roots_open(roots, point, &why);
	struct stat got, want;

	if (!name) {
		CHECK_INT(fd, error);
		CHECK(why != NULL);
		return;
	}
	MUST(!stat(in_base("%s/%s", name), &want));
	if (CHECK(fd >= 0 && !fstat(fd, &got)))
		CHECK_INT(got.st_ino, want.st_ino);
}

static void test_specs(void)
{
	AUTO(roots_fini) struct roots roots = {0};

	check_add(&roots, "srv=/", -EINVAL);
	check_add(&roots, "=/", -EINVAL);
	check_add(&roots, "/srv/../etc=/", -EINVAL);
	check_add(&roots, "/srv/./etc=/", -EINVAL);
	check_add(&roots, "/srv=/nonexistent", -ENOENT);
	check_add(&roots, "/etc/passwd", -ENOTDIR);
	check_add(&roots, "/srv/=/", 0);
	check_add(&roots, "/srv=/tmp", -EEXIST);
	check_add(&roots, "/", 0);
	check_add(&roots, "/=/tmp", -EEXIST);
	CHECK_STR(roots.roots[0].point, "/srv");
	CHECK_STR(roots.roots[1].point, "");
}

static void test_longest(void)
{
	AUTO(roots_fini) struct roots roots = {0}, one = {0};

	check_add(&roots, in_base("%s/%s", "all"), 0);
	check_add(&roots, in_base("/srv=%s/%s", "srv"), 0);
	check_add(&roots, in_base("/srv/deep/er=%s/%s", "a=b"), 0);
	check_open(&roots, "/", "all", 0);
	check_open(&roots, "/home", "all/home", 0);
	check_open(&roots, "/srv", "srv", 0);
	check_open(&roots, "/srv/", "srv", 0);
	check_open(&roots, "/srv/deep", "srv/deep", 0);
	check_open(&roots, "/srv/deep/er", "a=b", 0);
	/* A longer name is no other one's folder. */
	check_open(&roots, "/srvx", NULL, -ENOENT);
	check_open(&roots, "/home/nobody", NULL, -ENOENT);
	check_add(&one, in_base("/srv=%s/%s", "srv"), 0);
	check_open(&one, "/home", NULL, -ENOENT);
}

/* What strangers put into the manifest, and into the folder. */
static void test_beneath(void)
{
	AUTO(roots_fini) struct roots roots = {0};

	MUST(!symlink("/etc", in_base("%s/%s", "all/out")));
	MUST(!symlink("home", in_base("%s/%s", "all/in")));
	check_add(&roots, in_base("%s/%s", "all"), 0);
	check_open(&roots, "/..", NULL, -EXDEV);
	check_open(&roots, "/home/../../srv", NULL, -EXDEV);
	check_open(&roots, "/out", NULL, -ELOOP);
	check_open(&roots, "/in", NULL, -ELOOP);
	MUST(!unlink(in_base("%s/%s", "all/out")) && !unlink(in_base("%s/%s", "all/in")));
}

int main(void)
{
	static const char *const folders[] = {"all", "all/home", "srv", "srv/deep",
					      "a=b"};

	MUST(mkdtemp(base));
	for (size_t i = 0; i < 5; i++)
		folder_make(folders[i]);
	test_specs();
	test_longest();
	test_beneath();
	for (size_t i = 5; i-- > 0;)
		CHECK(!rmdir(in_base("%s/%s", folders[i])));
	CHECK(!rmdir(base));
	return check_done();
}

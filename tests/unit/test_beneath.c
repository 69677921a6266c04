/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening below a directory: no link that was planted, no ".." and no mount leads out. */
#include <errno.h>

#include "base/auto.h"
#include "preserve/beneath.h"

#include "place.h"

static int root = -1;

static void file_put(const char *name)
{
	AUTO_FD fd = open(in_place(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	MUST(fd >= 0);
}

/* Opening @path gives what has the name @same in the place. */
static void check_opens(const char *path, int flags, const char *same)
{
	AUTO_FD fd = beneath_open(root, path, flags);
	struct stat got, want;

	MUST(!lstat(in_place(same), &want));
	if (!CHECK(fd >= 0 && !fstat(fd, &got))) {
		printf("# %s: %s\n", path, strerror(-fd));
		return;
	}
	CHECK(got.st_ino == want.st_ino && got.st_dev == want.st_dev);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

static void check_refused(const char *path, int flags, int error)
{
	AUTO_FD fd = beneath_open(root, path, flags);

	if (!CHECK_INT(fd, error))
		printf("# %s\n", path);
}

static void test_plain(void)
{
	check_opens("outer/inner/file", O_RDONLY, "outer/inner/file");
	check_opens("outer/inner/file", O_PATH | O_NOFOLLOW, "outer/inner/file");
	check_opens("outer/inner", O_RDONLY | O_DIRECTORY, "outer/inner");
	check_opens(".", O_PATH | O_DIRECTORY, ".");
	check_refused("outer/nothing", O_RDONLY, -ENOENT);
	check_refused("nothing/file", O_RDONLY, -ENOENT);
	check_refused("", O_PATH, -ENOENT);
	check_refused("outer", O_WRONLY, -EISDIR);
	check_refused("outer/inner/file", O_RDONLY | O_DIRECTORY, -ENOTDIR);
	check_refused("outer/inner/file/x", O_RDONLY, -ENOTDIR);
}

static void test_out(void)
{
	char absolute[128];

	snprintf(absolute, sizeof(absolute), "%s/outer/inner/file", place);
	check_refused("..", O_PATH, -EXDEV);
	check_refused("outer/../../etc", O_PATH, -EXDEV);
	check_refused("outer/inner/../../..", O_PATH, -EXDEV);
	check_refused("/", O_PATH, -EXDEV);
	check_refused(absolute, O_RDONLY, -EXDEV);
}

/* Links that lead nowhere else are no better: the one who planted them can turn them. */
static void test_symlinks(void)
{
	MUST(!symlink("inner", in_place("outer/turn")));
	MUST(!symlink("inner/file", in_place("outer/file")));
	MUST(!symlink("/etc", in_place("outer/etc")));
	MUST(!symlink("nothing", in_place("outer/dangling")));
	check_refused("outer/turn/file", O_RDONLY, -ELOOP);
	check_refused("outer/turn/file", O_PATH | O_NOFOLLOW, -ELOOP);
	check_refused("outer/file", O_RDONLY, -ELOOP);
	check_refused("outer/file", O_RDONLY | O_NOFOLLOW, -ELOOP);
	check_refused("outer/file", O_PATH, -ELOOP);
	check_refused("outer/etc/passwd", O_RDONLY, -ELOOP);
	check_refused("outer/dangling", O_RDONLY, -ELOOP);
	check_refused("outer/turn/", O_PATH | O_NOFOLLOW, -ELOOP);
	/* Itself, where it is asked for. */
	check_opens("outer/file", O_PATH | O_NOFOLLOW, "outer/file");
	check_opens("outer/dangling", O_PATH | O_NOFOLLOW, "outer/dangling");
	MUST(!unlink(in_place("outer/turn")) && !unlink(in_place("outer/file")));
	MUST(!unlink(in_place("outer/etc")) && !unlink(in_place("outer/dangling")));
}

static void test_magic_link(void)
{
	AUTO_FD proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	char path[32];

	MUST(proc >= 0);
	snprintf(path, sizeof(path), "fd/%d", root);
	CHECK(!faccessat(proc, path, F_OK, 0));
	fd = beneath_open(proc, path, O_PATH);
	CHECK_INT(fd, -ELOOP);
	CHECK_INT(beneath_open(proc, "cwd/tmp", O_PATH), -ELOOP);
}

/* Another filesystem, and another mount of the same one. */
static void test_mounts(void)
{
	MUST(!mkdir(in_place("outer/mount"), 0700));
	MUST(!mount("other", in_place("outer/mount"), "tmpfs", 0, "mode=755"));
	file_put("outer/mount/file");
	check_refused("outer/mount/file", O_RDONLY, -EXDEV);
	check_refused("outer/mount", O_PATH | O_DIRECTORY, -EXDEV);
	MUST(!umount(in_place("outer/mount")));
	MUST(!mount(in_place("outer/inner"), in_place("outer/mount"), NULL, MS_BIND,
		    NULL));
	check_refused("outer/mount/file", O_RDONLY, -EXDEV);
	check_refused("outer/mount", O_PATH | O_DIRECTORY, -EXDEV);
	MUST(!umount(in_place("outer/mount")));
	check_opens("outer/mount", O_PATH | O_DIRECTORY, "outer/mount");
	MUST(!rmdir(in_place("outer/mount")));
}

/* The folder of @path is what has the name @same, and the rest of it is @name. */
static void check_parent(const char *path, const char *same, const char *name)
{
	const char *got_name = NULL;
	AUTO_FD fd = beneath_open_parent(root, path, &got_name);
	struct stat got, want;

	MUST(!lstat(in_place(same), &want));
	if (!CHECK(fd >= 0 && !fstat(fd, &got)))
		return;
	CHECK(got.st_ino == want.st_ino && got.st_dev == want.st_dev);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_STR(got_name, name);
	CHECK(got_name == path + strlen(path) - strlen(name));
}

static void check_parent_refused(const char *path, int error)
{
	static const char untouched[] = "";
	const char *name = untouched;
	AUTO_FD fd = beneath_open_parent(root, path, &name);

	if (!CHECK_INT(fd, error))
		printf("# %.60s\n", path);
	CHECK(name == untouched);
}

static void test_parent(void)
{
	char longest[PATH_MAX + 3];

	check_parent("outer/inner/file", "outer/inner", "file");
	check_parent("outer/inner/nothing", "outer/inner", "nothing");
	check_parent("outer", ".", "outer");
	check_parent("nothing", ".", "nothing");
	check_parent_refused("nothing/file", -ENOENT);
	check_parent_refused("/file", -ENOENT);
	check_parent_refused("../file", -EXDEV);
	check_parent_refused("outer/inner/file/x", -ENOTDIR);
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + PATH_MAX, "/b");
	check_parent_refused(longest, -ENAMETOOLONG);
	MUST(!symlink("inner", in_place("outer/turn")));
	check_parent_refused("outer/turn/inner/file", -ELOOP);
	/* Where the folder itself is the link, it is no folder. */
	check_parent_refused("outer/turn/file", -ENOTDIR);
	MUST(!unlink(in_place("outer/turn")));
}

static void test_same_parent(void)
{
	CHECK(beneath_inner_first("made/of", "made") < 0);
	CHECK(beneath_inner_first("made", "made/of") > 0);
	CHECK_INT(beneath_inner_first("made/of", "made/by"), 0);
	CHECK(beneath_same_parent("a", "b"));
	CHECK(beneath_same_parent("made/of/a", "made/of/b"));
	CHECK(!beneath_same_parent("made/of/a", "made/of/b/c"));
	CHECK(!beneath_same_parent("made/of/b/c", "made/of/a"));
	CHECK(!beneath_same_parent("a", "made/b"));
	CHECK(!beneath_same_parent("made/a", "made-b"));
	CHECK(!beneath_same_parent("made/a", "b"));
}

int main(void)
{
	place_begin();
	place_mount("tmpfs");
	MUST(!mkdir(in_place("outer"), 0700) && !mkdir(in_place("outer/inner"), 0700));
	file_put("outer/inner/file");
	root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(root >= 0);
	test_plain();
	test_out();
	test_symlinks();
	test_magic_link();
	test_mounts();
	test_parent();
	close(root);
	place_umount();
	test_same_parent();
	return place_end();
}

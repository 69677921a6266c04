/* SPDX-License-Identifier: GPL-2.0-only */
/* Relink names: what was made, what was there before and what somebody planted are told
 * apart, and only the first is removed. */
#include <errno.h>

#include "base/auto.h"
#include "preserve/relink.h"
#include "preserve/source.h"

#include "place.h"

#define SOMEBODY 65533

static int root = -1;

/* Makes a regular file of one hard link; its O_PATH fd, and its stat in @st. */
static int file_put(const char *name, struct stat *st)
{
	AUTO_FD fd = open(in_place(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	MUST(fd >= 0 && !fstat(fd, st));
	return open(in_place(name), O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_there(const char *name, ino_t ino)
{
	struct stat st;

	return !lstat(in_place(name), &st) && st.st_ino == ino;
}

/* Folder @path can be used. */
static void check_folder(const char *path)
{
	AUTO_FREE char *why = NULL;

	CHECK_INT(relink_check_folder(root, path, &why), 0);
	CHECK_STR(why, NULL);
}

/* Folder @path is refused with a reason that names it. */
static void check_folder_refused(const char *path, int error)
{
	AUTO_FREE char *why = NULL;

	if (!CHECK_INT(relink_check_folder(root, path, &why), error))
		printf("# %s: %s\n", path, why);
	CHECK(why && strstr(why, path));
}

static void test_folder(void)
{
	AUTO_FREE char *why = NULL;

	MUST(!mkdir(in_place("new"), 0700) && !mkdir(in_place("new/inner"), 0700));
	check_folder("new");
	check_folder("new/inner");
	CHECK_INT(relink_check_folder(root, "new/none", &why), -ENOENT);
	CHECK_INT(relink_check_folder(root, "nothing/inner", &why), -ENOENT);
	MUST(!rmdir(in_place("new/inner")) && !rmdir(in_place("new")));
}

static void test_folder_planted(void)
{
	struct stat st;

	MUST(!mkdir(in_place("theirs"), 0777));
	MUST(!symlink("theirs", in_place("link")));
	MUST(!symlink("later", in_place("dangling")));
	check_folder_refused("link", -ENOTDIR);
	check_folder_refused("dangling", -ENOTDIR);
	check_folder_refused("link/inner", -ELOOP);
	check_folder_refused("dangling/inner", -ELOOP);
	CHECK(lstat(in_place("later"), &st) && errno == ENOENT);
	CHECK(lstat(in_place("theirs/inner"), &st) && errno == ENOENT);
	MUST(!unlink(in_place("link")) && !unlink(in_place("dangling")));
	close(file_put("link", &st));
	check_folder_refused("link", -ENOTDIR);
	MUST(!unlink(in_place("link")));
	/* Its owner could take the names away. */
	MUST(!chown(in_place("theirs"), SOMEBODY, 0));
	check_folder_refused("theirs", -EPERM);
	MUST(!chown(in_place("theirs"), 0, SOMEBODY));
	check_folder("theirs");
	/* Whoever may write could too, unless only owners may remove. */
	MUST(!chmod(in_place("theirs"), 0720));
	check_folder_refused("theirs", -EPERM);
	MUST(!chmod(in_place("theirs"), 0702));
	check_folder_refused("theirs", -EPERM);
	MUST(!chmod(in_place("theirs"), 01777));
	check_folder("theirs");
	MUST(!mount("over", in_place("theirs"), "tmpfs", 0, NULL));
	check_folder_refused("theirs", -EXDEV);
	check_folder_refused("theirs/inner", -EXDEV);
	MUST(!umount(in_place("theirs")) && !rmdir(in_place("theirs")));
}

/* Without being root: root's will do, and ours. */
static void test_folder_ours(void)
{
	MUST(!mkdir(in_place("roots"), 0755));
	MUST(!mkdir(in_place("ours"), 0700) && !chown(in_place("ours"), SOMEBODY, 0));
	MUST(!seteuid(SOMEBODY));
	check_folder("roots");
	check_folder("ours");
	MUST(!mkdir(in_place("ours/inner"), 0700));
	check_folder("ours/inner");
	MUST(!seteuid(0));
	check_folder_refused("ours", -EPERM);
	MUST(!rmdir(in_place("ours/inner")) && !rmdir(in_place("ours")));
	MUST(!rmdir(in_place("roots")));
}

/* Where names are put is refused with a reason that names @told. */
static void check_place_refused(const char *relink_path, int error, const char *told)
{
	AUTO_FREE char *why = NULL;
	const char *name = NULL;
	AUTO_FD fd = relink_open_folder(root, relink_path, &name, &why);

	if (!CHECK_INT(fd, error))
		printf("# %s: %s\n", relink_path, why);
	CHECK(why && strstr(why, told));
	CHECK_STR(name, NULL);
}

/* Nobody else can reach, guess or plant names where they are put. */
static void test_open_folder(void)
{
	const char *name = NULL;
	AUTO_FREE char *why = NULL;
	struct stat st, opened;
	AUTO_FD fd = -1;

	MUST(!mkdir(in_place("a"), 0755) && !mkdir(in_place("a/b"), 0700));
	MUST(!stat(in_place("a/b"), &st) && !symlink("b", in_place("a/link")));
	fd = relink_open_folder(root, "a/b/name", &name, &why);
	CHECK(fd >= 0 && !fstat(fd, &opened) && opened.st_ino == st.st_ino);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK_STR(name, "name");
	CHECK_STR(why, NULL);
	check_place_refused("a/link/name", -ENOTDIR, "a/link");
	check_place_refused("a/none/name", -ENOENT, "a/none");
	check_place_refused("a/name", -EPERM, "folder a");
	check_place_refused("name", -EPERM, "folder .");
	/* One that is closed is enough, where it stands. */
	MUST(!chmod(in_place("a/b"), 0755));
	check_place_refused("a/b/name", -EPERM, "folder a/b");
	MUST(!chmod(in_place("a"), 0700));
	close(fd);
	fd = relink_open_folder(root, "a/b/name", &name, &why);
	CHECK(fd >= 0);
	/* The sticky bit keeps folders from being replaced, but names can be planted. */
	MUST(!chmod(in_place("a"), 01777) && !chmod(in_place("a/b"), 0700));
	close(fd);
	fd = relink_open_folder(root, "a/b/name", &name, &why);
	CHECK(fd >= 0);
	MUST(!chmod(in_place("a"), 0777));
	check_place_refused("a/b/name", -EPERM, "folder a");
	MUST(!chmod(in_place("a"), 0700) && !chmod(in_place("a/b"), 01777));
	check_place_refused("a/b/name", -EPERM, "folder a/b");
	MUST(!chmod(in_place("a/b"), 0700) && !chown(in_place("a"), SOMEBODY, 0));
	check_place_refused("a/b/name", -EPERM, "folder a belongs");
	MUST(!mount("over", in_place("a"), "tmpfs", 0, NULL));
	check_place_refused("a/b/name", -EXDEV, "a is on another mount");
	MUST(!umount(in_place("a")) && !unlink(in_place("a/link")));
	MUST(!rmdir(in_place("a/b")) && !rmdir(in_place("a")));
}

/* As relink_link(), which has no doubt here. */
static int link_to(int fd, const struct stat *st, int dir_fd, const char *name)
{
	bool doubt = true;
	int ret = relink_link(fd, st, dir_fd, name, &doubt);

	CHECK(!doubt);
	return ret;
}

static void test_link(void)
{
	struct stat st, now;
	AUTO_FD fd = file_put("a", &st);

	CHECK_INT(link_to(fd, &st, root, "b"), 0);
	CHECK(!lstat(in_place("b"), &now));
	CHECK(now.st_ino == st.st_ino && now.st_nlink == 2);
	/* No name is taken from anybody: not ours, not a link that leads to nothing. */
	CHECK_INT(link_to(fd, &st, root, "b"), -EEXIST);
	MUST(!symlink("later", in_place("planted")));
	CHECK_INT(link_to(fd, &st, root, "planted"), -EEXIST);
	CHECK(lstat(in_place("later"), &now) && errno == ENOENT);
	CHECK(!lstat(in_place("planted"), &now) && S_ISLNK(now.st_mode));
	MUST(!unlink(in_place("planted")));
	/* Until its last name has gone; then never again. */
	MUST(!unlink(in_place("a")));
	CHECK_INT(link_to(fd, &st, root, "a"), 0);
	MUST(!unlink(in_place("a")) && !unlink(in_place("b")));
	CHECK_INT(link_to(fd, &st, root, "a"), -ENOENT);
	CHECK(lstat(in_place("a"), &now) && errno == ENOENT);
}

/* A symbolic link gets the name itself, not what it leads to. */
static void test_link_of_symlink(void)
{
	struct stat target, st;
	AUTO_FD target_fd = file_put("target", &target), fd = -1;

	MUST(!symlink("target", in_place("link")) && !lstat(in_place("link"), &st));
	fd = open(in_place("link"), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	MUST(fd >= 0);
	CHECK_INT(link_to(fd, &st, root, "second"), 0);
	CHECK(is_there("second", st.st_ino));
	CHECK(!fstat(target_fd, &target) && target.st_nlink == 1);
	MUST(!unlink(in_place("second")) && !unlink(in_place("link")));
	MUST(!unlink(in_place("target")));
}

/* The name leads to another file than @st was taken of, as after a rename onto it. */
static void test_link_replaced(void)
{
	struct stat st, other;
	AUTO_FD fd = file_put("a", &st), other_fd = file_put("other", &other);

	CHECK_INT(link_to(fd, &other, root, "name"), -ESTALE);
	/* Whoever put it there keeps it. */
	CHECK(is_there("name", st.st_ino));
	MUST(!unlink(in_place("name")));
	st.st_dev++;
	CHECK_INT(link_to(fd, &st, root, "name"), -ESTALE);
	MUST(!unlink(in_place("name")));
	MUST(!unlink(in_place("a")) && !unlink(in_place("other")));
}

/* A second mount of the same filesystem is another one for linkat. */
static void test_link_other_mount(void)
{
	AUTO_FD fd = -1, bound = -1;
	struct stat st;

	MUST(!mkdir(in_place("bound"), 0700));
	MUST(!mount(place, in_place("bound"), NULL, MS_BIND, NULL));
	fd = file_put("a", &st);
	bound = open(in_place("bound"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(bound >= 0);
	CHECK_INT(link_to(fd, &st, bound, "b"), -EXDEV);
	CHECK(!is_there("b", st.st_ino));
	close(TAKE_FD(bound));
	MUST(!umount(in_place("bound")) && !rmdir(in_place("bound")));
	MUST(!unlink(in_place("a")));
}

static struct relink_identity identity_of(const struct stat *st)
{
	return (struct relink_identity){.type = st->st_mode & S_IFMT, .ino = st->st_ino};
}

/* Neither opening nor removing gets at @path, and a reason that names it is told. */
static void check_refused(const char *path, const struct relink_identity *identity,
			  int error)
{
	AUTO_FREE char *why = NULL, *why_not_removed = NULL;
	AUTO_FD fd = relink_open(root, path, identity, &why);

	if (!CHECK_INT(fd, error))
		printf("# %s: %s\n", path, why);
	CHECK(why && strstr(why, path));
	CHECK_INT(relink_remove(root, path, identity, &why_not_removed), error);
	CHECK(why_not_removed && strstr(why_not_removed, path));
}

static void test_identity(void)
{
	struct stat st, other, opened;
	AUTO_FD fd = file_put("a", &st), other_fd = file_put("other", &other), again = -1;
	struct relink_identity identity = identity_of(&st), wrong = identity;
	AUTO_FREE char *why = NULL;

	again = relink_open(root, "a", &identity, &why);
	CHECK(again >= 0 && !fstat(again, &opened) && opened.st_ino == st.st_ino);
	CHECK(fcntl(again, F_GETFL) & O_PATH);
	CHECK(fcntl(again, F_GETFD) == FD_CLOEXEC);
	CHECK_STR(why, NULL);
	check_refused("other", &identity, -ESTALE);
	check_refused("nothing", &identity, -ENOENT);
	check_refused("nothing/a", &identity, -ENOENT);
	check_refused("../a", &identity, -EXDEV);
	/* An inode number is used again, by a file of another type too. */
	wrong.type = S_IFIFO;
	check_refused("a", &wrong, -ESTALE);
	CHECK(is_there("a", st.st_ino) && is_there("other", other.st_ino));
	CHECK_INT(relink_remove(root, "a", &identity, &why), 0);
	CHECK_STR(why, NULL);
	CHECK(!is_there("a", st.st_ino));
	check_refused("a", &identity, -ENOENT);
	MUST(!unlink(in_place("other")));
}

static void test_identity_planted(void)
{
	struct relink_identity identity;
	AUTO_FD fd = -1;
	struct stat st;

	MUST(!mkdir(in_place("folder"), 0700));
	fd = file_put("folder/a", &st);
	identity = identity_of(&st);
	MUST(!symlink("folder/a", in_place("link")));
	MUST(!symlink("folder", in_place("turn")));
	check_refused("link", &identity, -ESTALE);
	check_refused("turn/a", &identity, -ELOOP);
	MUST(!mount("over", in_place("folder"), "tmpfs", 0, NULL));
	check_refused("folder/a", &identity, -EXDEV);
	MUST(!umount(in_place("folder")));
	CHECK(is_there("folder/a", st.st_ino));
	CHECK_INT(relink_remove(root, "folder/a", &identity, NULL), 0);
	MUST(!unlink(in_place("link")) && !unlink(in_place("turn")));
	MUST(!rmdir(in_place("folder")));
}

/* Where the filesystem has generations, they tell an inode number that is used again. */
static void test_generation(void)
{
	struct relink_identity identity;
	uint32_t generation = 0;
	AUTO_FD fd = -1;
	struct stat st;

	fd = file_put("a", &st);
	identity = identity_of(&st);
	identity.has_generation = true;
	if (!CHECK_INT(source_generation(fd, &generation), 0))
		return;
	identity.generation = generation + 1;
	check_refused("a", &identity, -ESTALE);
	CHECK(is_there("a", st.st_ino));
	identity.generation = generation;
	CHECK_INT(relink_remove(root, "a", &identity, NULL), 0);
}

/* Where it has none, what a manifest says of one is no reason to leave a name. */
static void test_no_generation(void)
{
	struct relink_identity identity;
	struct stat st;

	MUST(!mkfifo(in_place("fifo"), 0600) && !lstat(in_place("fifo"), &st));
	identity = identity_of(&st);
	identity.has_generation = true;
	identity.generation = 17;
	CHECK_INT(relink_remove(root, "fifo", &identity, NULL), 0);
	CHECK(!is_there("fifo", st.st_ino));
}

static void test_remove_folder(void)
{
	struct stat st, file;
	AUTO_FD fd = -1;

	MUST(!mkdir(in_place("folder"), 0700) && !stat(in_place("folder"), &st));
	fd = file_put("folder/a", &file);
	MUST(!symlink("folder", in_place("link")));
	CHECK_INT(relink_remove_folder(root, "nothing", st.st_ino), -ENOENT);
	CHECK_INT(relink_remove_folder(root, "folder", st.st_ino + 1), -ESTALE);
	CHECK_INT(relink_remove_folder(root, "folder/a", file.st_ino), -ESTALE);
	CHECK_INT(relink_remove_folder(root, "link", st.st_ino), -ESTALE);
	CHECK_INT(relink_remove_folder(root, "folder", st.st_ino), -ENOTEMPTY);
	CHECK(is_there("folder/a", file.st_ino));
	MUST(!unlink(in_place("folder/a")) && !mkdir(in_place("folder/b"), 0700));
	MUST(!stat(in_place("folder/b"), &file));
	CHECK_INT(relink_remove_folder(root, "link/b", file.st_ino), -ENOTDIR);
	CHECK_INT(relink_remove_folder(root, "folder/b", file.st_ino), 0);
	CHECK_INT(relink_remove_folder(root, "folder", st.st_ino), 0);
	CHECK(!is_there("folder", st.st_ino));
	MUST(!unlink(in_place("link")));
}

/* All of it on @fstype. */
static void test_on(const char *fstype)
{
	if (!place_mount(fstype))
		return;
	MUST(!chmod(place, 0755));
	root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(root >= 0);
	test_folder();
	test_folder_planted();
	test_folder_ours();
	test_open_folder();
	test_link();
	test_link_of_symlink();
	test_link_replaced();
	test_link_other_mount();
	test_identity();
	test_identity_planted();
	if (!strcmp(fstype, "xfs"))
		test_generation();
	test_no_generation();
	test_remove_folder();
	close(root);
	place_umount();
}

int main(void)
{
	place_begin();
	test_on("tmpfs");
	test_on("xfs");
	return place_end();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* A name takes another one's place only where nobody is, also where the kernel cannot say so
 * or says that it failed. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/name.h"

#include "place.h"

static int root = -1;

static struct stat put(const char *name)
{
	AUTO_FD fd = open(in_place(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	struct stat st;

	MUST(fd >= 0 && !fstat(fd, &st));
	return st;
}

static struct stat put_folder(const char *name)
{
	struct stat st;

	MUST(!mkdir(in_place(name), 0700) && !lstat(in_place(name), &st));
	return st;
}

static void take(const char *name)
{
	if (unlink(in_place(name)) && errno == EISDIR)
		rmdir(in_place(name));
}

/* From here on @call fails with @error (not -errno), and is not done. */
static void refuse(int call, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {4, filter};

	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* A move from "from" to "to" while renameat2() fails with @error (0: does not), and @other
 * (0: none) with @other_error. */
static void check_move(const struct stat *st, int error, int other, int other_error,
		       int want, struct name_moved moved)
{
	pid_t pid = fork();
	int status;

	MUST(pid >= 0);
	if (!pid) {
		struct name_moved got;

		if (error)
			refuse(SYS_renameat2, error);
		if (other)
			refuse(other, other_error);
		CHECK_INT(name_move(root, "from", "to", st, &got), want);
		CHECK_INT(got.doubt, moved.doubt);
		CHECK_INT(got.left, moved.left);
		exit(check_failed != 0);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (!CHECK_INT(status, 0))
		printf("# error %d\n", error);
}

static const struct name_moved sure;

/* "to" is the file of @st, and "from" is gone; or @kept: as before. */
static void check_names(const struct stat *st, bool kept)
{
	CHECK_INT(name_leads_to(root, kept ? "from" : "to", st), 0);
	CHECK_INT(name_leads_to(root, kept ? "to" : "from", st), -ENOENT);
	take("from");
	take("to");
}

static void test_moves(struct stat (*make)(const char *name))
{
	static const int unknown[] = {0, EINVAL, ENOSYS};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct stat st = make("from"), theirs;

		check_move(&st, unknown[i], 0, 0, 0, sure);
		check_names(&st, false);
		st = make("from");
		theirs = make("to");
		check_move(&st, unknown[i], 0, 0, -EEXIST, sure);
		CHECK_INT(name_leads_to(root, "to", &theirs), 0);
		CHECK_INT(name_leads_to(root, "to", &st), -ESTALE);
		take("to");
		check_names(&st, true);
	}
}

static void test_refused(void)
{
	struct stat st = put("from");

	check_move(&st, EROFS, 0, 0, -EROFS, sure);
	check_names(&st, true);
}

/* As it is when the kernel has done it, and says otherwise. */
static void test_lost(void)
{
	static const int errors[] = {EIO, EINTR, ETIMEDOUT, ESTALE, EEXIST};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct stat st = put("from");

		MUST(!rename(in_place("from"), in_place("to")));
		check_move(&st, errors[i], 0, 0, 0, sure);
		check_names(&st, false);
		/* or only the first of two steps */
		st = put("from");
		MUST(!link(in_place("from"), in_place("to")));
		check_move(&st, errors[i], 0, 0, 0, sure);
		check_names(&st, false);
		st = put_folder("from");
		MUST(!rename(in_place("from"), in_place("to")));
		check_move(&st, errors[i], 0, 0, 0, sure);
		check_names(&st, false);
	}
}

/* It is not seen, but a server may still do it. */
static void test_doubt(void)
{
	struct stat st = put("from"), theirs;

	check_move(&st, EIO, 0, 0, -EIO, (struct name_moved){.doubt = true});
	check_names(&st, true);
	st = put("from");
	theirs = put("to");
	check_move(&st, EIO, 0, 0, -EIO, (struct name_moved){.doubt = true});
	CHECK_INT(name_leads_to(root, "to", &theirs), 0);
	take("to");
	check_names(&st, true);
}

static void test_left(void)
{
	struct stat st = put("from");

	check_move(&st, EINVAL, SYS_unlinkat, EPERM, 0,
		   (struct name_moved){.left = -EPERM});
	CHECK_INT(name_leads_to(root, "from", &st), 0);
	take("from");
	check_names(&st, false);
}

static void test_may_be_made(void)
{
	CHECK(!name_may_be_made(0));
	CHECK(!name_may_be_made(-EROFS) && !name_may_be_made(-ENOENT));
	CHECK(name_may_be_made(-EIO) && name_may_be_made(-EINTR));
	CHECK(name_may_be_made(-ENOTCONN) && name_may_be_made(-ENOMEM));
}

int main(void)
{
	place_begin();
	MUST(place_mount("tmpfs"));
	root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(root >= 0);
	test_moves(put);
	test_moves(put_folder);
	test_refused();
	test_lost();
	test_doubt();
	test_left();
	test_may_be_made();
	close(root);
	place_umount();
	return place_end();
}

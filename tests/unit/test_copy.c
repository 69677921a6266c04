/* SPDX-License-Identifier: GPL-2.0-only */
/* Clones and copies: the bytes, the holes, the attributes. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/auto.h"
#include "preserve/carry.h"
#include "preserve/copy.h"
#include "base/interrupt.h"
#include "place.h"

#define MIB (1LL << 20)
#define GIB (1LL << 30)

static int file_make(const char *name)
{
	int fd = open(in_place(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	MUST(fd >= 0);
	return fd;
}

/* @len bytes at @pos that tell where they are from. */
static void fill(int fd, off_t pos, size_t len)
{
	AUTO_FREE uint64_t *words = malloc(len);

	MUST(words);
	for (size_t i = 0; i < len / sizeof(*words); i++)
		words[i] = pos + i * sizeof(*words);
	MUST(pwrite(fd, words, len, pos) == (ssize_t)len);
}

/* Both are of one size, and equal wherever either has data. */
static bool same_data(int a, int b)
{
	AUTO_FREE char *left = malloc(MIB), *right = malloc(MIB);
	struct stat st, other;

	MUST(left && right && !fstat(a, &st) && !fstat(b, &other));
	if (st.st_size != other.st_size)
		return false;
	for (off_t pos = 0; pos < st.st_size; pos += MIB) {
		off_t data = lseek(a, pos, SEEK_DATA), also = lseek(b, pos, SEEK_DATA);
		ssize_t n;

		if (data < 0 && also < 0)
			break;
		if (data < 0 || (also >= 0 && also < data))
			data = also;
		pos = data / MIB * MIB;
		n = pread(a, left, MIB, pos);
		if (n != pread(b, right, MIB, pos) || memcmp(left, right, n))
			return false;
	}
	return true;
}

/* 1 GiB with 4 MiB of data at begin, in the middle and at the end stays that small. */
static void test_sparse(void)
{
	AUTO_FD src = file_make("src"), dst = file_make("dst");
	struct stat before, st;
	uint64_t bytes = 0;

	fill(src, 0, 2 * MIB);
	fill(src, GIB / 2, MIB);
	fill(src, GIB - MIB, MIB);
	MUST(!fstat(src, &before));
	CHECK_INT(copy_sparse(src, dst, &bytes), 0);
	CHECK_INT(bytes, 4 * MIB);
	MUST(!fstat(dst, &st));
	CHECK_INT(st.st_size, GIB);
	CHECK(st.st_blocks * 512 <= before.st_blocks * 512 + MIB);
	CHECK(same_data(src, dst));
	MUST(!unlink(in_place("src")) && !unlink(in_place("dst")));
}

/* @size bytes, of which the first @data are written. */
static void check_copy(off_t size, size_t data)
{
	AUTO_FD src = file_make("src"), dst = file_make("dst");
	uint64_t bytes = 4711;
	struct stat st;

	fill(src, 0, data);
	MUST(!ftruncate(src, size));
	CHECK_INT(copy_sparse(src, dst, &bytes), 0);
	/* Blocks are copied whole. */
	CHECK(bytes >= data && bytes <= data + 65536);
	MUST(!fstat(dst, &st));
	CHECK_INT(st.st_size, size);
	CHECK(same_data(src, dst));
	MUST(!unlink(in_place("src")) && !unlink(in_place("dst")));
}

static void test_copy_shapes(void)
{
	check_copy(0, 0);
	check_copy(8, 8);
	check_copy(512, 512); /* in one piece, unlike the next */
	check_copy(513, 513);
	check_copy(512, 8); /* zeros that are no hole */
	check_copy(8, 0);   /* a hole and nothing else */
	check_copy(4096, 0);
	check_copy(10 * MIB + 1, 8);	/* a hole at the end */
	check_copy(20 * MIB, 20 * MIB); /* more than one step */
}

/* Between two filesystems, where the kernel's own copying may refuse. */
static void test_copy_across(void)
{
	AUTO_FD src = file_make("src"), dst = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	uint64_t bytes;

	if (dst < 0)
		return check_skip("copy across", "/tmp has no O_TMPFILE");
	fill(src, MIB, MIB);
	CHECK_INT(copy_sparse(src, dst, &bytes), 0);
	CHECK_INT(bytes, MIB);
	CHECK(same_data(src, dst));
	MUST(!unlink(in_place("src")));
}

static void test_copy_refused(void)
{
	AUTO_FD src = file_make("src"), dst = open(in_place("src"), O_RDONLY | O_CLOEXEC);
	uint64_t bytes = 4711;

	fill(src, 0, 8);
	CHECK_INT(copy_sparse(src, dst, &bytes), -EBADF);
	CHECK_INT(bytes, 4711);
	MUST(!unlink(in_place("src")));
}

static void test_clone(const char *fstype)
{
	AUTO_FD src = file_make("src"), dst = file_make("dst");

	fill(src, MIB, MIB);
	if (!strcmp(fstype, "xfs")) {
		CHECK_INT(copy_clone(src, dst), 0);
		CHECK(same_data(src, dst));
	} else {
		CHECK_INT(copy_clone(src, dst), -EOPNOTSUPP);
	}
	MUST(!unlink(in_place("src")) && !unlink(in_place("dst")));
}

/* u::rwx, u:1000:r--, g::r-x, m::r-x, o::--x, as posix_acl_xattr.h lays it out. */
static const uint8_t acl[] = {
	2,  0, 0, 0,			     /* version */
	1,  0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* ACL_USER_OBJ */
	2,  0, 4, 0, 0xe8, 3,	 0,    0,    /* ACL_USER */
	4,  0, 5, 0, 0xff, 0xff, 0xff, 0xff, /* ACL_GROUP_OBJ */
	16, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, /* ACL_MASK */
	32, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, /* ACL_OTHER */
};

/* cap_net_raw+p, VFS_CAP_REVISION_2 */
static const uint8_t capability[20] = {0, 0, 0, 2, 0, 0x20};

static void check_xattr(int fd, const char *name, const void *want, size_t size)
{
	char value[256];

	CHECK_INT(fgetxattr(fd, name, value, sizeof(value)), size);
	CHECK(!memcmp(value, want, size));
}

static void test_attributes(void)
{
	struct timespec times[] = {{1000000001, 123456789}, {1500000000, 987654321}};
	AUTO_FD src = file_make("src"), dst = file_make("dst");
	AUTO(attributes_fini) struct attributes attributes = {0};
	AUTO_FREE char *missing = NULL;
	struct stat st, got;
	bool has_acl;
	char name[128];

	MUST(!fchown(src, 1234, 55) && !fchmod(src, 06751));
	MUST(!fsetxattr(src, "trusted.empty", "", 0, 0));
	MUST(!fsetxattr(src, "trusted.x", "a\0b", 3, 0));
	/* More names than are asked for at first. */
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "trusted.%0100d", i);
		MUST(!fsetxattr(src, name, &i, sizeof(i), 0));
	}
	MUST(!fsetxattr(src, "security.capability", capability, sizeof(capability), 0));
	has_acl = !fsetxattr(src, "system.posix_acl_access", acl, sizeof(acl), 0);
	MUST(!fchmod(src, 06751) && !futimens(src, times) && !fstat(src, &st));
	MUST(!fsetxattr(dst, "trusted.others", "1", 1, 0));
	CHECK_INT(carry_read(src, &st, &attributes), 0);
	CHECK_INT(carry_prepare(dst, &attributes, &missing), 0);
	CHECK_INT(carry_write(dst, NULL, &st, &attributes, &missing), 0);
	CHECK_STR(missing, NULL);
	CHECK(fgetxattr(dst, "trusted.others", NULL, 0) < 0);
	MUST(!fstat(dst, &got));
	CHECK_INT(got.st_mode, S_IFREG | 06751);
	CHECK_INT(got.st_uid, 1234);
	CHECK_INT(got.st_gid, 55);
	CHECK_INT(got.st_atim.tv_sec, 1000000001);
	CHECK_INT(got.st_atim.tv_nsec, 123456789);
	CHECK_INT(got.st_mtim.tv_sec, 1500000000);
	CHECK_INT(got.st_mtim.tv_nsec, 987654321);
	check_xattr(dst, "trusted.empty", "", 0);
	check_xattr(dst, "trusted.x", "a\0b", 3);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "trusted.%0100d", i);
		check_xattr(dst, name, &i, sizeof(i));
	}
	check_xattr(dst, "security.capability", capability, sizeof(capability));
	if (has_acl)
		check_xattr(dst, "system.posix_acl_access", acl, sizeof(acl));
	else
		check_skip("ACL", "the kernel is built without");
	MUST(!unlink(in_place("src")) && !unlink(in_place("dst")));
}

/* A copy stops at a signal; nobody has to wait for a terabyte. */
static void test_interrupt(void)
{
	AUTO_FD src = file_make("src"), dst = file_make("dst");
	int status, signals[] = {SIGINT, SIGTERM, SIGHUP};

	fill(src, 0, MIB);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t pid = fork();

		if (!pid) {
			uint64_t bytes = 4711;

			interrupt_catch();
			if (interrupt_pending())
				_exit(1);
			raise(signals[i]);
			_exit(copy_sparse(src, dst, &bytes) == -EINTR && bytes == 4711
				      ? 0
				      : 2);
		}
		MUST(waitpid(pid, &status, 0) == pid);
		CHECK_INT(status, 0);
	}
	MUST(!unlink(in_place("src")) && !unlink(in_place("dst")));
}

int main(void)
{
	static const char *const fstypes[] = {"tmpfs", "xfs"};

	place_begin();
	for (size_t i = 0; i < sizeof(fstypes) / sizeof(*fstypes); i++) {
		if (!place_mount(fstypes[i]))
			continue;
		test_sparse();
		test_copy_shapes();
		test_copy_across();
		test_copy_refused();
		test_clone(fstypes[i]);
		test_attributes();
		test_interrupt();
		place_umount();
	}
	return place_end();
}

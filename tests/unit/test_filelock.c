/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines of fdinfo as kernels write them, and as they do not. */
#include <errno.h>

#include "manifest/filelock.h"

#include "check.h"

static void check_line(const char *line, enum filelock_type type, bool write,
		       uint64_t start, uint64_t end)
{
	struct filelock lock = {0};

	CHECK_INT(filelock_parse(line, &lock), 0);
	CHECK_INT(lock.type, type);
	CHECK_INT(lock.write, write);
	CHECK_INT(lock.ino, 3155144);
	CHECK_INT(lock.start, start);
	CHECK_INT(lock.end, end);
}

int main(void)
{
	static const char *const bad[] = {
		"",
		"pos:\t0",
		"lock:\t1: FLOCK  ADVISORY  WRITE 359",
		"lock:\t1: DELEG  ACTIVE    READ  359 00:13:3155144 0 EOF",
		"lock:\t1: LEASE  BREAKING  READ  359 00:13:3155144 0 EOF",
		"lock:\t1: LEASE  ACTIVE    UNLCK 359 00:13:3155144 0 EOF",
		"lock:\t1: POSIX  ADVISORY  WRITE 359 00:13:3155144 9 5",
		"lock:\t1: POSIX  ADVISORY  WRITE 359 00:13:3155144 0 5x",
		"lock:\t1: POSIX  ADVISORY  WRITE 359 00:13:3155144 0 "
		"9223372036854775808",
	};

	check_line("lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:3155144 0 EOF",
		   FILELOCK_FLOCK, true, 0, FILELOCK_EOF);
	check_line("lock:\t2: POSIX  ADVISORY  READ 359 fe:00:3155144 5 9",
		   FILELOCK_POSIX, false, 5, 9);
	check_line("lock:\t12: OFDLCK ADVISORY  READ -1 fe:00:3155144 100 EOF",
		   FILELOCK_OFD, false, 100, FILELOCK_EOF);
	check_line("lock:\t3: LEASE  ACTIVE    WRITE 359 fe:00:3155144 0 EOF",
		   FILELOCK_LEASE, true, 0, FILELOCK_EOF);
	check_line("lock:\t2: POSIX  MANDATORY READ 359 fe:00:3155144 5 9",
		   FILELOCK_POSIX, false, 5, 9);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct filelock lock = {.fd = 77};

		CHECK_INT(filelock_parse(bad[i], &lock), -EINVAL);
		CHECK_INT(lock.fd, 77);
	}
	return check_done();
}

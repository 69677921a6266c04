/* SPDX-License-Identifier: GPL-2.0-only */
/* What is shown of long work, and to whom. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "base/progress.h"

#define MIB (1ULL << 20)

static void check_line(uint64_t done, uint64_t total, uint64_t moved, uint64_t ns,
		       const char *want)
{
	char line[96];

	progress_format(line, sizeof(line), done, total, moved, ns);
	CHECK_STR(line, want);
}

static void test_format(void)
{
	check_line(0, 0, 0, 0, "0 B of 0 B");
	check_line(512, 1024, 0, 1, "512 B of 1.0 KiB");
	check_line(100 * MIB, 300 * MIB, 100 * MIB, 500000000,
		   "100.0 MiB of 300.0 MiB, 200.0 MiB/s, 1 s left");
	/* what was cloned is done, and says nothing of the rate */
	check_line(200 * MIB, 300 * MIB, 50 * MIB, 1000000000,
		   "200.0 MiB of 300.0 MiB, 50.0 MiB/s, 2 s left");
	check_line(MIB, 6001 * MIB, MIB, 1000000000,
		   "1.0 MiB of 5.9 GiB, 1.0 MiB/s, 100 min left");
	check_line(2 * MIB, MIB, 2 * MIB, 1000000000,
		   "2.0 MiB of 2.0 MiB, 2.0 MiB/s, 0 s left");
	check_line(UINT64_MAX, UINT64_MAX, UINT64_MAX, 1,
		   "16.0 EiB of 16.0 EiB, 16000000000.0 EiB/s, 0 s left");
}

/* A work of which half is done. */
static void work(uint64_t total)
{
	progress_begin(total, 0);
	progress_add(total / 2, 0);
	progress_end();
}

/* What a work of 2 MiB writes to stderr, which is @fd meanwhile, behind one of 8 MiB that is
 * hidden. */
static size_t shown(int fd, int from, char *out, size_t size)
{
	int stderr_was = dup(STDERR_FILENO);
	size_t len = 0;
	ssize_t n;

	MUST(stderr_was >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	progress_hide(true);
	work(8 * MIB);
	progress_hide(false);
	work(2 * MIB);
	MUST(dup2(stderr_was, STDERR_FILENO) >= 0);
	close(stderr_was);
	/* A terminal passes on what was written bit by bit. */
	do {
		n = read(from, out + len, size - 1 - len);
		len += n > 0 ? n : 0;
		out[len] = '\0';
	} while (n > 0 && !strstr(out, "\r\033[K"));
	return len;
}

static void test_terminal(void)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), ends[2], end;
	char text[256];

	MUST(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
	end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	MUST(end >= 0 && !pipe2(ends, O_NONBLOCK));
	shown(end, terminal, text, sizeof(text));
	CHECK(strstr(text, "\r1.0 MiB of 2.0 MiB\033[K"));
	CHECK(!strstr(text, "8.0 MiB"));
	CHECK(strstr(text, "\r\033[K"));
	CHECK_INT(shown(ends[1], ends[0], text, sizeof(text)), 0);
	close(end);
	close(terminal);
}

int main(void)
{
	test_format();
	test_terminal();
	return check_done();
}

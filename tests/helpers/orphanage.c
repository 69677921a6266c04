/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program with an orphan of every kind, for CRIU to dump and restore:
 *
 *   orphanage DIR REPORT
 *
 * Detaches from everything but its cgroup, says so by `ready PID` and then closes stdout.
 * At each SIGUSR1 it looks at all that it holds and writes what it sees to REPORT, which is
 * a FIFO, so that its reader waits: a line for each, `KIND SUM POSITION`, the same whether
 * it was restored or not.
 */
#include <signal.h>
#include <sys/mman.h>

#include "lib.h"

#define LARGE (8U << 20)

static const char *dir;
static int linked, large, tmpfile_fd, fifo, shared, shared_twin, directory;
static char *map;

static int file_make(const char *name, unsigned int size, unsigned char seed)
{
	int fd = open_or_die(path_of("%s/%s", dir, name), O_RDWR | O_CREAT | O_EXCL);
	char *bytes = malloc(size);

	if (!bytes)
		die("malloc");
	for (unsigned int i = 0; i < size; i++)
		bytes[i] = (char)(i * 31 + seed + (i >> 12));
	write_or_die(fd, bytes, size, 0);
	free(bytes);
	return fd;
}

static void unlink_or_die(const char *name)
{
	if (unlink(path_of("%s/%s", dir, name)))
		die("unlink %s", name);
}

static void make_all(void)
{
	int fd;

	linked = file_make("linked", 5000, 1);
	if (link(path_of("%s/linked", dir), path_of("%s/log", dir)))
		die("link");
	unlink_or_die("linked");
	lseek(linked, 0, SEEK_END);
	large = file_make("large", LARGE, 2);
	lseek(large, 4711, SEEK_SET);
	unlink_or_die("large");
	tmpfile_fd = open_or_die(dir, O_TMPFILE | O_RDWR);
	write_or_die(tmpfile_fd, "never had a name\n", 17, 0);
	shared = file_make("shared", 3000, 3);
	shared_twin = dup(shared);
	lseek(shared, 17, SEEK_SET);
	unlink_or_die("shared");
	fd = file_make("mapped", 16384, 4);
	map = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
	close(fd);
	unlink_or_die("mapped");
	if (mkfifo(path_of("%s/fifo", dir), 0600))
		die("mkfifo");
	fifo = open_or_die(path_of("%s/fifo", dir), O_RDWR | O_NONBLOCK);
	if (write(fifo, "in the pipe", 11) != 11)
		die("write");
	unlink_or_die("fifo");
	if (mkdir(path_of("%s/directory", dir), 0750))
		die("mkdir");
	directory = open_or_die(path_of("%s/directory", dir), O_RDONLY | O_DIRECTORY);
	if (fchdir(directory) || rmdir(path_of("%s/directory", dir)))
		die("rmdir");
}

static unsigned long long sum_of(const unsigned char *bytes, size_t n,
				 unsigned long long sum)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3u;
	return sum;
}

static void report_file(FILE *out, const char *kind, int fd)
{
	unsigned long long sum = 0xcbf29ce484222325u;
	unsigned char buffer[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		sum = sum_of(buffer, n, sum);
		at += n;
	}
	fprintf(out, "%s %llx %lld%s\n", kind, sum, (long long)lseek(fd, 0, SEEK_CUR),
		n < 0 ? " unreadable" : "");
}

/* What is in it is put back, so that it can be looked at again. */
static void report_fifo(FILE *out)
{
	char buffer[64] = "";
	ssize_t n = read(fifo, buffer, sizeof(buffer) - 1);

	if (n > 0 && write(fifo, buffer, n) != n)
		n = -1;
	fprintf(out, "fifo %s %zd\n", buffer, n);
}

static void report(const char *path)
{
	FILE *out = fopen(path, "we");
	struct stat here, held;

	if (!out)
		die("%s", path);
	report_file(out, "linked", linked);
	report_file(out, "large", large);
	report_file(out, "tmpfile", tmpfile_fd);
	report_file(out, "shared", shared);
	fprintf(out, "twin 0 %lld\n", (long long)lseek(shared_twin, 0, SEEK_CUR));
	fprintf(out, "mapped %llx 0\n", sum_of((unsigned char *)map, 16384, 0));
	report_fifo(out);
	if (stat(".", &here) || fstat(directory, &held))
		die("stat");
	fprintf(out, "directory %o %d\n", held.st_mode,
		here.st_ino == held.st_ino && !here.st_nlink);
	if (fclose(out))
		die("%s", path);
}

int main(int argc, char **argv)
{
	sigset_t signals;
	int signal;

	if (argc != 3) {
		fprintf(stderr, "usage: orphanage DIR REPORT\n");
		return 2;
	}
	dir = argv[1];
	setsid();
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	make_all();
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (int fd = 0; fd < 3; fd++)
		dup2(open_or_die("/dev/null", O_RDWR), fd);
	for (;;) {
		sigwait(&signals, &signal);
		report(argv[2]);
	}
}

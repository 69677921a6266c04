/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a container runs whose checkpoints fail (linked statically: it is all that the
 * container has):
 *
 *   tenant DIR REPORT [MIB]
 *
 * Holds, all in directory DIR but the semaphore:
 *   semaphore  a POSIX one, of which glibc unlinks the name that it made it by
 *   h1         a file that was made as h0 and has another name by now
 *   b          the same, and another file has the first name, a
 *   large      a file of MIB MiB (0: none) without any name
 * Says `ready PID`, and goes on with /dev/null for stdio. At each SIGUSR1 it posts the
 * semaphore by its name, and writes what it sees to REPORT, which is a FIFO: a line for
 * each, `KIND SUM POSITION SAME`, SAME being whether what it holds is still what the name
 * leads to.
 */
#include <semaphore.h>
#include <signal.h>

#include "lib.h"

#define SEMAPHORE "/tenant"

static const char *dir;
static int h1, b, large = -1;
static sem_t *held;

static int file_make(const char *name, size_t size, unsigned long long seed)
{
	int fd = open_or_die(path_of("%s/%s", dir, name), O_RDWR | O_CREAT | O_EXCL);
	unsigned long long words[8192];

	for (size_t at = 0; at < size; at += sizeof(words)) {
		size_t n = size - at < sizeof(words) ? size - at : sizeof(words);

		for (size_t i = 0; i < 8192; i++)
			words[i] = seed =
				seed * 6364136223846793005u + 1442695040888963407u;
		write_or_die(fd, words, n, at);
	}
	lseek(fd, (off_t)size / 2, SEEK_SET);
	return fd;
}

static int file_renamed(const char *from, const char *to, unsigned long long seed)
{
	int fd = file_make(from, 5000, seed);

	if (link(path_of("%s/%s", dir, from), path_of("%s/%s", dir, to)) ||
	    unlink(path_of("%s/%s", dir, from)))
		die("%s", from);
	return fd;
}

static void make_all(size_t mib)
{
	held = sem_open(SEMAPHORE, O_CREAT | O_EXCL, 0600, 0);
	if (held == SEM_FAILED)
		die("sem_open");
	h1 = file_renamed("h0", "h1", 1);
	b = file_renamed("a", "b", 2);
	close(file_make("a", 100, 3));
	if (!mib)
		return;
	large = file_make("large", mib << 20, 4);
	if (unlink(path_of("%s/large", dir)))
		die("large");
}

static void report_file(FILE *out, const char *name, int fd)
{
	unsigned long long words[8192], sum = 0xcbf29ce484222325u;
	struct stat held_now, named = {0};
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, words, sizeof(words), at)) > 0) {
		for (size_t i = 0; i < (size_t)n / 8; i++)
			sum = (sum ^ words[i]) * 0x100000001b3u;
		at += n;
	}
	stat(path_of("%s/%s", dir, name), &named);
	if (n < 0 || fstat(fd, &held_now))
		die("%s", name);
	fprintf(out, "%s %llx %lld %d\n", name, sum, (long long)lseek(fd, 0, SEEK_CUR),
		held_now.st_ino == named.st_ino && held_now.st_dev == named.st_dev);
}

/* Posted by its name, and one less by what is held: what is the same stays. */
static void report_semaphore(FILE *out)
{
	sem_t *named = sem_open(SEMAPHORE, 0);
	int value = -1;

	if (named != SEM_FAILED) {
		sem_post(named);
		sem_getvalue(held, &value);
		sem_trywait(named);
	}
	/* sem_open() gives one mapping for what it has open already, by its inode. */
	fprintf(out, "semaphore %d 0 %d\n", value, named == held);
	if (named != SEM_FAILED)
		sem_close(named);
}

static void report(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die("%s", path);
	report_semaphore(out);
	report_file(out, "h1", h1);
	report_file(out, "b", b);
	if (large >= 0)
		report_file(out, "large", large);
	if (fclose(out))
		die("%s", path);
}

int main(int argc, char **argv)
{
	sigset_t signals;
	int signal;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: tenant DIR REPORT [MIB]\n");
		return 2;
	}
	dir = argv[1];
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	make_all(argc > 3 ? atoi(argv[3]) : 0);
	printf("ready %d\n", getpid());
	fflush(stdout);
	for (int fd = 0; fd < 3; fd++)
		dup2(open_or_die("/dev/null", O_RDWR | O_CLOEXEC), fd);
	for (;;) {
		sigwait(&signals, &signal);
		report(argv[2]);
	}
}

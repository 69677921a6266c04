/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds what is there, however it came about:
 *
 *   keep HOLD SITUATION DIR NAME=HOW...
 *
 * opens each NAME of DIR (the first two arguments are what lib.bash would have started, see
 * $HOLD_VIA), says `ready PID fd=FIRST` and keeps them, in their order from FIRST on, until
 * stdin is closed. HOW: r, w, rw, path (O_PATH), dir, tmpfile (NAME is the folder; excl
 * with O_EXCL). FIFOs are opened without waiting. With +FLAG... (append, async, direct,
 * dsync, noatime, nonblock, sync) it has these, and no other.
 *
 * Commands, each answered with one line: `own N self|thread|group|none SIGNAL` names whom
 * signals go to; `link N NAME` names the Nth (0 first), `write N
 * TEXT`, `unread N` says how many bytes a FIFO has, `flag N i|a` makes it immutable or append
 * only.
 *
 *   keep --flags FD
 *
 * says which of these flags the file has, and what is in it.
 *
 *   keep --fill FIFO CAPACITY SIZE    and the sum of it and of the word "tail"
 *   keep --drain FD
 */
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "lib.h"

#define FIRST 40
#define MOST  32

static const char *dir;

static const struct word {
	const char *how;
	int flags;
} ways[] =
	{
		{"r", O_RDONLY},
		{"w", O_WRONLY},
		{"rw", O_RDWR},
		{"path", O_PATH | O_NOFOLLOW},
		{"dir", O_RDONLY | O_DIRECTORY},
		{"tmpfile", O_TMPFILE | O_RDWR},
		{"excl", O_TMPFILE | O_RDWR | O_EXCL},
		{NULL, 0},
},
  status_flags[] = {
	  {"append", O_APPEND},	  {"async", O_ASYNC},
	  {"direct", O_DIRECT},	  {"dsync", O_DSYNC},
	  {"noatime", O_NOATIME}, {"nonblock", O_NONBLOCK},
	  {"sync", O_SYNC},	  {NULL, 0},
};

static int flags_of(const struct word *words, const char *how)
{
	for (; words->how; words++)
		if (!strcmp(words->how, how))
			return words->flags;
	errno = EINVAL;
	die("%s", how);
}

/* What can be set of an open file too: with O_DIRECT a FIFO cannot be opened. */
#define SETTABLE (O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK)

static void keep(int n, char *argument)
{
	char *how = strrchr(argument, '='), *flag, *exactly;
	int fd, flags, status = 0;

	if (!how)
		die("NAME=HOW");
	*how++ = '\0';
	exactly = strchr(how, '+');
	how = strtok(how, "+");
	flags = flags_of(ways, how);
	while ((flag = strtok(NULL, "+")))
		status |= flags_of(status_flags, flag);
	fd = open_or_die(path_of("%s/%s", dir, argument),
			 flags | O_NONBLOCK | (status & ~SETTABLE));
	if (exactly && fcntl(fd, F_SETFL, status & SETTABLE))
		die("F_SETFL %s", argument);
	if (dup2(fd, FIRST + n) < 0)
		die("dup2");
	close(fd);
}

static int flag_set(int fd, const char *letter)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -1;
	flags |= *letter == 'i' ? FS_IMMUTABLE_FL : FS_APPEND_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* @words: whom, and the signal. */
static int own(int fd, char *words)
{
	char *whom = strtok(words, " "), *number = strtok(NULL, " ");
	struct f_owner_ex owner = {F_OWNER_PID, getpid()};

	if (!strcmp(whom, "thread"))
		owner = (struct f_owner_ex){F_OWNER_TID, gettid()};
	else if (!strcmp(whom, "group"))
		owner = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
	if (strcmp(whom, "none") && fcntl(fd, F_SETOWN_EX, &owner))
		return -1;
	return fcntl(fd, F_SETSIG, atoi(number));
}

static void answer(char *line)
{
	char *word = strtok(line, " "), *number = strtok(NULL, " ");
	char *rest = strtok(NULL, "");
	int fd = FIRST + (number ? atoi(number) : 0), bytes, ret = -1;

	errno = EINVAL;
	if (word && rest && !strcmp(word, "link")) {
		ret = linkat(AT_FDCWD, path_of("/proc/self/fd/%d", fd), AT_FDCWD,
			     path_of("%s/%s", dir, rest), AT_SYMLINK_FOLLOW);
	} else if (word && rest && !strcmp(word, "write")) {
		ret = write(fd, rest, strlen(rest)) < 0;
	} else if (word && rest && !strcmp(word, "own")) {
		ret = own(fd, rest);
	} else if (word && rest && !strcmp(word, "flag")) {
		ret = flag_set(fd, rest);
	} else if (word && !strcmp(word, "unread")) {
		ret = ioctl(fd, FIONREAD, &bytes);
		if (!ret) {
			printf("%d\n", bytes);
			return;
		}
	}
	if (ret)
		printf("failed %s\n", strerror(errno));
	else
		printf("ok\n");
}

/* A test that fails could not remove its file otherwise; root may always. */
static int flags_print(int fd)
{
	char text[4096];
	int flags, none;
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		die("fd %d", fd);
	none = flags & ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	printf("%s%s %.*s", flags & FS_IMMUTABLE_FL ? "immutable" : "",
	       flags & FS_APPEND_FL ? "append" : "", (int)n, text);
	return ioctl(fd, FS_IOC_SETFLAGS, &none) ? 1 : 0;
}

static uint64_t sum_more(uint64_t sum, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3u;
	return sum;
}

static int pipe_fill(const char *path, int capacity, size_t size)
{
	int fd = open_or_die(path, O_RDWR | O_NONBLOCK);
	unsigned char *bytes = malloc(size);
	uint64_t sum;

	if (!bytes || fcntl(fd, F_SETPIPE_SZ, capacity) < 0)
		die("F_SETPIPE_SZ");
	for (size_t i = 0; i < size; i++)
		bytes[i] = i * 2654435761u >> 13;
	if (write(fd, bytes, size) != (ssize_t)size)
		die("write %s", path);
	sum = sum_more(0xcbf29ce484222325u, bytes, size);
	printf("%016llx\n", (unsigned long long)sum_more(sum, (void *)"tail", 4));
	free(bytes);
	return 0;
}

static int pipe_drain(int fd)
{
	int capacity = fcntl(fd, F_GETPIPE_SZ);
	uint64_t sum = 0xcbf29ce484222325u;
	unsigned char bytes[4096];
	size_t size = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		sum = sum_more(sum, bytes, n);
		size += n;
	}
	printf("capacity %d bytes %zu sum %016llx\n", capacity, size,
	       (unsigned long long)sum);
	return 0;
}

int main(int argc, char **argv)
{
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "--flags"))
		return flags_print(atoi(argv[2]));
	if (argc == 5 && !strcmp(argv[1], "--fill"))
		return pipe_fill(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 3 && !strcmp(argv[1], "--drain"))
		return pipe_drain(atoi(argv[2]));
	if (argc < 5 || argc - 4 > MOST) {
		fprintf(stderr, "usage: keep HOLD SITUATION DIR NAME=HOW...\n");
		return 2;
	}
	dir = argv[3];
	for (int i = 4; i < argc; i++)
		keep(i - 4, argv[i]);
	printf("ready %d fd=%d\n", getpid(), FIRST);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(line);
	}
	return 0;
}

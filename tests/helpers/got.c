/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a restored program was given, as JSON on stdout:
 *
 *   got                 {"cwd", "environment":{LISTEN_*, RELINKTRACE_*}, "fds":[…]}, the
 *                       fds from 3 on
 *   got --stat PATH...  one object a path; links of /proc are followed
 *
 * `shares` of an fd is the lowest fd with which it shares its position, itself if there
 * is none: one is moved, and the other looked at.
 */
#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "lib.h"

#define MAX_FDS 1024

extern char **environ;

/* Control bytes are escaped, all others go through as they are. */
static void string_print(const char *text)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\' || *c < ' ')
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "regular";
	case S_IFDIR:
		return "directory";
	case S_IFIFO:
		return "fifo";
	default:
		return "other";
	}
}

/* Members of the inode behind @path. Opened anew: the position of an inherited fd, and
 * whether it may read, do not matter. A FIFO is not opened, that could wait for ever. */
static void inode_print(const char *path)
{
	struct stat is;
	/* Written as an int, but by FUSE as a long. */
	union {
		int number;
		long room;
	} generation = {.room = 0};
	int fd;

	if (stat(path, &is))
		die("stat %s", path);
	printf("\"type\":\"%s\",\"dev\":\"%u:%u\",\"ino\":%llu,\"nlink\":%u,\"mode\":%u,"
	       "\"uid\":%u,\"gid\":%u,\"size\":%lld,\"allocated\":%lld",
	       type_name(is.st_mode), major(is.st_dev), minor(is.st_dev),
	       (unsigned long long)is.st_ino, (unsigned int)is.st_nlink,
	       is.st_mode & 07777, is.st_uid, is.st_gid, (long long)is.st_size,
	       (long long)is.st_blocks * 512);
	if (!S_ISREG(is.st_mode))
		return;
	fd = open_or_die(path, O_RDONLY);
	printf(",\"sum\":\"%016llx\"", (unsigned long long)sum_of_fd(fd));
	if (!ioctl(fd, FS_IOC_GETVERSION, &generation))
		printf(",\"generation\":%u", (unsigned int)generation.number);
	close(fd);
}

static int shares_position(int fd, int other)
{
	off_t before = lseek(fd, 0, SEEK_CUR), there = lseek(other, 0, SEEK_CUR);
	int shares;

	if (before < 0 || there != before)
		return 0;
	lseek(fd, before + 1, SEEK_SET);
	shares = lseek(other, 0, SEEK_CUR) == before + 1;
	lseek(fd, before, SEEK_SET);
	return shares;
}

static void fd_print(const int *fds, int n)
{
	int fd = fds[n], shares = fd;
	struct f_owner_ex owner = {0};

	for (int i = 0; i < n && shares == fd; i++) {
		if (shares_position(fd, fds[i]))
			shares = fds[i];
	}
	printf("%s{\"fd\":%d,\"pos\":%lld,\"flags\":%d,\"cloexec\":%s,\"shares\":%d,",
	       n ? "," : "", fd, (long long)lseek(fd, 0, SEEK_CUR), fcntl(fd, F_GETFL),
	       fcntl(fd, F_GETFD) & FD_CLOEXEC ? "true" : "false", shares);
	fcntl(fd, F_GETOWN_EX, &owner); /* not of O_PATH */
	printf("\"owner\":%d,\"owned_by\":%d,\"signal\":%d,", owner.pid, owner.type,
	       fcntl(fd, F_GETSIG));
	inode_print(path_of("/proc/self/fd/%d", fd));
	printf("}");
}

static int fd_compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int fds_list(int fds[MAX_FDS])
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	if (!dir)
		die("open /proc/self/fd");
	while ((entry = readdir(dir)) && n < MAX_FDS) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			fds[n++] = fd;
	}
	closedir(dir);
	qsort(fds, n, sizeof(*fds), fd_compare);
	return n;
}

static void environment_print(void)
{
	int n = 0;

	for (char **variable = environ; *variable; variable++) {
		const char *value = strchr(*variable, '=');

		if (!value || (strncmp(*variable, "LISTEN_", 7) &&
			       strncmp(*variable, "RELINKTRACE_", 12)))
			continue;
		printf("%s\"%.*s\":", n++ ? "," : "", (int)(value - *variable),
		       *variable);
		string_print(value + 1);
	}
}

int main(int argc, char **argv)
{
	int fds[MAX_FDS], n = fds_list(fds);
	char cwd[4096] = "";

	for (int i = 2; i < argc; i++) {
		printf("{");
		inode_print(argv[i]);
		printf("}\n");
	}
	if (argc > 1)
		return 0;
	if (readlink("/proc/self/cwd", cwd, sizeof(cwd) - 1) < 0)
		die("readlink /proc/self/cwd");
	printf("{\"pid\":%d,\"cwd\":", getpid());
	string_print(cwd);
	printf(",\"environment\":{");
	environment_print();
	printf("},\"fds\":[");
	for (int i = 0; i < n; i++)
		fd_print(fds, i);
	printf("]}\n");
	return 0;
}

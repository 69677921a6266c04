/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Swaps what a name, a mount point or an fd leads to, as fast as it can, until stdin is
 * closed; says `ready PID` when it has begun, and `raced N` with the number of its rounds:
 *
 *   racer exchange A B      rename(2) with RENAME_EXCHANGE, there and back
 *   racer symlink A TARGET  folder A is away and a symbolic link to TARGET in its place
 *   racer move A B          A is B, and A again
 *   racer names DIR TARGET  whatever name is in DIR becomes a symbolic link to TARGET, and
 *                           itself again
 *   racer mount A           an empty tmpfs is mounted over A, and taken away
 *   racer fd A B OTHER      fd 10 is A, B, and OTHER; A and B have been unlinked and are
 *                           fds 11 and 12 too
 *
 * A name that is not there at the moment is no failure: others race too.
 */
#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/mount.h>

#include "lib.h"

static bool go_on(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) == 0;
}

static void race_exchange(char **args)
{
	renameat2(AT_FDCWD, args[0], AT_FDCWD, args[1], RENAME_EXCHANGE);
}

static void race_symlink(char **args)
{
	const char *away = path_of("%s.away", args[0]);

	if (rename(args[0], away))
		return;
	if (!symlink(args[1], args[0]))
		unlink(args[0]);
	rename(away, args[0]);
}

static void race_move(char **args)
{
	if (!rename(args[0], args[1]))
		rename(args[1], args[0]);
}

static void race_names(char **args)
{
	DIR *dir = opendir(args[0]);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *name = path_of("%s/%s", args[0], entry->d_name);
		const char *away = path_of("%s.away", args[0]);

		if (entry->d_name[0] == '.' || rename(name, away))
			continue;
		if (!symlink(args[1], name))
			unlink(name);
		rename(away, name);
	}
	if (dir)
		closedir(dir);
}

static void race_mount(char **args)
{
	if (!mount("racer", args[0], "tmpfs", 0, NULL))
		umount2(args[0], MNT_DETACH);
}

static void put_at(const char *path, int flags, int number, bool forget)
{
	int fd = open_or_die(path, flags);

	if (dup2(fd, number) < 0)
		die("dup2");
	close(fd);
	if (forget && unlink(path))
		die("unlink %s", path);
}

static void fd_begin(char **args)
{
	put_at(args[0], O_RDWR, 11, true);
	put_at(args[1], O_RDWR, 12, true);
	put_at(args[2], O_RDONLY, 13, false);
	dup2(11, 10);
}

static void race_fd(char **args)
{
	(void)args;
	dup2(12, 10);
	dup2(13, 10);
	dup2(11, 10);
}

static const struct {
	const char *name;
	int args;
	void (*begin)(char **args);
	void (*race)(char **args);
} races[] = {
	{"exchange", 2, NULL, race_exchange}, {"symlink", 2, NULL, race_symlink},
	{"move", 2, NULL, race_move},	      {"names", 2, NULL, race_names},
	{"mount", 1, NULL, race_mount},	      {"fd", 3, fd_begin, race_fd},
};

int main(int argc, char **argv)
{
	unsigned long rounds = 0;
	size_t i = 0;

	while (i < sizeof(races) / sizeof(races[0]) &&
	       (argc < 2 || strcmp(argv[1], races[i].name)))
		i++;
	if (i == sizeof(races) / sizeof(races[0]) || argc != 2 + races[i].args) {
		fprintf(stderr, "usage: see the head of racer.c\n");
		return 2;
	}
	if (races[i].begin)
		races[i].begin(argv + 2);
	for (; go_on(); rounds++) {
		races[i].race(argv + 2);
		if (!rounds && (printf("ready %d\n", getpid()) < 0 || fflush(stdout)))
			die("stdout");
	}
	printf("raced %lu\n", rounds);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Swaps what a name, a mount point or an fd leads to, as fast as it can, until stdin is
 * closed; says `ready PID` when it has begun, and `raced N HITS` with the number of its rounds
 * and of those in which it did swap something. The file $RACER_HITS, where that is set, has the
 * second at any time:
 *
 *   racer exchange A B      rename(2) with RENAME_EXCHANGE, there and back
 *   racer symlink A TARGET  folder A is away and a symbolic link to TARGET in its place
 *   racer move A B          A is B, and A again
 *   racer names DIR TARGET  whatever name is in DIR becomes a symbolic link to TARGET, and
 *                           itself again
 *   racer nodes DIR FIFO    what is called node in a folder .relinktrace-* of DIR, which
 *                           restore makes again, becomes a hard link to FIFO, and then a
 *                           symbolic link, and itself again
 *   racer remount A B       the mount at A is moved to B, and back
 *   racer pid CGROUP DIR    one process id is a task in the cgroup of that folder, whose fd 10
 *                           is DIR/one, and one in this cgroup, whose fd 10 is DIR/other; both
 *                           by names that have been unlinked
 *   racer mount A           an empty tmpfs is mounted over A, and taken away
 *   racer fd A B OTHER      fd 10 is A, B, and OTHER; A and B have been unlinked and are
 *                           fds 11 and 12 too
 *
 * A name that is not there at the moment is no failure: others race too.
 */
#include <dirent.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib.h"

static bool go_on(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) == 0;
}

static bool race_exchange(char **args)
{
	return !renameat2(AT_FDCWD, args[0], AT_FDCWD, args[1], RENAME_EXCHANGE);
}

static bool race_symlink(char **args)
{
	const char *away = path_of("%s.away", args[0]);
	bool hit;

	if (rename(args[0], away))
		return false;
	hit = !symlink(args[1], args[0]);
	if (hit)
		unlink(args[0]);
	rename(away, args[0]);
	return hit;
}

static bool race_move(char **args)
{
	return !rename(args[0], args[1]) && !rename(args[1], args[0]);
}

static bool race_names(char **args)
{
	DIR *dir = opendir(args[0]);
	struct dirent *entry;
	bool hit = false;

	while (dir && (entry = readdir(dir))) {
		const char *name = path_of("%s/%s", args[0], entry->d_name);
		const char *away = path_of("%s.away", args[0]);

		if (entry->d_name[0] == '.' || rename(name, away))
			continue;
		if (!symlink(args[1], name)) {
			hit = true;
			unlink(name);
		}
		rename(away, name);
	}
	if (dir)
		closedir(dir);
	return hit;
}

/* @other takes the place of @node, which then comes back. */
static bool swap_node(const char *node, const char *other)
{
	bool hit = !renameat2(AT_FDCWD, node, AT_FDCWD, other, RENAME_EXCHANGE);

	if (hit) {
		/* long enough to be looked at, most times */
		usleep(rand() % 500);
		renameat2(AT_FDCWD, node, AT_FDCWD, other, RENAME_EXCHANGE);
	}
	unlink(other);
	return hit;
}

static bool race_nodes(char **args)
{
	DIR *dir = opendir(args[0]);
	struct dirent *entry;
	bool hit = false;

	while (dir && (entry = readdir(dir))) {
		const char *node = path_of("%s/%s/node", args[0], entry->d_name);
		const char *hard = path_of("%s.hard", args[0]);
		const char *soft = path_of("%s.soft", args[0]);

		if (strncmp(entry->d_name, ".relinktrace-", 13) != 0)
			continue;
		for (int i = 0; i < 20 && !hit; i++) {
			if (!link(args[1], hard))
				hit = swap_node(node, hard);
			if (!symlink(args[1], soft))
				hit |= swap_node(node, soft);
		}
	}
	if (dir)
		closedir(dir);
	return hit;
}

static bool race_mount(char **args)
{
	return !mount("racer", args[0], "tmpfs", 0, NULL) &&
	       !umount2(args[0], MNT_DETACH);
}

static bool race_remount(char **args)
{
	return !mount(args[0], args[1], NULL, MS_MOVE, NULL) &&
	       !mount(args[1], args[0], NULL, MS_MOVE, NULL);
}

/* Holds @dir/@kept as fd 10 by a name that has gone, says so on @ready, and waits. */
static void __attribute__((noreturn))
hold_kept(const char *dir, const char *kept, int ready)
{
	const char *name = path_of("%s/%s.%d", dir, kept, getpid());

	unlink(name);
	if (link(path_of("%s/%s", dir, kept), name) ||
	    dup2(open_or_die(name, O_RDWR), 10) < 0 || unlink(name) ||
	    write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* A task with process id @pid, in the cgroup of @cgroup_fd (-1: ours), for a while that is
 * never the same. Whether there was one. */
static bool hold_as(pid_t pid, int cgroup_fd, const char *dir, const char *kept)
{
	struct clone_args clone = {
		.flags = cgroup_fd < 0 ? 0 : CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
		.cgroup = cgroup_fd < 0 ? 0 : cgroup_fd,
	};
	int ready[2];
	char byte;
	bool hit;
	pid_t made;

	if (pipe2(ready, O_CLOEXEC))
		die("pipe");
	made = syscall(SYS_clone3, &clone, sizeof(clone));
	if (!made)
		hold_kept(dir, kept, ready[1]);
	close(ready[1]);
	hit = made > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	if (made < 0)
		return false;
	if (hit)
		usleep(rand() % 1500);
	kill(made, SIGKILL);
	waitpid(made, NULL, 0);
	return hit;
}

static int pid_cgroup = -1;
static pid_t pid_again;

/* One that is free. */
static void pid_begin(char **args)
{
	if (pid_cgroup < 0)
		pid_cgroup = open_or_die(args[0], O_RDONLY | O_DIRECTORY);
	pid_again = fork();
	if (!pid_again)
		_exit(0);
	if (pid_again < 0 || waitpid(pid_again, NULL, 0) < 0)
		die("fork");
}

static bool race_pid(char **args)
{
	bool hit = hold_as(pid_again, pid_cgroup, args[1], "one") &&
		   hold_as(pid_again, -1, args[1], "other");

	if (!hit)
		pid_begin(args); /* somebody else has it */
	return hit;
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

static bool race_fd(char **args)
{
	(void)args;
	dup2(12, 10);
	dup2(13, 10);
	return dup2(11, 10) == 10;
}

static const struct {
	const char *name;
	int args;
	void (*begin)(char **args);
	bool (*race)(char **args);
} races[] = {
	{"exchange", 2, NULL, race_exchange}, {"symlink", 2, NULL, race_symlink},
	{"move", 2, NULL, race_move},	      {"names", 2, NULL, race_names},
	{"mount", 1, NULL, race_mount},	      {"fd", 3, fd_begin, race_fd},
	{"nodes", 2, NULL, race_nodes},	      {"remount", 2, NULL, race_remount},
	{"pid", 2, pid_begin, race_pid},
};

/* For whoever waits until something was swapped. */
static void tell_hits(int fd, unsigned long hits)
{
	char text[32];

	if (fd >= 0)
		write_or_die(fd, text, snprintf(text, sizeof(text), "%lu\n", hits), 0);
}

int main(int argc, char **argv)
{
	const char *told = getenv("RACER_HITS");
	int hits_fd = told ? open_or_die(told, O_WRONLY | O_CREAT | O_TRUNC) : -1;
	unsigned long rounds = 0, hits = 0;
	size_t i = 0;

	while (i < sizeof(races) / sizeof(races[0]) &&
	       (argc < 2 || strcmp(argv[1], races[i].name)))
		i++;
	if (i == sizeof(races) / sizeof(races[0]) || argc != 2 + races[i].args) {
		fprintf(stderr, "usage: see the head of racer.c\n");
		return 2;
	}
	tell_hits(hits_fd, 0);
	if (races[i].begin)
		races[i].begin(argv + 2);
	for (; go_on(); rounds++) {
		if (races[i].race(argv + 2))
			tell_hits(hits_fd, ++hits);
		if (!rounds && (printf("ready %d\n", getpid()) < 0 || fflush(stdout)))
			die("stdout");
	}
	printf("raced %lu %lu\n", rounds, hits);
	return 0;
}

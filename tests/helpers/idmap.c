/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounts a folder a second time, with other owners:
 *
 *   idmap SOURCE TARGET FIRST COUNT
 *
 * what belongs to user and group N on the filesystem, N < COUNT, belongs to FIRST + N
 * through TARGET.
 */
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib.h"

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

/* struct mount_attr of linux/mount.h, which is younger than some headers. */
struct attributes {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

static void map_write(pid_t pid, const char *name, const char *map)
{
	int fd = open_or_die(path_of("/proc/%d/%s", pid, name), O_WRONLY);

	/* No pwrite(2) there. */
	if (write(fd, map, strlen(map)) != (ssize_t)strlen(map))
		die("write %s", name);
	close(fd);
}

/* An fd of a user namespace in which 0 is FIRST outside. */
static int namespace_make(const char *map)
{
	int ready[2], fd;
	pid_t child;
	char byte;

	if (pipe(ready))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) || write(ready[1], "", 1) != 1)
			die("unshare");
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	map_write(child, "uid_map", map);
	map_write(child, "gid_map", map);
	fd = open_or_die(path_of("/proc/%d/ns/user", child), O_RDONLY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return fd;
}

int main(int argc, char **argv)
{
	struct attributes attributes = {.attr_set = MOUNT_ATTR_IDMAP};
	int tree;

	if (argc != 5) {
		fprintf(stderr, "usage: idmap SOURCE TARGET FIRST COUNT\n");
		return 2;
	}
	attributes.userns_fd = namespace_make(path_of("0 %s %s\n", argv[3], argv[4]));
	tree = syscall(SYS_open_tree, AT_FDCWD, argv[1],
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		die("open_tree %s", argv[1]);
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes,
		    sizeof(attributes)))
		die("mount_setattr");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, argv[2], MOVE_MOUNT_F_EMPTY_PATH))
		die("move_mount %s", argv[2]);
	return 0;
}

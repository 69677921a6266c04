/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does to files what it is told, one thing after the other:
 *
 *   act NAME DIR
 *
 * Says `ready PID`, then answers each line of stdin with `ok`, or `failed ERRNO`. Names
 * are below DIR, slots are small numbers that stand for open files (close-on-exec):
 *
 *   create NAME SLOT   open NAME SLOT   tmpfile SLOT   tmpfile-excl SLOT
 *   link NAME NEW      linkfd SLOT NEW  unlink NAME    unlinkat NAME
 *   mkdir NAME         rmdir NAME       rmdirat NAME   rename NAME NEW
 *   renameat2 NAME NEW [noreplace|exchange|whiteout]
 *   uring NAME | uring-rename NAME NEW | sqpoll NAME       by io_uring
 *   close SLOT | map SLOT | unmap | send SLOT | receive SLOT | hang-up
 *   chdir NAME | become UID | exec | exit
 *   tracked DEV        answers `ok N: SLOT...`: entries of the pinned map of orphans that
 *                      are on the kernel's device number DEV, and the slots they are of;
 *                      `?INO` for one that is of no slot
 *   short-lived N      N times create, unlink, close
 *   deep SLOT          creates and unlinks what has a path longer than PATH_MAX
 */
#include <linux/bpf.h>
#include <linux/fs.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "ring.h"

#define SLOTS	16
#define MAP_LEN 4096

#ifndef RENAME_WHITEOUT
#define RENAME_WHITEOUT (1 << 2)
#endif

static const char *dir;
static int slots[SLOTS];
static ino_t inodes[SLOTS]; /* of what the slot was last given, also when it is closed */
static void *mapped;
static int sockets[2] = {-1, -1};
static struct ring plain = {.fd = -1}, polled = {.fd = -1};

static const char *at(const char *name)
{
	return path_of("%s/%s", dir, name);
}

static int slot_of(const char *word)
{
	int slot = atoi(word);

	if (slot <= 0 || slot >= SLOTS) {
		errno = EINVAL;
		die("slot %s", word);
	}
	return slot;
}

static int keep(const char *word, int fd)
{
	int slot = slot_of(word);
	struct stat st;

	if (fd < 0)
		return -1;
	if (slots[slot] >= 0)
		close(slots[slot]);
	if (fstat(fd, &st))
		die("fstat");
	for (int i = 0; i < SLOTS; i++) { /* numbers are used again */
		if (slots[i] < 0 && inodes[i] == st.st_ino)
			inodes[i] = 0;
	}
	slots[slot] = fd;
	inodes[slot] = st.st_ino;
	return 0;
}

static int do_create(char **word)
{
	int fd = open(at(word[1]), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0 && write(fd, word[1], strlen(word[1])) < 0)
		die("write %s", word[1]);
	return keep(word[2], fd);
}

static int do_open(char **word)
{
	return keep(word[2], open(at(word[1]), O_RDONLY | O_CLOEXEC));
}

static int do_tmpfile(char **word)
{
	return keep(word[1], open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int do_tmpfile_excl(char **word)
{
	return keep(word[1], open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
}

static int do_link(char **word)
{
	return link(at(word[1]), at(word[2]));
}

static int do_linkfd(char **word)
{
	return linkat(AT_FDCWD, path_of("/proc/self/fd/%d", slots[slot_of(word[1])]),
		      AT_FDCWD, at(word[2]), AT_SYMLINK_FOLLOW);
}

static int do_unlink(char **word)
{
	return unlink(at(word[1]));
}

static int do_unlinkat(char **word)
{
	int fd = open_or_die(dir, O_RDONLY | O_DIRECTORY);
	int ret = unlinkat(fd, word[1], 0), error = errno;

	close(fd);
	errno = error;
	return ret;
}

static int do_mkdir(char **word)
{
	return mkdir(at(word[1]), 0700);
}

static int do_rmdir(char **word)
{
	return rmdir(at(word[1]));
}

static int do_rmdirat(char **word)
{
	return unlinkat(AT_FDCWD, at(word[1]), AT_REMOVEDIR);
}

static int do_rename(char **word)
{
	return rename(at(word[1]), at(word[2]));
}

static int do_renameat2(char **word)
{
	unsigned int flags = 0;

	if (word[3])
		flags = !strcmp(word[3], "noreplace")  ? RENAME_NOREPLACE
			: !strcmp(word[3], "exchange") ? RENAME_EXCHANGE
						       : RENAME_WHITEOUT;
	return syscall(SYS_renameat2, AT_FDCWD, at(word[1]), AT_FDCWD, at(word[2]),
		       flags);
}

static int do_uring(char **word)
{
	struct io_uring_sqe request = {.opcode = IORING_OP_UNLINKAT,
				       .fd = AT_FDCWD,
				       .addr = (uintptr_t)at(word[1])};

	if (plain.fd < 0)
		ring_open(&plain, 0);
	return ring_do(&plain, &request);
}

static int do_uring_rename(char **word)
{
	struct io_uring_sqe request = {.opcode = IORING_OP_RENAMEAT,
				       .fd = AT_FDCWD,
				       .addr = (uintptr_t)at(word[1]),
				       .addr2 = (uintptr_t)at(word[2]),
				       .len = (unsigned int)AT_FDCWD};

	if (plain.fd < 0)
		ring_open(&plain, 0);
	return ring_do(&plain, &request);
}

static int do_sqpoll(char **word)
{
	struct io_uring_sqe request = {.opcode = IORING_OP_UNLINKAT,
				       .fd = AT_FDCWD,
				       .addr = (uintptr_t)at(word[1])};

	if (polled.fd < 0)
		ring_open(&polled, IORING_SETUP_SQPOLL);
	return ring_do(&polled, &request);
}

static int do_close(char **word)
{
	int slot = slot_of(word[1]), fd = slots[slot];

	slots[slot] = -1;
	return close(fd);
}

static int do_map(char **word)
{
	mapped = mmap(NULL, MAP_LEN, PROT_READ, MAP_SHARED, slots[slot_of(word[1])], 0);
	return mapped == MAP_FAILED ? -1 : 0;
}

static int do_unmap(char **word)
{
	(void)word;
	return munmap(mapped, MAP_LEN);
}

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static int do_send(char **word)
{
	union control control = {.header = {.cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS,
					    .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec byte = {"", 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};

	if (sockets[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		die("socketpair");
	memcpy(CMSG_DATA(&control.header), &slots[slot_of(word[1])], sizeof(int));
	return sendmsg(sockets[0], &message, 0) == 1 ? 0 : -1;
}

static int do_receive(char **word)
{
	union control control = {0};
	char text;
	struct iovec byte = {&text, 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	int fd;

	if (recvmsg(sockets[1], &message, MSG_CMSG_CLOEXEC) != 1 ||
	    !CMSG_FIRSTHDR(&message))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return keep(word[1], fd);
}

static int do_hang_up(char **word)
{
	(void)word;
	for (int i = 0; i < 2; i++) {
		close(sockets[i]);
		sockets[i] = -1;
	}
	return 0;
}

static int do_chdir(char **word)
{
	return chdir(at(word[1]));
}

static int do_become(char **word)
{
	return seteuid(0) || seteuid(atoi(word[1])) ? -1 : 0;
}

static int do_exec(char **word)
{
	(void)word;
	execl("/proc/self/exe", "act", "act", dir, (char *)NULL);
	return -1;
}

static int do_exit(char **word)
{
	(void)word;
	_exit(0);
}

static int do_short_lived(char **word)
{
	for (int i = atoi(word[1]); i > 0; i--) {
		int fd = open_or_die(at("short-lived"), O_RDWR | O_CREAT | O_EXCL);

		if (unlink(at("short-lived")))
			die("unlink");
		close(fd);
	}
	return 0;
}

/* Below DIR by more than PATH_MAX bytes: only who stands there can name it. */
static int do_deep(char **word)
{
	char name[NAME_MAX + 1];
	int fd = open_or_die(dir, O_RDONLY | O_DIRECTORY);

	memset(name, 'd', NAME_MAX);
	name[NAME_MAX] = '\0';
	for (int i = 0; i < PATH_MAX / NAME_MAX + 1; i++) {
		int next;

		if (mkdirat(fd, name, 0700))
			die("mkdirat");
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	if (keep(word[1], openat(fd, "deep", O_RDWR | O_CREAT | O_CLOEXEC, 0600)))
		die("create");
	if (write(slots[slot_of(word[1])], "deep", 4) != 4 || unlinkat(fd, "deep", 0))
		die("unlink");
	return close(fd);
}

/* struct rt_orphan of bpf/relinktrace.h, as far as it is needed. */
struct entry {
	uint64_t unlinked_ns, ino, inode, cgroup_id;
	uint32_t dev;
	char rest[28];
};

static int bpf_call(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int do_tracked(char **word)
{
	union bpf_attr attr = {.pathname =
				       (uintptr_t) "/sys/fs/bpf/relinktrace/rt_orphans"};
	int map = bpf_call(BPF_OBJ_GET, &attr), n = 0, strangers = 0;
	ino_t strange[SLOTS];
	int is_there[SLOTS] = {0};
	uint64_t key, next;

	if (map < 0)
		return -1;
	for (uint64_t *from = NULL;; from = &key) {
		struct entry entry;
		int known = 0;

		attr = (union bpf_attr){.map_fd = map,
					.key = (uintptr_t)from,
					.next_key = (uintptr_t)&next};
		if (bpf_call(BPF_MAP_GET_NEXT_KEY, &attr))
			break;
		key = next;
		attr = (union bpf_attr){.map_fd = map,
					.key = (uintptr_t)&key,
					.value = (uintptr_t)&entry};
		if (bpf_call(BPF_MAP_LOOKUP_ELEM, &attr) ||
		    entry.dev != strtoul(word[1], NULL, 10))
			continue;
		n++;
		/* a closed slot counts where it is the only one */
		for (int closed = 0; closed < 2 && !known; closed++) {
			for (int i = 0; i < SLOTS; i++) {
				if ((slots[i] < 0) != closed || inodes[i] != entry.ino)
					continue;
				is_there[i] = known = 1;
			}
		}
		if (!known && strangers < SLOTS)
			strange[strangers++] = entry.ino;
	}
	close(map);
	printf("ok %d:", n);
	for (int i = 0; i < SLOTS; i++) {
		if (is_there[i])
			printf(" %d", i);
	}
	for (int i = 0; i < strangers; i++)
		printf(" ?%ju", (uintmax_t)strange[i]);
	printf("\n");
	return 1;
}

static const struct command {
	const char *name;
	int (*run)(char **word); /* 0, -1 with errno, 1 when it has answered itself */
} commands[] = {
	{"create", do_create},
	{"open", do_open},
	{"tmpfile", do_tmpfile},
	{"tmpfile-excl", do_tmpfile_excl},
	{"link", do_link},
	{"linkfd", do_linkfd},
	{"unlink", do_unlink},
	{"unlinkat", do_unlinkat},
	{"mkdir", do_mkdir},
	{"rmdir", do_rmdir},
	{"rmdirat", do_rmdirat},
	{"rename", do_rename},
	{"renameat2", do_renameat2},
	{"uring", do_uring},
	{"uring-rename", do_uring_rename},
	{"sqpoll", do_sqpoll},
	{"close", do_close},
	{"map", do_map},
	{"unmap", do_unmap},
	{"send", do_send},
	{"receive", do_receive},
	{"hang-up", do_hang_up},
	{"chdir", do_chdir},
	{"become", do_become},
	{"exec", do_exec},
	{"exit", do_exit},
	{"short-lived", do_short_lived},
	{"deep", do_deep},
	{"tracked", do_tracked},
};

static void answer(char *line)
{
	char *word[5] = {NULL}, *save = NULL;
	int n = 0, ret = -1;

	for (char *next = strtok_r(line, " \n", &save); next && n < 4;
	     next = strtok_r(NULL, " \n", &save))
		word[n++] = next;
	errno = EINVAL;
	for (size_t i = 0; n && i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(commands[i].name, word[0]))
			ret = commands[i].run(word);
	}
	if (ret < 0)
		printf("failed %s\n", strerrorname_np(errno));
	else if (!ret)
		printf("ok\n");
}

int main(int argc, char **argv)
{
	char line[4096];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3) {
		fprintf(stderr, "usage: act NAME DIR\n");
		return 2;
	}
	dir = realpath(argv[2], NULL);
	if (!dir)
		die("%s", argv[2]);
	umask(0);
	for (int i = 0; i < SLOTS; i++)
		slots[i] = -1;
	printf("ready %d\n", getpid());
	while (fgets(line, sizeof(line), stdin))
		answer(line);
	return 0;
}

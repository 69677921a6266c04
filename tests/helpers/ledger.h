/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the random workload (storm.c) writes down for those who compare (freezes.c),
 * because no file of /proc tells it: which files wait in a Unix socket, and which are
 * registered with an io_uring. In a file that both map.
 *
 * A task can be frozen between a call and its entry: meanwhile the entry is unsure.
 */
#ifndef RELINKTRACE_TEST_LEDGER_H
#define RELINKTRACE_TEST_LEDGER_H

#include <sys/mman.h>

#include "lib.h"

/* Files of one socket or ring, and their inode numbers: 0 is none. */
#define LEDGER_FILES 8

struct ledger_entry {
	uint64_t socket; /* inode number of the socket that they wait in; not of rings */
	uint32_t unsure; /* any of them may be held, or not */
	uint32_t n;
	uint64_t inos[LEDGER_FILES];
};

/* A socket's entry is found by its inode number, which the kernel counts up: they are far
 * fewer than this between the first and the last of those that live at one moment. */
#define LEDGER_SOCKETS (1 << 16)

/* A ring is known by its fd, the same in every process that has it. */
#define LEDGER_RINGS 64
#define RING_FD	     600

struct ledger {
	struct ledger_entry sockets[LEDGER_SOCKETS];
	struct ledger_entry rings[LEDGER_RINGS];
};

static inline struct ledger *ledger_map(const char *path)
{
	int fd = open_or_die(path, O_RDWR | O_CREAT);
	struct ledger *ledger;

	if (ftruncate(fd, sizeof(*ledger)))
		die("ftruncate %s", path);
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ledger == MAP_FAILED)
		die("mmap %s", path);
	close(fd);
	return ledger;
}

static inline struct ledger_entry *ledger_socket(struct ledger *ledger, uint64_t ino)
{
	return &ledger->sockets[ino % LEDGER_SOCKETS];
}

static inline void ledger_begin(struct ledger_entry *entry)
{
	__atomic_store_n(&entry->unsure, 1, __ATOMIC_SEQ_CST);
}

static inline void ledger_end(struct ledger_entry *entry)
{
	__atomic_store_n(&entry->unsure, 0, __ATOMIC_SEQ_CST);
}

#endif

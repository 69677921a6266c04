/* SPDX-License-Identifier: GPL-2.0-only */
/* An io_uring without liburing, for one request at a time. */
#ifndef RELINKTRACE_TEST_RING_H
#define RELINKTRACE_TEST_RING_H

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lib.h"

struct ring {
	int fd;
	struct io_uring_sqe *sqes;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_cqe *cqes;
};

static inline void *ring_map(int fd, size_t size, off_t what)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, what);

	if (at == MAP_FAILED)
		die("mmap of an io_uring");
	return at;
}

/* @flags: of struct io_uring_params. */
static inline void ring_open(struct ring *ring, unsigned int flags)
{
	struct io_uring_params params = {.flags = flags, .sq_thread_idle = 1000};
	char *sq, *cq;

	ring->fd = syscall(SYS_io_uring_setup, 4, &params);
	if (ring->fd < 0)
		die("io_uring_setup");
	sq = ring_map(ring->fd,
		      params.sq_off.array + params.sq_entries * sizeof(unsigned int),
		      IORING_OFF_SQ_RING);
	cq = ring_map(ring->fd,
		      params.cq_off.cqes + params.cq_entries * sizeof(*ring->cqes),
		      IORING_OFF_CQ_RING);
	ring->sqes = ring_map(ring->fd, params.sq_entries * sizeof(*ring->sqes),
			      IORING_OFF_SQES);
	ring->sq_tail = (void *)(sq + params.sq_off.tail);
	ring->sq_mask = (void *)(sq + params.sq_off.ring_mask);
	ring->sq_array = (void *)(sq + params.sq_off.array);
	ring->cq_head = (void *)(cq + params.cq_off.head);
	ring->cq_tail = (void *)(cq + params.cq_off.tail);
	ring->cq_mask = (void *)(cq + params.cq_off.ring_mask);
	ring->cqes = (void *)(cq + params.cq_off.cqes);
}

/* Does @request and waits for its end: -1 with errno when it failed. The wakeup is for a
 * ring with a thread of its own (IORING_SETUP_SQPOLL), and means nothing to others. */
static inline int ring_do(struct ring *ring, const struct io_uring_sqe *request)
{
	unsigned int tail = *ring->sq_tail, place = tail & *ring->sq_mask, head;
	int result;

	ring->sqes[place] = *request;
	ring->sq_array[place] = place;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	head = *ring->cq_head;
	/* To be frozen interrupts it. */
	for (unsigned int wanted = 1;
	     head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE); wanted = 0)
		if (syscall(SYS_io_uring_enter, ring->fd, wanted, 1,
			    IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL,
			    0) < 0 &&
		    errno != EINTR)
			die("io_uring_enter");
	result = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	errno = result < 0 ? -result : 0;
	return result < 0 ? -1 : 0;
}

#endif

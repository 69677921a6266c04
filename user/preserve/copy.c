/* SPDX-License-Identifier: GPL-2.0-only */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/interrupt.h"
#include "base/progress.h"

/* Between two looks at the interrupt flag: some 10 ms on a slow disk. */
#define STEP_BYTES (8U << 20)

/* The same where there is a deadline: some 100 ms on a very slow one. */
#define TIMED_STEP_BYTES (1U << 20)

#define BUFFER_BYTES (256U << 10)

/* No filesystem has smaller blocks: a file of so many bytes is a hole, or has none. */
#define BLOCK_BYTES 512

/* Less is quicker by way of us than by copy_file_range(2). */
#define LITTLE_BYTES 4096

int copy_clone(int src, int dst)
{
	return ioctl(dst, FICLONE, src) ? -errno : 0;
}

/* Whether copy_file_range(2) will not do for these two files where read and write may. */
static bool range_refused(int error)
{
	return error == EXDEV || error == EINVAL || error == ENOSYS ||
	       error == EOPNOTSUPP;
}

/* Copies up to @len bytes at @pos through @buffer, which has as many. The number; 0 at the
 * end of @src; -errno. */
static ssize_t copy_through(int src, int dst, off_t pos, char *buffer, size_t len)
{
	ssize_t got = pread(src, buffer, len, pos), put;

	if (got < 0)
		return -errno;
	for (ssize_t done = 0; done < got; done += put) {
		put = pwrite(dst, buffer + done, got - done, pos + done);
		if (put < 0)
			return -errno;
	}
	return got;
}

static ssize_t copy_buffer(int src, int dst, off_t pos, size_t len)
{
	AUTO_FREE char *buffer = malloc(BUFFER_BYTES);

	return buffer ? copy_through(src, dst, pos, buffer,
				     len < BUFFER_BYTES ? len : BUFFER_BYTES)
		      : -ENOMEM;
}

/* By the kernel where it can, but for a little, which it would move by a pipe. */
static ssize_t copy_piece(int src, int dst, off_t pos, size_t len)
{
	off_t in = pos, out = pos;
	char little[LITTLE_BYTES];
	ssize_t copied;

	if (len <= sizeof(little))
		return copy_through(src, dst, pos, little, len);
	copied = copy_file_range(src, &in, dst, &out, len, 0);
	/* 0 may also be a filesystem that does not know the size (procfs-like). */
	if (copied > 0)
		return copied;
	if (copied < 0 && !range_refused(errno))
		return -errno;
	return copy_buffer(src, dst, pos, len);
}

/* Copies from @pos up to @end, or to where @src ends by now. */
static int copy_data(int src, int dst, off_t pos, off_t end, uint64_t *bytes)
{
	off_t step = interrupt_is_timed() ? TIMED_STEP_BYTES : STEP_BYTES;

	while (pos < end) {
		size_t len = end - pos < step ? end - pos : step;
		ssize_t copied;
		int stop = interrupt_check();

		if (stop)
			return stop;
		copied = copy_piece(src, dst, pos, len);
		if (copied == -EINTR)
			continue;
		if (copied < 0)
			return copied;
		if (!copied)
			return 0;
		pos += copied;
		*bytes += copied;
		progress_add(copied, copied);
	}
	return 0;
}

/* Copies @size bytes, all of @src, which are one block at most, where they are not a hole for
 * sure. Whether that is done; -errno. */
static int copy_block(int src, int dst, size_t size)
{
	static const char zeros[BLOCK_BYTES];
	char block[BLOCK_BYTES];
	ssize_t n = pread(src, block, size, 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < size || !memcmp(block, zeros, size))
		return 0;
	n = pwrite(dst, block, size, 0);
	return n < 0 ? -errno : (size_t)n == size;
}

int copy_sparse(int src, int dst, uint64_t *bytes)
{
	uint64_t copied = 0;
	off_t pos = 0, end;
	struct stat st;
	int ret;

	if (fstat(src, &st))
		return -errno;
	ret = st.st_size && st.st_size <= BLOCK_BYTES ? copy_block(src, dst, st.st_size)
						      : 0;
	if (ret > 0) {
		progress_add(st.st_size, st.st_size);
		*bytes = st.st_size;
	}
	if (ret)
		return ret < 0 ? ret : 0;
	while (pos < st.st_size) {
		pos = lseek(src, pos, SEEK_DATA);
		if (pos < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (pos < 0)
			return -errno;
		end = lseek(src, pos, SEEK_HOLE);
		if (end < 0 && errno == ENXIO)
			break; /* shortened meanwhile */
		if (end < 0)
			return -errno;
		ret = copy_data(src, dst, pos, end < st.st_size ? end : st.st_size,
				&copied);
		if (ret)
			return ret;
		pos = end;
	}
	if (ftruncate(dst, st.st_size))
		return -errno;
	*bytes = copied;
	return 0;
}

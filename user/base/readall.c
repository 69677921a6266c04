/* SPDX-License-Identifier: GPL-2.0-only */
#include "readall.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"

int readall(int fd, size_t max, char **text, size_t *len)
{
	AUTO_FREE char *buffer = NULL;
	struct stat st;
	size_t done = 0;
	ssize_t n = 1;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	buffer = malloc(st.st_size + 1);
	if (!buffer)
		return -ENOMEM;
	while (n > 0 && done < (size_t)st.st_size) {
		n = read(fd, buffer + done, st.st_size - done);
		if (n < 0)
			return -errno;
		done += n;
	}
	buffer[done] = '\0';
	*text = TAKE_PTR(buffer);
	*len = done;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Release on leaving the scope: the one way in which user/ gives things back.
 * An AUTO_ variable owns what it holds; TAKE_FD and TAKE_PTR hand it over.
 */
#ifndef RELINKTRACE_AUTO_H
#define RELINKTRACE_AUTO_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(release) __attribute__((cleanup(release)))

static inline void auto_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void auto_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void auto_closedir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

static inline void auto_fclose(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

#define AUTO_FD	  AUTO(auto_close) int
#define AUTO_FREE AUTO(auto_free)
#define AUTO_DIR  AUTO(auto_closedir) DIR
#define AUTO_FILE AUTO(auto_fclose) FILE

#define TAKE_FD(fd)                                                                      \
	({                                                                               \
		int taken_ = (fd);                                                       \
		(fd) = -1;                                                               \
		taken_;                                                                  \
	})

#define TAKE_PTR(p)                                                                      \
	({                                                                               \
		__typeof__(p) taken_ = (p);                                              \
		(p) = NULL;                                                              \
		taken_;                                                                  \
	})

#endif

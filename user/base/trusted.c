/* SPDX-License-Identifier: GPL-2.0-only */
#include "trusted.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "why.h"

int trusted_check(int fd, const char *what, const char *path, char **why)
{
	struct stat st;

	if (fstat(fd, &st))
		return why_set(why, -errno, "cannot look at %s %s: %m", what, path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return why_set(why, -EPERM,
			       "%s %s belongs to user %u, who could have it remove "
			       "any file: look what it says, then chown it",
			       what, path, st.st_uid);
	if (st.st_mode & 022)
		return why_set(why, -EPERM,
			       "others may write to %s %s, and have it remove any "
			       "file: look what it says, then chmod go-w it",
			       what, path);
	return 0;
}

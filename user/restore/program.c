/* SPDX-License-Identifier: GPL-2.0-only */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"

/* The file @name in @dir (both may be relative), when it can be executed. */
static int find_in(const char *dir, size_t dir_len, const char *name, char **path)
{
	AUTO_FREE char *cwd = NULL, *found = NULL;
	struct stat st;

	if (dir_len ? dir[0] != '/' : name[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return -errno;
	}
	if (asprintf(&found, "%s%s%.*s%s%s", cwd ? cwd : "", cwd ? "/" : "", (int)dir_len,
		     dir, dir_len ? "/" : "", name) < 0) {
		found = NULL;
		return -ENOMEM;
	}
	if (stat(found, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, found, X_OK, AT_EACCESS))
		return -EACCES;
	*path = TAKE_PTR(found);
	return 0;
}

int program_find(const char *name, char **path)
{
	const char *search = getenv("PATH");
	int ret = -ENOENT;

	if (!*name)
		return -ENOENT;
	if (strchr(name, '/'))
		return find_in("", 0, name, path);
	/* glibc's default for execvp(3). */
	for (const char *dir = search ? search : "/bin:/usr/bin"; dir;) {
		size_t len = strcspn(dir, ":");
		int now = find_in(len ? dir : ".", len ? len : 1, name, path);

		if (!now || now == -ENOMEM)
			return now;
		if (now == -EACCES)
			ret = now;
		dir = dir[len] ? dir + len + 1 : NULL;
	}
	return ret;
}

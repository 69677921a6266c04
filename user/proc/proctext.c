/* SPDX-License-Identifier: GPL-2.0-only */
#include "proctext.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/auto.h"

/* include/linux/sched.h; shown in the ninth field of stat since ever. */
#define PF_EXITING 0x00000004U
#define PF_KTHREAD 0x00200000U

/* Fields of stat that come after the name, counted from the state as 0. */
#define STAT_PPID	1
#define STAT_FLAGS	6
#define STAT_THREADS	17
#define STAT_START_TIME 19

/* Parses an unsigned number at *@text and moves past it; strtoull alone would take blanks
 * and signs. */
static int number_take(const char **text, int base, uint64_t *value)
{
	char *end;
	uint64_t n;

	if (!strchr("0123456789abcdef", **text) || !**text)
		return -EINVAL;
	errno = 0;
	n = strtoull(*text, &end, base);
	if (errno || end == *text)
		return -EINVAL;
	*text = end;
	*value = n;
	return 0;
}

/* number_take(), then the one byte @after. */
static int number_take_to(const char **text, int base, char after, uint64_t *value)
{
	if (number_take(text, base, value) || **text != after)
		return -EINVAL;
	if (after)
		++*text;
	return 0;
}

/* The number in the blank-separated field @n of @fields. */
static int field_number(const char *fields, int n, uint64_t *value)
{
	while (n--) {
		fields = strchr(fields, ' ');
		if (!fields)
			return -EINVAL;
		fields++;
	}
	return number_take(&fields, 10, value);
}

int proctext_stat(const char *text, struct proctext_stat *out)
{
	struct proctext_stat stat = {0};
	/* The name may hold any bytes, ") (" too; nothing after it has a bracket. */
	const char *comm = strchr(text, '('), *end = strrchr(text, ')');
	uint64_t flags, ppid;
	size_t len;

	if (!comm || !end || end < comm || end[1] != ' ' || !end[2])
		return -EINVAL;
	len = end - ++comm;
	memcpy(stat.comm, comm, len < sizeof(stat.comm) ? len : sizeof(stat.comm) - 1);
	end += 2;
	stat.state = *end;
	if (field_number(end, STAT_PPID, &ppid) || ppid > INT_MAX ||
	    field_number(end, STAT_FLAGS, &flags) ||
	    field_number(end, STAT_THREADS, &stat.threads) ||
	    field_number(end, STAT_START_TIME, &stat.start_time))
		return -EINVAL;
	stat.ppid = ppid;
	stat.kthread = flags & PF_KTHREAD;
	stat.exiting = flags & PF_EXITING;
	*out = stat;
	return 0;
}

int proctext_value(const char *text, const char *key, int base, uint64_t *value)
{
	size_t len = strlen(key);

	while (text && *text) {
		const char *at = text + len;

		if (!strncmp(text, key, len) && *at && strchr(": \t", *at)) {
			at += strspn(at, ": \t");
			return number_take(&at, base, value);
		}
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return -ENOENT;
}

int proctext_fdinfo(const char *text, struct proctext_fdinfo *out)
{
	struct proctext_fdinfo info = {0};
	uint64_t flags, mnt_id;

	if (proctext_value(text, "pos", 10, &info.pos) ||
	    proctext_value(text, "flags", 8, &flags) ||
	    proctext_value(text, "mnt_id", 10, &mnt_id) || mnt_id > INT_MAX ||
	    flags > UINT32_MAX)
		return -EINVAL;
	info.flags = flags & ~(uint64_t)O_CLOEXEC;
	info.cloexec = flags & O_CLOEXEC;
	info.mnt_id = mnt_id;
	*out = info;
	return 0;
}

int proctext_map(const char *line, struct proctext_map *out)
{
	struct proctext_map map = {0};
	uint64_t major, minor, offset;

	if (number_take_to(&line, 16, '-', &map.start) ||
	    number_take_to(&line, 16, ' ', &map.end) || map.start >= map.end)
		return -EINVAL;
	line = strchr(line, ' '); /* past the permissions */
	if (!line)
		return -EINVAL;
	line++;
	if (number_take_to(&line, 16, ' ', &offset) ||
	    number_take_to(&line, 16, ':', &major) ||
	    number_take_to(&line, 16, ' ', &minor) || number_take(&line, 10, &map.ino) ||
	    (*line && *line != ' '))
		return -EINVAL;
	map.dev_major = major;
	map.dev_minor = minor;
	map.deleted = proctext_is_deleted(line + strspn(line, " "));
	*out = map;
	return 0;
}

int proctext_cgroup(const char *text, char **path)
{
	char *copy;

	while (strncmp(text, "0::/", 4)) {
		text = strchr(text, '\n');
		if (!text)
			return -ENOENT;
		text++;
	}
	text += 3;
	copy = strndup(text, strcspn(text, "\n"));
	if (!copy)
		return -ENOMEM;
	*path = copy;
	return 0;
}

int proctext_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t n;

	if (number_take_to(&text, 10, '\0', &n) || !n || n > max)
		return -EINVAL;
	*value = n;
	return 0;
}

bool proctext_is_deleted(const char *text)
{
	size_t len = strlen(text), tail = strlen(PROCTEXT_DELETED);

	return text[0] == '/' && len > tail &&
	       !strcmp(text + len - tail, PROCTEXT_DELETED);
}

int proctext_read(int dir_fd, const char *name, char **text)
{
	AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	AUTO_FREE char *buf = NULL;
	size_t len = 0, room = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (room - len < 2) {
			char *grown = realloc(buf, room ? room * 2 : 4096);

			if (!grown)
				return -ENOMEM;
			buf = grown;
			room = room ? room * 2 : 4096;
		}
		n = read(fd, buf + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	buf[len] = '\0';
	*text = TAKE_PTR(buf);
	return 0;
}

int proctext_readlink(int dir_fd, const char *name, char **text)
{
	/* The kernel itself has one buffer of PATH_MAX, so this is never cut. */
	char buf[PATH_MAX + 1];
	ssize_t len = readlinkat(dir_fd, name, buf, sizeof(buf));
	char *copy;

	if (len < 0)
		return -errno;
	copy = strndup(buf, len);
	if (!copy)
		return -ENOMEM;
	*text = copy;
	return 0;
}

int proctext_readlink_deleted(int dir_fd, const char *name, char **text)
{
	AUTO_FREE char *path = NULL;
	int ret = proctext_readlink(dir_fd, name, &path);

	if (ret)
		return ret;
	if (!proctext_is_deleted(path))
		return -ENOENT;
	path[strlen(path) - strlen(PROCTEXT_DELETED)] = '\0';
	*text = TAKE_PTR(path);
	return 0;
}

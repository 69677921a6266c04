/* SPDX-License-Identifier: GPL-2.0-only */
#include "template.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

bool relink_path_valid(const char *path)
{
	if (strlen(path) >= RELINK_PATH_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == 0 || len > NAME_MAX || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

bool absolute_path_valid(const char *path)
{
	if (*path != '/')
		return false;
	for (; path; path = strchr(path, '/')) {
		path++;
		if (path[0] == '.' &&
		    (path[1 + (path[1] == '.')] == '/' || !path[1 + (path[1] == '.')]))
			return false;
	}
	return true;
}

int template_expand(const char *template, uint64_t ktime, unsigned int n,
		    char out[static RELINK_PATH_MAX])
{
	char path[RELINK_PATH_MAX];
	size_t len = 0;

	for (; *template; template ++) {
		char piece[24] = {*template};
		size_t add;

		if (*template == '%') {
			switch (*++template) {
			case 't':
				snprintf(piece, sizeof(piece), "%08llx",
					 (unsigned long long)ktime);
				break;
			case 'n':
				snprintf(piece, sizeof(piece), "%u", n);
				break;
			case '%':
				break;
			default:
				return -EINVAL;
			}
		}
		add = strlen(piece);
		if (len + add >= sizeof(path))
			return -ENAMETOOLONG;
		memcpy(path + len, piece, add);
		len += add;
	}
	path[len] = '\0';
	memcpy(out, path, len + 1);
	return 0;
}

/* Whether @text has the conversion @which; "%%n" is a percent and an n. */
static bool has(const char *text, size_t len, char which)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '%')
			continue;
		if (text[++i] == which)
			return true;
	}
	return false;
}

bool template_has_clock(const char *template)
{
	return has(template, strlen(template), 't');
}

const char *template_problem(const char *template)
{
	const char *slash = strrchr(template, '/');
	const char *last = slash ? slash + 1 : template;
	char path[RELINK_PATH_MAX];

	switch (template_expand(template, UINT64_MAX, UINT_MAX, path)) {
	case 0:
		break;
	case -EINVAL:
		return "only %t, %n and %% are known after a percent";
	default:
		return "it is too long";
	}
	if (template[0] == '/')
		return "it must be relative: it is taken below the root of each mount";
	if (!relink_path_valid(path))
		return "a component is empty, \".\", \"..\" or too long";
	if (!has(last, strlen(last), 'n'))
		return "the last component must have %n, which keeps the names apart";
	if (has(template, last - template, 'n'))
		return "%n may be in the last component only: all names go into one "
		       "folder";
	return NULL;
}

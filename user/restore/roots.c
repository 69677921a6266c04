/* SPDX-License-Identifier: GPL-2.0-only */
#include "roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/why.h"
#include "manifest/template.h"
#include "preserve/beneath.h"

void roots_fini(struct roots *roots)
{
	for (size_t i = 0; i < roots->n; i++) {
		free(roots->roots[i].point);
		auto_close(&roots->roots[i].fd);
	}
	free(roots->roots);
	*roots = (struct roots){0};
}

/* What is left of @point below @above, without slashes before it: "" for itself; NULL when
 * it is not below. Both without a '/' at the end. */
static const char *point_below(const char *above, const char *point)
{
	size_t len = strlen(above);

	if (strncmp(point, above, len) || (point[len] && point[len] != '/'))
		return NULL;
	return point + len + strspn(point + len, "/");
}

/* A copy of the first @len bytes of @point without a '/' at the end; NULL. */
static char *point_copy(const char *point, size_t len)
{
	while (len && point[len - 1] == '/')
		len--;
	return strndup(point, len);
}

int roots_add(struct roots *roots, const char *spec, char **why)
{
	const char *equal = strchr(spec, '='), *dir = equal ? equal + 1 : spec;
	AUTO_FREE char *point = point_copy(spec, equal ? equal - spec : 0);
	struct root *grown;
	AUTO_FD fd = -1;

	if (!point)
		return -ENOMEM;
	if (equal && (spec[0] != '/' || (point[0] && !relink_path_valid(point + 1))))
		return why_set(why, -EINVAL,
			       "\"%s\": POINT=DIR, with an absolute POINT without \".\" "
			       "and \"..\" (a DIR with a \"=\" in it is /=DIR)",
			       spec);
	for (size_t i = 0; i < roots->n; i++)
		if (!strcmp(roots->roots[i].point, point))
			return why_set(why, -EEXIST, "\"%s\": %s is said twice", spec,
				       point[0] ? point : "/");
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, -errno, "cannot open %s: %s", dir, strerror(errno));
	grown = reallocarray(roots->roots, roots->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	roots->roots = grown;
	grown[roots->n++] = (struct root){TAKE_PTR(point), TAKE_FD(fd)};
	return 0;
}

int roots_open(const struct roots *roots, const char *point, char **why)
{
	AUTO_FREE char *wanted = point_copy(point, strlen(point));
	const struct root *best = NULL;
	const char *below = NULL;
	int fd;

	if (!wanted)
		return -ENOMEM;
	for (size_t i = 0; i < roots->n; i++) {
		const struct root *root = &roots->roots[i];

		if (point_below(root->point, wanted) &&
		    (!best || strlen(root->point) > strlen(best->point)))
			best = root;
	}
	if (!best)
		return why_set(why, -ENOENT, "nobody says where %s is now: --root %s=DIR",
			       point, point);
	below = point_below(best->point, wanted);
	fd = beneath_open_mounts(best->fd, *below ? below : ".", O_PATH | O_DIRECTORY);
	if (fd < 0)
		return why_set(why, fd, "cannot open %s below the root given for %s: %s",
			       *below ? below : ".", best->point[0] ? best->point : "/",
			       strerror(-fd));
	return fd;
}

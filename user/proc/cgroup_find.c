/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding the cgroup that is meant. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/caps.h"
#include "base/why.h"
#include "cgroup.h"
#include "cgroup_tree.h"
#include "container.h"
#include "proctext.h"

/* Inode number of the initial cgroup namespace: PROC_CGROUP_INIT_INO, linux/proc_ns.h. */
#define INIT_CGROUP_NS_INO 0xEFFFFFFBU

/* The depth of the kernel's cgroup.level. Only in the initial cgroup namespace do paths
 * begin at the root of the hierarchy. */
static int path_level(const char *path, uint32_t *level)
{
	struct stat ns;
	uint32_t n = 0;

	if (!stat("/proc/self/ns/cgroup", &ns) && ns.st_ino != INIT_CGROUP_NS_INO)
		return -EXDEV;
	for (const char *at = path; *at; at++)
		n += at[0] == '/' && at[1] && at[1] != '/';
	*level = n;
	return 0;
}

/* Fills @out for the cgroup directory @fd, which it takes over on success. */
static int find_fd(int *fd, struct cgroup *out, char **why)
{
	AUTO(cgroup_fini) struct cgroup cg = CGROUP_INIT;
	int err = cgroup_fd_id(*fd, &cg.id);

	if (err)
		return why_set(why, err, "cannot tell its id: %s", strerror(-err));
	err = cgroup_fd_path(*fd, &cg.path);
	if (err)
		return why_set(why, err, "cannot tell its path below the v2 root: %s",
			       strerror(-err));
	err = path_level(cg.path, &cg.level);
	if (err)
		return why_set(
			why, err,
			"this process is in a cgroup namespace of its own, which hides "
			"how deep in the hierarchy the cgroup is; run it in the host's, "
			"for example by nsenter -C -t 1");
	cg.fd = TAKE_FD(*fd);
	*out = cg;
	cg = (struct cgroup)CGROUP_INIT;
	return 0;
}

/* Says why @below could not be opened in the v2 tree. */
static int fail_below(char **why, int err, const char *below)
{
	switch (err) {
	case -ENOTDIR:
		return why_set(why, err,
			       "no directory; name the cgroup, not a file in it");
	case -EXDEV:
	case -ELOOP:
		return why_set(why, -EINVAL, "%s leads out of the v2 tree at %s", below,
			       cgroup_tree_point());
	case -ENOENT:
		return why_set(why, err, "no such cgroup in the v2 tree at %s",
			       cgroup_tree_point());
	}
	return why_set(why, err, "cannot open it in the v2 tree at %s: %s",
		       cgroup_tree_point(), strerror(-err));
}

static int find_relative(const char *spec, struct cgroup *out, char **why)
{
	AUTO_FD fd = cgroup_tree_open_below(spec);

	return fd < 0 ? fail_below(why, fd, spec) : find_fd(&fd, out, why);
}

/* A path of the file system, or one as /proc/PID/cgroup has it. */
static int find_absolute(const char *spec, struct cgroup *out, char **why)
{
	AUTO_FD file = open(spec, O_PATH | O_CLOEXEC);
	AUTO_FD below = -1;
	const char *shown = cgroup_path_below(cgroup_tree_root(), spec);
	uint64_t file_id, below_id;
	bool is_v2 = cgroup_fd_is_v2(file);
	struct stat st;

	below = shown ? cgroup_tree_open_below(shown) : -ENOENT;
	if (is_v2 && below >= 0 && !cgroup_fd_id(file, &file_id) &&
	    !cgroup_fd_id(below, &below_id) && file_id != below_id)
		return why_set(
			why, -ENOTUNIQ,
			"ambiguous: a cgroup itself, and another one below %s; write "
			"%s%s, or id:%" PRIu64,
			cgroup_tree_point(), cgroup_tree_point(), spec, file_id);
	if (is_v2 && (fstat(file, &st) || !S_ISDIR(st.st_mode)))
		return fail_below(why, -ENOTDIR, spec);
	if (is_v2)
		return find_fd(&file, out, why);
	if (below >= 0)
		return find_fd(&below, out, why);
	if (file >= 0)
		return why_set(why, -EOPNOTSUPP, "not cgroup v2; the v2 tree is at %s",
			       cgroup_tree_point());
	return fail_below(why, below, spec);
}

static int find_id(const char *text, struct cgroup *out, char **why)
{
	AUTO_FD fd = -1;
	uint64_t id;
	int ret;

	if (proctext_number(text, UINT64_MAX, &id))
		return why_set(why, -EINVAL, "id: takes a decimal number");
	fd = cgroup_tree_open_id(id);
	ret = fd;
	if (fd < 0 && fd != -ESTALE && fd != -ENOENT)
		return why_set(why, fd, "cannot open a cgroup by id: %s%s", strerror(-fd),
			       caps_missing(CAPS_HANDLE));
	/* Older kernels, 5.10 among them, also open one that was removed. */
	if (fd >= 0)
		ret = find_fd(&fd, out, why);
	if (ret == -ESTALE || ret == -ENOENT)
		return why_set(why, -ENOENT, "no cgroup of the v2 tree at %s has this id",
			       cgroup_tree_point());
	return ret;
}

static int find_pid(const char *text, struct cgroup *out, char **why)
{
	AUTO_FREE char *path = NULL;
	AUTO_FD fd = -1;
	const char *below;
	uint64_t pid;
	int err;

	if (proctext_number(text, INT_MAX, &pid))
		return why_set(why, -EINVAL, "pid: takes a process number");
	err = cgroup_of_pid(pid, &path);
	if (err == -ENOENT || err == -ESRCH)
		return why_set(why, -ENOENT, "no such process");
	if (err == -EXDEV)
		return why_set(why, err,
			       "the process is outside of our cgroup namespace; run "
			       "this in the host's, for example by nsenter -C -t 1");
	if (err == -ESTALE)
		return why_set(why, err, "the process is a zombie of a removed cgroup");
	if (err)
		return why_set(why, err, "cannot read its cgroup: %s", strerror(-err));
	below = cgroup_path_below(cgroup_tree_root(), path);
	fd = below ? cgroup_tree_open_below(below) : -ENOENT;
	return fd < 0 ? fail_below(why, fd, path) : find_fd(&fd, out, why);
}

/* Appends @item to *@list, one blank between. */
static int list_add(char **list, const char *item)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", *list ? *list : "", *list ? " " : "", item) < 0)
		return -ENOMEM;
	free(*list);
	*list = joined;
	return 0;
}

static bool is_called(const char *path, const char *name)
{
	return !strcmp(strrchr(path, '/') + 1, name);
}

/* The cgroups whose path @matches @what: how many, their paths below the v2 tree. -errno.
 */
static int tree_search(bool (*matches)(const char *path, const char *what),
		       const char *what, char **paths)
{
	/* fts_open(3) writes to neither. */
	char *roots[] = {(char *)cgroup_tree_point(), NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *entry;
	int n = 0, err = 0;

	if (!walk)
		return -errno;
	while (!err && (entry = fts_read(walk))) {
		const char *path = entry->fts_path + strlen(cgroup_tree_point());

		if (entry->fts_info != FTS_D || !entry->fts_level || !matches(path, what))
			continue;
		n++;
		err = list_add(paths, path);
	}
	fts_close(walk);
	return err ? err : n;
}

static bool has_unit_suffix(const char *name)
{
	static const char *const suffixes[] = {".service", ".scope", ".slice", ".socket",
					       ".mount",   ".swap",  NULL};
	const char *dot = strrchr(name, '.');

	for (int i = 0; dot && suffixes[i]; i++)
		if (!strcmp(dot, suffixes[i]))
			return true;
	return false;
}

/* The one cgroup that @matches @what, which is @kind @what to people. */
static int find_only(bool (*matches)(const char *path, const char *what),
		     const char *kind, const char *what, struct cgroup *out, char **why)
{
	AUTO_FREE char *paths = NULL;
	int n = tree_search(matches, what, &paths);

	if (n < 0)
		return why_set(why, n, "cannot search %s: %s", cgroup_tree_point(),
			       strerror(-n));
	if (!n)
		return why_set(why, -ENOENT, "no %s %s in the v2 tree at %s", kind, what,
			       cgroup_tree_point());
	if (n > 1)
		return why_set(why, -ENOTUNIQ, "ambiguous, there are %d: %s", n, paths);
	return find_relative(paths, out, why);
}

static int find_unit(const char *unit, struct cgroup *out, char **why)
{
	AUTO_FREE char *name = NULL;

	if (!*unit || strchr(unit, '/'))
		return why_set(why, -EINVAL, "unit: takes the name of a unit");
	if (asprintf(&name, "%s%s", unit, has_unit_suffix(unit) ? "" : ".service") < 0)
		return -ENOMEM;
	return find_only(is_called, "cgroup", name, out, why);
}

static int find_pod(const char *uid, struct cgroup *out, char **why)
{
	if (!container_uid_is_valid(uid))
		return why_set(why, -EINVAL, "pod: takes the UID of a pod");
	return find_only(container_is_pod, "pod", uid, out, why);
}

static int find_container(const char *prefix, struct cgroup *out, char **why)
{
	if (!container_prefix_is_valid(prefix))
		return why_set(why, -EINVAL,
			       "container: takes a container's id or its begin, in "
			       "hexadecimal");
	return find_only(container_has_prefix, "container", prefix, out, why);
}

int cgroup_find(const char *spec, struct cgroup *out, char **why)
{
	int err = cgroup_tree_open();

	if (err == -EMFILE || err == -ENFILE)
		return why_set(why, err, "cannot look for the cgroup v2 tree: %s%s",
			       strerror(-err), advice(err));
	if (err)
		return why_set(
			why, -EOPNOTSUPP,
			"no cgroup v2 tree: %s; mount -t cgroup2 none DIR gives one",
			strerror(-err));
	if (!*spec)
		return why_set(why, -EINVAL, "the name is empty");
	if (!strncmp(spec, "id:", 3))
		return find_id(spec + 3, out, why);
	if (!strncmp(spec, "pid:", 4))
		return find_pid(spec + 4, out, why);
	if (!strncmp(spec, "unit:", 5))
		return find_unit(spec + 5, out, why);
	if (!strncmp(spec, "pod:", 4))
		return find_pod(spec + 4, out, why);
	if (!strncmp(spec, "container:", 10))
		return find_container(spec + 10, out, why);
	return spec[0] == '/' ? find_absolute(spec, out, why)
			      : find_relative(spec, out, why);
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "cgroup.h"

#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <linux/magic.h>
#include <linux/openat2.h>

#include "base/auto.h"
#include "base/caps.h"
#include "container.h"
#include "mount.h"
#include "proctext.h"
#include "base/why.h"

/* Inode number of the initial cgroup namespace: PROC_CGROUP_INIT_INO, linux/proc_ns.h. */
#define INIT_CGROUP_NS_INO 0xEFFFFFFBU

/* The handle of a kernfs node is its 64-bit id: FILEID_KERNFS, linux/exportfs.h. */
#define KERNFS_HANDLE_TYPE 0xfe

union kernfs_handle {
	struct file_handle header;
	char bytes[sizeof(struct file_handle) + sizeof(uint64_t)];
};

/* The v2 tree as it is mounted here: the directory @point shows the cgroup @root. */
static struct mount tree;
static int tree_fd = -1;

void cgroup_fini(struct cgroup *cg)
{
	free(cg->path);
	auto_close(&cg->fd);
	*cg = (struct cgroup)CGROUP_INIT;
}

static bool fd_is_cgroup2(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Finds and opens the v2 tree once. 0 or -errno (-ENODEV not mounted). */
static int tree_open(void)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FD fd = -1;
	int err;

	if (tree_fd >= 0)
		return 0;
	err = mount_find_by_type("cgroup2", &mount);
	if (err)
		return err == -ENOENT ? -ENODEV : err;
	/* Not O_PATH: open_by_handle_at(2) does not take one. */
	fd = open(mount.point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fd_is_cgroup2(fd))
		return -ENODEV; /* something is mounted over it */
	tree = mount;
	mount = (struct mount){0};
	tree_fd = TAKE_FD(fd);
	return 0;
}

void cgroup_cache_drop(void)
{
	auto_close(&tree_fd);
	tree_fd = -1;
	mount_fini(&tree);
	tree = (struct mount){0};
}

const char *cgroup_mount(void)
{
	int err = tree_open();

	if (!err)
		return tree.point;
	errno = -err;
	return NULL;
}

/* What of @path is below @dir, without leading slashes ("" for @dir itself); NULL when it
 * is not below it. */
static const char *path_below(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (len && dir[len - 1] == '/')
		len--;
	if (strncmp(path, dir, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path + len + strspn(path + len, "/");
}

/* @dir and @below as one path. */
static char *path_join(const char *dir, const char *below)
{
	size_t len = strlen(dir);
	char *path;

	while (len && dir[len - 1] == '/')
		len--;
	if (asprintf(&path, "%.*s%s%s", (int)len, dir, *below || !len ? "/" : "", below) <
	    0)
		return NULL;
	return path;
}

bool cgroup_contains(const char *ancestor, const char *path)
{
	return path_below(ancestor, path);
}

/* Opens @below, relative to the v2 tree, and nothing outside of it. fd or -errno. */
static int tree_open_below(const char *below)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int err = tree_open();
	int fd;

	if (err)
		return err;
	below += strspn(below, "/");
	fd = syscall(SYS_openat2, tree_fd, *below ? below : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int fd_id(int fd, uint64_t *id)
{
	union kernfs_handle handle = {.header.handle_bytes = sizeof(uint64_t)};
	int mount_id;

	if (name_to_handle_at(fd, "", &handle.header, &mount_id, AT_EMPTY_PATH))
		return -errno;
	if (handle.header.handle_type != KERNFS_HANDLE_TYPE)
		return -EOPNOTSUPP;
	memcpy(id, handle.header.f_handle, sizeof(*id));
	return 0;
}

/* Whether the directory open as @fd is the one that @path leads to. */
static bool fd_is_at(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Path below the v2 root of the cgroup directory @fd, through whichever mount it was
 * opened. */
static int fd_path(int fd, char **path)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FREE char *text = NULL;
	const char *below;
	char link[64], *joined;
	int id, err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	err = proctext_readlink(AT_FDCWD, link, &text);
	if (!err)
		err = mount_id_of_fd(fd, &id);
	if (!err)
		err = mount_find(getpid(), id, &mount);
	if (err)
		return err;
	/* The name may end with " (deleted)" by itself. */
	if (proctext_is_deleted(text) && !fd_is_at(fd, text))
		return -ESTALE;
	below = path_below(mount.point, text);
	if (!below)
		return -EXDEV;
	joined = path_join(mount.root, below);
	if (!joined)
		return -ENOMEM;
	*path = joined;
	return 0;
}

int cgroup_id_of(const char *path, uint64_t *id)
{
	AUTO_FD fd = -1;
	const char *below;
	int err = tree_open();

	if (err)
		return err;
	below = path_below(tree.root, path);
	if (!below)
		return -ENOENT;
	fd = tree_open_below(below);
	return fd < 0 ? fd : fd_id(fd, id);
}

/* Opens cgroup @id. fd or -errno. */
static int id_open(uint64_t id)
{
	union kernfs_handle handle = {.header = {.handle_bytes = sizeof(id),
						 .handle_type = KERNFS_HANDLE_TYPE}};
	int err = tree_open();
	int fd;

	if (err)
		return err;
	memcpy(handle.header.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(tree_fd, &handle.header, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_path_of(uint64_t id, char **path)
{
	AUTO_FD fd = id_open(id);

	return fd < 0 ? fd : fd_path(fd, path);
}

int cgroup_of_pid(pid_t pid, char **path)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *raw = NULL;
	char name[64];
	uint64_t id;
	int err;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	err = proctext_read(AT_FDCWD, name, &text);
	if (!err)
		err = proctext_cgroup(text, &raw);
	if (err)
		return err;
	/* No cgroup is named "..", so this is how a namespace shows what is above it. */
	if (cgroup_contains("/..", raw))
		return -EXDEV;
	/* A cgroup may really be called so; then it is there. */
	if (proctext_is_deleted(raw) && cgroup_id_of(raw, &id))
		return -ESTALE;
	*path = TAKE_PTR(raw);
	return 0;
}

int cgroup_path_seen(uint64_t id, pid_t pid, char **path)
{
	int err = cgroup_path_of(id, path);

	return err == -EPERM ? cgroup_of_pid(pid, path) : err;
}

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
	int err = fd_id(*fd, &cg.id);

	if (err)
		return why_set(why, err, "cannot tell its id: %s", strerror(-err));
	err = fd_path(*fd, &cg.path);
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
			       tree.point);
	case -ENOENT:
		return why_set(why, err, "no such cgroup in the v2 tree at %s",
			       tree.point);
	}
	return why_set(why, err, "cannot open it in the v2 tree at %s: %s", tree.point,
		       strerror(-err));
}

static int find_relative(const char *spec, struct cgroup *out, char **why)
{
	AUTO_FD fd = tree_open_below(spec);

	return fd < 0 ? fail_below(why, fd, spec) : find_fd(&fd, out, why);
}

/* A path of the file system, or one as /proc/PID/cgroup has it. */
static int find_absolute(const char *spec, struct cgroup *out, char **why)
{
	AUTO_FD file = open(spec, O_PATH | O_CLOEXEC);
	AUTO_FD below = -1;
	const char *shown = path_below(tree.root, spec);
	uint64_t file_id, below_id;
	bool is_v2 = fd_is_cgroup2(file);
	struct stat st;

	below = shown ? tree_open_below(shown) : -ENOENT;
	if (is_v2 && below >= 0 && !fd_id(file, &file_id) && !fd_id(below, &below_id) &&
	    file_id != below_id)
		return why_set(
			why, -ENOTUNIQ,
			"ambiguous: a cgroup itself, and another one below %s; write "
			"%s%s, or id:%" PRIu64,
			tree.point, tree.point, spec, file_id);
	if (is_v2 && (fstat(file, &st) || !S_ISDIR(st.st_mode)))
		return fail_below(why, -ENOTDIR, spec);
	if (is_v2)
		return find_fd(&file, out, why);
	if (below >= 0)
		return find_fd(&below, out, why);
	if (file >= 0)
		return why_set(why, -EOPNOTSUPP, "not cgroup v2; the v2 tree is at %s",
			       tree.point);
	return fail_below(why, below, spec);
}

static int find_id(const char *text, struct cgroup *out, char **why)
{
	AUTO_FD fd = -1;
	uint64_t id;
	int ret;

	if (proctext_number(text, UINT64_MAX, &id))
		return why_set(why, -EINVAL, "id: takes a decimal number");
	fd = id_open(id);
	ret = fd;
	if (fd < 0 && fd != -ESTALE && fd != -ENOENT)
		return why_set(why, fd, "cannot open a cgroup by id: %s%s", strerror(-fd),
			       caps_missing(CAPS_HANDLE));
	/* Older kernels, 5.10 among them, also open one that was removed. */
	if (fd >= 0)
		ret = find_fd(&fd, out, why);
	if (ret == -ESTALE || ret == -ENOENT)
		return why_set(why, -ENOENT, "no cgroup of the v2 tree at %s has this id",
			       tree.point);
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
	below = path_below(tree.root, path);
	fd = below ? tree_open_below(below) : -ENOENT;
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
	char *roots[] = {tree.point, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *entry;
	int n = 0, err = 0;

	if (!walk)
		return -errno;
	while (!err && (entry = fts_read(walk))) {
		const char *path = entry->fts_path + strlen(tree.point);

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
		return why_set(why, n, "cannot search %s: %s", tree.point, strerror(-n));
	if (!n)
		return why_set(why, -ENOENT, "no %s %s in the v2 tree at %s", kind, what,
			       tree.point);
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
	int err = tree_open();

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

/* SPDX-License-Identifier: GPL-2.0-only */
#include "mount.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <linux/openat2.h>
#include <libmount/libmount.h>

#include "base/auto.h"

/* One mountinfo. What a task sees is told by its namespace and by its root, which hides
 * the mounts that cannot be reached below it (fs/proc_namespace.c, show_mountinfo). */
struct view {
	uint64_t ns;
	uint64_t root_mnt_id, root_ino;
	uint32_t root_major, root_minor;
	struct libmnt_table *table; /* owned */
};

static struct view *views; /* owned */
static size_t n_views;

/* The process that was asked about last, as its orphans come one after the other, and the
 * place of its view; 0 for nobody. */
static pid_t last_pid;
static size_t last_view;

/* What mount_find() found last, and in which view: they share a mount, too. */
static struct mount last_mount; /* owned; without a point nothing */
static size_t last_mount_view;

static void auto_table(struct libmnt_table **table)
{
	mnt_unref_table(*table);
}

static void auto_iter(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter);
}

void mount_fini(struct mount *mount)
{
	free(mount->point);
	free(mount->root);
	free(mount->fstype);
	*mount = (struct mount){0};
}

int mount_copy(const struct mount *from, struct mount *to)
{
	AUTO(mount_fini) struct mount copy = *from;

	copy.point = strdup(from->point);
	copy.root = strdup(from->root);
	copy.fstype = strdup(from->fstype);
	if (!copy.point || !copy.root || !copy.fstype)
		return -ENOMEM;
	*to = copy;
	copy = (struct mount){0};
	return 0;
}

void mount_cache_drop(void)
{
	for (size_t i = 0; i < n_views; i++)
		mnt_unref_table(views[i].table);
	free(views);
	views = NULL;
	n_views = 0;
	last_pid = 0;
	mount_fini(&last_mount);
}

/* The directory of a task in @process that still has namespaces, open for *at() calls:
 * the main thread's, or another one's where that has exited. -errno. */
static int task_open(pid_t pid)
{
	char name[64];
	AUTO_FD process = -1;
	AUTO_DIR *tasks = NULL;
	struct dirent *entry;

	snprintf(name, sizeof(name), "/proc/%d", pid);
	process = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (!faccessat(process, "ns/mnt", F_OK, 0) || errno != ENOENT)
		return TAKE_FD(process);
	snprintf(name, sizeof(name), "/proc/%d/task", pid);
	tasks = opendir(name);
	while (tasks && (entry = readdir(tasks))) {
		AUTO_FD task = -1;

		if (entry->d_name[0] == '.')
			continue;
		task = openat(dirfd(tasks), entry->d_name,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (task >= 0 && !faccessat(task, "ns/mnt", F_OK, 0))
			return TAKE_FD(task);
	}
	return -ESRCH;
}

/* Fills the key of what @task sees. */
static int view_identify(int task, struct view *view)
{
	struct stat ns;
	struct statx root;

	if (fstatat(task, "ns/mnt", &ns, 0) ||
	    statx(task, "root", AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_INO | STATX_MNT_ID, &root))
		return errno == ENOENT ? -ESRCH : -errno; /* it has exited meanwhile */
	*view = (struct view){
		.ns = ns.st_ino,
		.root_mnt_id = root.stx_mnt_id,
		.root_ino = root.stx_ino,
		.root_major = root.stx_dev_major,
		.root_minor = root.stx_dev_minor,
	};
	return 0;
}

static bool view_same(const struct view *a, const struct view *b)
{
	return a->ns == b->ns && a->root_mnt_id == b->root_mnt_id &&
	       a->root_ino == b->root_ino && a->root_major == b->root_major &&
	       a->root_minor == b->root_minor;
}

/* Reads @task's mountinfo into view->table. */
static int view_read(int task, struct view *view)
{
	AUTO_FD fd = openat(task, "mountinfo", O_RDONLY | O_CLOEXEC);
	AUTO_FILE *stream = NULL;
	AUTO(auto_table) struct libmnt_table *table = NULL;
	int err;

	if (fd < 0)
		return -errno;
	stream = fdopen(fd, "re");
	if (!stream)
		return -errno;
	TAKE_FD(fd);
	table = mnt_new_table();
	if (!table)
		return -ENOMEM;
	err = mnt_table_parse_stream(table, stream, "mountinfo");
	if (err)
		return err < 0 ? err : -EINVAL;
	view->table = TAKE_PTR(table);
	return 0;
}

/* The place of @pid's view among the views, read when it is not known yet. */
static int view_place(pid_t pid, size_t *place)
{
	AUTO_FD task = task_open(pid);
	struct view view, *grown;
	int err;

	if (task < 0)
		return task;
	err = view_identify(task, &view);
	if (err)
		return err;
	for (*place = 0; *place < n_views; ++*place)
		if (view_same(&views[*place], &view))
			return 0;
	grown = reallocarray(views, n_views + 1, sizeof(*views));
	if (!grown)
		return -ENOMEM;
	views = grown;
	err = view_read(task, &view);
	if (err)
		return err;
	views[n_views++] = view;
	return 0;
}

/* The view of @pid, valid until the next call. */
static int view_of(pid_t pid, const struct view **out)
{
	int err = pid == last_pid ? 0 : view_place(pid, &last_view);

	last_pid = err ? 0 : pid;
	if (!err)
		*out = &views[last_view];
	return err;
}

static int mount_from_fs(const struct view *view, struct libmnt_fs *fs, struct mount *out)
{
	AUTO(mount_fini)
	struct mount mount = {
		.id = mnt_fs_get_id(fs),
		.ns = view->ns,
		.dev_major = major(mnt_fs_get_devno(fs)),
		.dev_minor = minor(mnt_fs_get_devno(fs)),
	};
	const char *point = mnt_fs_get_target(fs);
	const char *root = mnt_fs_get_root(fs);
	const char *fstype = mnt_fs_get_fstype(fs);
	const char *options = mnt_fs_get_vfs_options(fs);

	if (!point || !root || !fstype)
		return -EINVAL;
	mount.point = strdup(point);
	mount.root = strdup(root);
	mount.fstype = strdup(fstype);
	if (!mount.point || !mount.root || !mount.fstype)
		return -ENOMEM;
	/* fs/proc_namespace.c, show_mnt_opts */
	mount.idmapped =
		options && !mnt_optstr_get_option(options, "idmapped", NULL, NULL);
	*out = mount;
	mount = (struct mount){0};
	return 0;
}

/* The first mount of @view for which @match is true of @wanted. */
static int view_find(const struct view *view,
		     bool (*match)(struct libmnt_fs *fs, const void *wanted),
		     const void *wanted, struct mount *out)
{
	AUTO(auto_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	if (!iter)
		return -ENOMEM;
	while (!mnt_table_next_fs(view->table, iter, &fs))
		if (match(fs, wanted))
			return mount_from_fs(view, fs, out);
	return -ENOENT;
}

static bool match_id(struct libmnt_fs *fs, const void *wanted)
{
	return mnt_fs_get_id(fs) == *(const int *)wanted;
}

int mount_find(pid_t pid, int id, struct mount *out)
{
	AUTO(mount_fini) struct mount found = {0};
	const struct view *view;
	int err = view_of(pid, &view);

	if (err)
		return err;
	if (last_mount.point && last_mount.id == id && last_mount_view == last_view)
		return mount_copy(&last_mount, out);
	err = view_find(view, match_id, &id, &found);
	if (err)
		return err;
	mount_fini(&last_mount);
	last_mount = found;
	found = (struct mount){0};
	last_mount_view = last_view;
	return mount_copy(&last_mount, out);
}

struct fs_place {
	dev_t dev;
	const char *path;
};

static bool match_place(struct libmnt_fs *fs, const void *wanted)
{
	const struct fs_place *place = wanted;
	const char *root = mnt_fs_get_root(fs);
	size_t len = root ? strlen(root) : 0;

	if (!root || mnt_fs_get_devno(fs) != place->dev)
		return false;
	if (!strcmp(root, "/") || !strcmp(place->path, "/"))
		return true;
	return !strncmp(place->path, root, len) &&
	       (place->path[len] == '/' || !place->path[len]);
}

int mount_find_by_dev(uint32_t dev_major, uint32_t dev_minor, const char *path_in_fs,
		      struct mount *out)
{
	struct fs_place place = {makedev(dev_major, dev_minor), path_in_fs};
	const struct view *view;
	int err = view_of(getpid(), &view);

	return err ? err : view_find(view, match_place, &place, out);
}

/* Whether the first process, where we may look at it, sees other mounts than we do. */
static bool machine_is_elsewhere(void)
{
	size_t ours, first;

	return !view_place(getpid(), &ours) && !view_place(1, &first) && ours != first;
}

int mount_try_by_dev(uint32_t dev_major, uint32_t dev_minor, const char *path_in_fs,
		     int (*take)(const struct mount *mount, void *data), void *data)
{
	int ret =
		mount_try_seen_by(getpid(), dev_major, dev_minor, path_in_fs, take, data);

	if (ret != -ENOENT || !machine_is_elsewhere())
		return ret;
	return mount_try_seen_by(1, dev_major, dev_minor, path_in_fs, take, data);
}

const char *mount_base(const char **path)
{
	size_t len = strlen(MOUNT_MACHINE);
	bool machine = !strncmp(*path, MOUNT_MACHINE "/", len + 1);

	if (machine)
		*path += len;
	*path += strspn(*path, "/");
	return machine ? MOUNT_MACHINE : "/";
}

bool mount_is_ours(const struct mount *mount)
{
	struct stat ns;

	return !stat("/proc/self/ns/mnt", &ns) && ns.st_ino == mount->ns;
}

int mount_try_seen_by(pid_t pid, uint32_t dev_major, uint32_t dev_minor,
		      const char *path_in_fs,
		      int (*take)(const struct mount *mount, void *data), void *data)
{
	AUTO(auto_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	AUTO(auto_table) struct libmnt_table *table = NULL;
	struct fs_place place = {makedev(dev_major, dev_minor), path_in_fs};
	const struct view *found;
	struct libmnt_fs *fs;
	struct view view;
	int err = view_of(pid, &found);

	if (err || !iter)
		return err ?: -ENOMEM;
	/* @take may ask for mounts itself, which moves or drops the views. */
	view = *found;
	table = view.table;
	mnt_ref_table(table);
	while (!mnt_table_next_fs(table, iter, &fs)) {
		AUTO(mount_fini) struct mount mount = {0};

		if (!match_place(fs, &place))
			continue;
		err = mount_from_fs(&view, fs, &mount);
		if (err)
			return err;
		if (!take(&mount, data))
			return 0;
	}
	return -ENOENT;
}

/* How dentry_path() ends the path of an unhashed dentry (fs/d_path.c); no name can, as
 * none is empty. */
static bool root_is_deleted(const char *root)
{
	static const char suffix[] = "//deleted";
	size_t len = root ? strlen(root) : 0;

	return len >= strlen(suffix) && !strcmp(root + len - strlen(suffix), suffix);
}

bool mount_is_deleted(const struct mount *mount)
{
	return root_is_deleted(mount->root);
}

int mount_each_deleted(pid_t pid, int (*each)(const struct mount *mount, void *data),
		       void *data)
{
	AUTO(auto_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	const struct view *view;
	struct libmnt_fs *fs;
	int err = view_of(pid, &view);

	if (err || !iter)
		return err ?: -ENOMEM;
	while (!err && !mnt_table_next_fs(view->table, iter, &fs)) {
		AUTO(mount_fini) struct mount mount = {0};

		if (!root_is_deleted(mnt_fs_get_root(fs)))
			continue;
		err = mount_from_fs(view, fs, &mount);
		err = err ?: each(&mount, data);
	}
	return err;
}

static bool match_type(struct libmnt_fs *fs, const void *wanted)
{
	const char *fstype = mnt_fs_get_fstype(fs);

	return fstype && !strcmp(fstype, wanted);
}

static bool match_whole_type(struct libmnt_fs *fs, const void *wanted)
{
	const char *root = mnt_fs_get_root(fs);

	return root && !strcmp(root, "/") && match_type(fs, wanted);
}

int mount_find_by_type(const char *fstype, struct mount *out)
{
	const struct view *view;
	int err = view_of(getpid(), &view);

	if (err)
		return err;
	err = view_find(view, match_whole_type, fstype, out);
	return err == -ENOENT ? view_find(view, match_type, fstype, out) : err;
}

/* Whether @path is @point, or below it. */
static bool is_at(const char *path, const char *point)
{
	size_t len = strlen(point);

	while (len && point[len - 1] == '/')
		len--;
	return !strncmp(path, point, len) && (path[len] == '/' || !path[len]);
}

int mount_find_by_letters(const char *path, struct mount *out)
{
	AUTO(auto_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs, *found = NULL;
	const struct view *view;
	int err = view_of(getpid(), &view);

	if (err || !iter)
		return err ?: -ENOMEM;
	while (!mnt_table_next_fs(view->table, iter, &fs)) {
		const char *point = mnt_fs_get_target(fs);

		/* What is mounted over another comes later. */
		if (point && is_at(path, point) &&
		    (!found || strlen(point) >= strlen(mnt_fs_get_target(found))))
			found = fs;
	}
	return found ? mount_from_fs(view, found, out) : -ENOENT;
}

/* statx of what @fd is open on, with the mount's id. */
static int fd_statx(int fd, struct statx *stx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID,
		  stx))
		return -errno;
	return stx->stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP;
}

int mount_id_of_fd(int fd, int *id)
{
	struct statx stx;
	int err = fd_statx(fd, &stx);

	if (!err)
		*id = stx.stx_mnt_id;
	return err;
}

/* Opens @point below @root_fd. mountinfo writes the path of the dentry that is mounted
 * on: a symbolic link on the way was planted later. */
static int point_open(int root_fd, const char *point)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = syscall(SYS_openat2, root_fd, point, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	/* A name that is gone or replaced is as good as overmounted from here. */
	return errno == ELOOP || errno == ENOTDIR ? -EXDEV : -errno;
}

int mount_open_point(pid_t pid, int id)
{
	AUTO(mount_fini) struct mount mount = {0};
	AUTO_FD task = -1, root = -1, fd = -1;
	struct statx stx;
	int err = mount_find(pid, id, &mount);

	if (err)
		return err;
	task = task_open(pid);
	if (task < 0)
		return task;
	root = openat(task, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = point_open(root, mount.point);
	if (fd < 0)
		return fd;
	err = fd_statx(fd, &stx);
	if (err)
		return err;
	if (stx.stx_mnt_id != (uint64_t)id ||
	    !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return -EXDEV;
	return TAKE_FD(fd);
}

/* mount_open_root() by what @pid sees. */
static int view_open_root(pid_t pid, int id)
{
	AUTO_FD fd = mount_open_point(pid, id);
	struct statx stx;
	int err = fd < 0 ? fd : fd_statx(fd, &stx);

	if (err)
		return err;
	return S_ISDIR(stx.stx_mode) ? TAKE_FD(fd) : -ENOTDIR;
}

int mount_open_root(pid_t pid, int id)
{
	int fd = view_open_root(pid, id);

	/* Ids are unique in the whole system, so one that we see too is the same mount.
	 */
	if (fd == -ENOENT && pid != getpid())
		fd = view_open_root(getpid(), id);
	if (fd == -ENOENT && pid != 1 && machine_is_elsewhere())
		fd = view_open_root(1, id);
	return fd;
}

bool mount_may_hang(const char *fstype)
{
	static const char *const remote[] = {"nfs",  "nfs4",	"cifs",	 "smb3",
					     "fuse", "fuseblk", "9p",	 "ceph",
					     "afs",  "coda",	"ncpfs", "virtiofs"};

	/* mountinfo has the type of a FUSE filesystem behind a dot. */
	if (!strncmp(fstype, "fuse.", 5))
		return true;
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (!strcmp(fstype, remote[i]))
			return true;
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a manifest's filesystem again, after mounts have been moved, covered, taken
 * away, or are left in a holder's namespace only. */
#include <errno.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "proc/proctext.h"
#include "restore/locate.h"

#include "checkpointed.h"

/* Folders beside one another, each to be a mount point. */
static const char *const points[] = {"first", "second", "third"};

static struct manifest manifest; /* made on this boot */

static void test_below(void)
{
	CHECK_STR(locate_below("/", "/a/b"), "a/b");
	CHECK_STR(locate_below("/a", "/a/b"), "b");
	CHECK_STR(locate_below("/a/b", "/a/b/c/d"), "c/d");
	CHECK_STR(locate_below("/", "/"), "");
	CHECK_STR(locate_below("/a", "/ab/c"), NULL);
	CHECK_STR(locate_below("/a/b", "/a"), NULL);
	CHECK_STR(locate_below("/a", "/b/a"), NULL);
	CHECK_STR(locate_below("/a", "/a"), NULL);
}

/* A tmpfs on @point with folder/file in it. */
static void fs_mount(const char *point)
{
	char name[64];

	MUST(!mount("relinktrace", in_place(point), "tmpfs", 0, "mode=755"));
	snprintf(name, sizeof(name), "%s/folder", point);
	MUST(!mkdir(in_place(name), 0700));
	strcat(name, "/file");
	MUST(close(open(in_place(name), O_CREAT | O_EXCL | O_WRONLY, 0600)) == 0);
	mount_cache_drop();
}

static void fs_move(const char *from, const char *to, unsigned long how)
{
	MUST(!mount(in_place(from), in_place(to), NULL, how, NULL));
	mount_cache_drop();
}

static void fs_umount(const char *point)
{
	MUST(!umount(in_place(point)));
	mount_cache_drop();
}

/* What a checkpoint records of the file that is @path below mount point @point. */
struct recorded {
	struct manifest_entry entry;
	struct holder holder;
	struct stat st;
	char point[128];
};

static void record(struct recorded *recorded, const char *point, char *root)
{
	AUTO_FD fd = open(in_place(point), O_PATH | O_DIRECTORY | O_CLOEXEC);
	char file[128];

	*recorded = (struct recorded){.entry.mount_root = root};
	snprintf(recorded->point, sizeof(recorded->point), "%s", in_place(point));
	recorded->entry.orphan.mnt_point = recorded->point;
	snprintf(file, sizeof(file), strcmp(root, "/") ? "%s/file" : "%s/folder/file",
		 point);
	MUST(fd >= 0 && !mount_id_of_fd(fd, &recorded->entry.orphan.mnt_id));
	MUST(!stat(in_place(file), &recorded->st));
	recorded->entry.orphan.dev_major = major(recorded->st.st_dev);
	recorded->entry.orphan.dev_minor = minor(recorded->st.st_dev);
	recorded->entry.orphan.holders = &recorded->holder;
}

/* @path, below the root of the mount that was recorded, is found as @below of another's
 * root, and is the very file. */
static void check_found(const struct recorded *recorded, const char *path,
			const char *below)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FREE char *why = NULL;
	struct stat st;

	if (!CHECK_INT(locate_entry(&manifest, &recorded->entry, path, &located, &why),
		       0)) {
		printf("# %s\n", why);
		return;
	}
	CHECK_STR(why, NULL);
	CHECK_STR(located.path, below);
	CHECK(fcntl(located.root_fd, F_GETFL) & O_PATH);
	CHECK_INT(fcntl(located.root_fd, F_GETFD), FD_CLOEXEC);
	CHECK(!fstatat(located.root_fd, located.path, &st, AT_EMPTY_PATH) &&
	      st.st_ino == recorded->st.st_ino && st.st_dev == recorded->st.st_dev);
}

static void check_lost(const struct recorded *recorded, const char *path)
{
	AUTO(located_fini) struct located located = LOCATED_INIT;
	AUTO_FREE char *why = NULL;
	char device[32];

	CHECK_INT(locate_entry(&manifest, &recorded->entry, path, &located, &why),
		  -ENOENT);
	CHECK_INT(located.root_fd, -1);
	snprintf(device, sizeof(device), "%u:%u", recorded->entry.orphan.dev_major,
		 recorded->entry.orphan.dev_minor);
	CHECK(why && strstr(why, device) && strstr(why, path));
}

static void test_moved(void)
{
	struct recorded recorded;

	fs_mount("first");
	record(&recorded, "first", "/");
	check_found(&recorded, "folder/file", "folder/file");
	fs_move("first", "second", MS_MOVE);
	check_found(&recorded, "folder/file", "folder/file");
	/* Another one is at the recorded place. */
	fs_mount("first");
	check_found(&recorded, "folder/file", "folder/file");
	fs_umount("second");
	check_lost(&recorded, "folder/file");
	fs_umount("first");
	/* A mount point that is not there, and one that nobody knew. */
	check_lost(&recorded, "folder/file");
	recorded.entry.orphan.mnt_point = NULL;
	check_lost(&recorded, "folder/file");
}

/* Of the whole filesystem only a folder is mounted now, and the other way round. */
static void test_subtree(void)
{
	struct recorded whole, folder;

	fs_mount("first");
	fs_move("first/folder", "second", MS_BIND);
	record(&whole, "first", "/");
	record(&folder, "second", "/folder");
	check_found(&folder, "file", "file");
	fs_umount("first");
	check_found(&whole, "folder/file", "file");
	check_lost(&whole, "other/file");
	check_lost(&whole, "folders/file");
	fs_move("second", "third", MS_MOVE);
	fs_mount("first");
	fs_umount("first");
	check_found(&folder, "file", "file");
	fs_umount("third");
	fs_mount("first");
	fs_move("first/folder", "second", MS_BIND);
	record(&folder, "second", "/folder");
	fs_umount("second");
	check_found(&folder, "file", "folder/file");
	fs_umount("first");
}

/* A mount that has something over it leads nowhere; a later one of the filesystem does. */
static void test_covered(void)
{
	struct recorded recorded;

	fs_mount("first");
	record(&recorded, "first", "/");
	fs_move("first", "second", MS_BIND);
	fs_mount("first");
	check_found(&recorded, "folder/file", "folder/file");
	fs_umount("second");
	check_lost(&recorded, "folder/file");
	fs_umount("first");
	check_found(&recorded, "folder/file", "folder/file");
	fs_umount("first");
}

static void arrange_namespace(void)
{
	MUST(!unshare(CLONE_NEWNS));
}

/* Start time of @pid, in clock ticks since boot. */
static uint64_t start_time_of(pid_t pid)
{
	AUTO_FREE char *text = NULL;
	struct proctext_stat stat = {0};
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	MUST(!proctext_read(AT_FDCWD, name, &text) && !proctext_stat(text, &stat));
	return stat.start_time;
}

/* The id of the mount that @child alone has, which is that of @st. */
static int child_mount_id(const struct child *child, const struct stat *st)
{
	AUTO_FD fd = -1;
	char name[256];
	struct stat now;
	int id;

	snprintf(name, sizeof(name), "/proc/%d/root%s", child->pid, in_place("first"));
	fd = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0 && !fstat(fd, &now) && now.st_dev == st->st_dev);
	MUST(!mount_id_of_fd(fd, &id));
	return id;
}

/* Only the holder, in a namespace of its own, has the mount: it is what leads there, as
 * long as it is the process that was recorded. */
static void test_holder(void)
{
	struct manifest_folder folder = {.mount_root = "/", .path = "folder"};
	AUTO(located_fini) struct located located = LOCATED_INIT;
	struct recorded recorded;
	struct child child;
	char boot;

	fs_mount("first");
	record(&recorded, "first", "/");
	child = child_start(arrange_namespace);
	fs_umount("first");
	check_lost(&recorded, "folder/file");
	recorded.holder.pid = child.pid;
	recorded.holder.start_time = start_time_of(child.pid);
	recorded.entry.orphan.n_holders = 1;
	recorded.entry.orphan.mnt_id = child_mount_id(&child, &recorded.st);
	check_found(&recorded, "folder/file", "folder/file");

	folder.dev_major = recorded.entry.orphan.dev_major;
	folder.dev_minor = recorded.entry.orphan.dev_minor;
	folder.mnt_id = recorded.entry.orphan.mnt_id;
	folder.pid = child.pid;
	folder.start_time = recorded.holder.start_time;
	CHECK_INT(locate_folder(&manifest, &folder, &located, NULL), 0);
	CHECK_STR(located.path, "folder");
	CHECK(!faccessat(located.root_fd, "folder/file", F_OK, 0));

	recorded.holder.start_time++; /* a later process of its id */
	check_lost(&recorded, "folder/file");
	recorded.holder.start_time--;
	recorded.entry.orphan.dev_minor++; /* the mount's id used again */
	check_lost(&recorded, "folder/file");
	recorded.entry.orphan.dev_minor--;
	boot = manifest.boot_id[0]; /* pids of another boot */
	manifest.boot_id[0] = boot == '0' ? '1' : '0';
	check_lost(&recorded, "folder/file");
	manifest.boot_id[0] = boot;
	check_found(&recorded, "folder/file", "folder/file");
	/* What is open of it keeps the filesystem; nothing else does. */
	located_fini(&located);
	CHECK_INT(located.root_fd, -1);
	child_end(&child);
	mount_cache_drop();
	check_lost(&recorded, "folder/file");
}

/* "" is the mount's root itself. */
static void test_root(void)
{
	struct recorded recorded;

	fs_mount("first");
	record(&recorded, "first", "/");
	MUST(!stat(in_place("first"), &recorded.st));
	check_found(&recorded, "", "");
	fs_move("first", "second", MS_MOVE);
	check_found(&recorded, "", "");
	fs_umount("second");
}

int main(void)
{
	test_below();
	checkpointed_begin();
	place_mount("tmpfs");
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
		MUST(!mkdir(in_place(points[i]), 0755));
	MUST(!manifest_begin(&manifest, "/", 1, TEMPLATE_DEFAULT));
	test_moved();
	test_subtree();
	test_covered();
	test_holder();
	test_root();
	manifest_fini(&manifest);
	place_umount();
	return place_end();
}

/* SPDX-License-Identifier: GPL-2.0-only */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/why.h"
#include "ownfd.h"
#include "proctext.h"

/* Types of handles: include/linux/exportfs.h, enum fid_type. */
#define FILEID_INO32_GEN	    1
#define FILEID_BTRFS_WITHOUT_PARENT 0x4d
/* fs/xfs/xfs_export.h, XFS_FILEID_TYPE_64FLAG. */
#define FILEID_XFS_INO64_GEN (0x80 | FILEID_INO32_GEN)

union handle {
	struct file_handle head;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

/* fs/libfs.c, generic_fh_to_dentry: ext4 (fs/ext4/super.c, ext4_nfs_get_inode). tmpfs has
 * another form, and finds only what was given out before (mm/shmem.c,
 * shmem_encode_fh). */
struct ino32_gen {
	uint32_t ino;
	uint32_t generation;
} __attribute__((packed));

/* fs/xfs/xfs_export.h, struct xfs_fid64, without the parent. */
struct ino64_gen {
	uint64_t ino;
	uint32_t generation;
} __attribute__((packed));

/* fs/btrfs/export.h, struct btrfs_fid, without the parent. */
struct btrfs_fid {
	uint64_t objectid;
	uint64_t root_objectid;
	uint32_t generation;
} __attribute__((packed));

static void handle_fill(union handle *handle, int type, const void *fid, size_t size)
{
	memset(handle, 0, sizeof(*handle));
	handle->head.handle_type = type;
	handle->head.handle_bytes = size;
	memcpy(handle->head.f_handle, fid, size);
}

/* Opens what @handle is of, when it is as @orphan was. */
static int open_checked(int mount_fd, union handle *handle, const struct orphan *orphan)
{
	AUTO_FD fd = open_by_handle_at(mount_fd, &handle->head, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (st.st_ino != orphan->ino || (st.st_mode & S_IFMT) != (orphan->mode & S_IFMT))
		return -ESTALE;
	return TAKE_FD(fd);
}

static int open_ext(int mount_fd, const struct orphan *orphan)
{
	struct ino32_gen fid = {orphan->ino, orphan->generation};
	union handle handle;

	/* Generation 0 is any (ext4_nfs_get_inode). */
	if (!orphan->has_generation || !fid.generation || orphan->ino > UINT32_MAX)
		return -ESTALE;
	handle_fill(&handle, FILEID_INO32_GEN, &fid, sizeof(fid));
	return open_checked(mount_fd, &handle, orphan);
}

static int open_xfs(int mount_fd, const struct orphan *orphan)
{
	struct ino64_gen fid = {orphan->ino, orphan->generation};
	union handle handle;

	if (!orphan->has_generation)
		return -ESTALE;
	handle_fill(&handle, FILEID_XFS_INO64_GEN, &fid, sizeof(fid));
	return open_checked(mount_fd, &handle, orphan);
}

/* ---- btrfs ---- */

/* Whether @fd's file lost its last name, or the one that it is known by. A snapshot has
 * files of the same number and generation that did not. */
static bool is_unlinked(int fd)
{
	AUTO_FREE char *path = NULL;
	struct stat st;

	if (!fstat(fd, &st) && !st.st_nlink)
		return true;
	return !ownfd_path(fd, &path) && proctext_is_deleted(path);
}

/* Tries subvolume @root; *@found is the fd of the only one that has it. */
static int try_subvolume(int mount_fd, uint64_t root, const struct orphan *orphan,
			 int *found)
{
	struct btrfs_fid fid = {orphan->ino, root, orphan->generation};
	union handle handle;
	AUTO_FD fd = -1;

	handle_fill(&handle, FILEID_BTRFS_WITHOUT_PARENT, &fid, sizeof(fid));
	fd = open_checked(mount_fd, &handle, orphan);
	if (fd == -EPERM || fd == -EMFILE || fd == -ENOMEM || fd == -EBADF)
		return TAKE_FD(fd);
	if (fd < 0 || !is_unlinked(fd))
		return 0;
	if (*found >= 0)
		return -ENOTUNIQ;
	*found = TAKE_FD(fd);
	return 0;
}

/* The items of one answer to a search; the key after the last one is where the next
 * search begins. 1 when there are no more. */
static int take_items(int mount_fd, struct btrfs_ioctl_search_args *args,
		      const struct orphan *orphan, int *found)
{
	struct btrfs_ioctl_search_header head;
	size_t at = 0;
	int err = 0;

	for (uint32_t i = 0; i < args->key.nr_items && !err; i++) {
		if (at + sizeof(head) > sizeof(args->buf))
			return -EBADMSG;
		memcpy(&head, args->buf + at, sizeof(head));
		at += sizeof(head) + head.len;
		if (head.type == BTRFS_ROOT_ITEM_KEY)
			err = try_subvolume(mount_fd, head.objectid, orphan, found);
		args->key.min_objectid = head.objectid + 1;
	}
	return err ?: !args->key.nr_items;
}

/* Every subvolume: the kernel half does not tell which (BTRFS_IOC_TREE_SEARCH,
 * btrfs-ioctl(2)). */
static int open_btrfs(int mount_fd, const struct orphan *orphan)
{
	struct btrfs_ioctl_search_args args = {
		.key = {.tree_id = BTRFS_ROOT_TREE_OBJECTID,
			.min_objectid = BTRFS_FIRST_FREE_OBJECTID,
			.max_objectid = BTRFS_LAST_FREE_OBJECTID,
			.min_type = BTRFS_ROOT_ITEM_KEY,
			.max_type = BTRFS_ROOT_ITEM_KEY,
			.max_offset = UINT64_MAX,
			.max_transid = UINT64_MAX}};
	AUTO_FD found = -1;
	int err;

	if (!orphan->has_generation)
		return -ESTALE;
	err = try_subvolume(mount_fd, BTRFS_FS_TREE_OBJECTID, orphan, &found);
	while (!err) {
		args.key.nr_items = 4096;
		if (ioctl(mount_fd, BTRFS_IOC_TREE_SEARCH, &args))
			return -errno;
		err = take_items(mount_fd, &args, orphan, &found);
	}
	if (err < 0)
		return err;
	return found < 0 ? -ESTALE : TAKE_FD(found);
}

static const struct {
	const char *fstype;
	int (*open)(int mount_fd, const struct orphan *orphan);
} filesystems[] = {
	{"ext4", open_ext}, {"ext3", open_ext},	   {"ext2", open_ext},
	{"xfs", open_xfs},  {"btrfs", open_btrfs},
};

static const char *explain(int err)
{
	switch (err) {
	case -ESTALE:
		return "the filesystem has no such file any more";
	case -ENOTUNIQ:
		return "several subvolumes have such a file";
	}
	return strerror(-err);
}

int handle_open(int mount_fd, const char *fstype, const struct orphan *orphan, char **why)
{
	int fd;

	for (size_t i = 0; i < sizeof(filesystems) / sizeof(filesystems[0]); i++) {
		if (strcmp(filesystems[i].fstype, fstype))
			continue;
		fd = filesystems[i].open(mount_fd, orphan);
		return fd < 0 ? why_set(why, fd, "by file handle: %s%s", explain(fd),
					caps_refused(fd, caps_have(CAPS_HANDLE)
								 ? CAPS_SUBVOLUMES
								 : CAPS_HANDLE))
			      : fd;
	}
	return why_set(why, -EOPNOTSUPP,
		       "by file handle: %s opens only what was given a handle before",
		       fstype[0] ? fstype : "this filesystem");
}

struct search {
	const struct orphan *orphan;
	int fd; /* what was opened */
	char **why;
};

static int try_home(const struct home *home, void *data)
{
	struct search *search = data;

	search->fd =
		handle_open(home->fd, home->mount.fstype, search->orphan, search->why);
	return search->fd < 0 ? search->fd : 0;
}

int handle_open_home(const struct orphan *orphan, enum home_of of, struct home *home,
		     char **why)
{
	struct search search = {.orphan = orphan, .fd = -1, .why = why};
	int ret = home_find(orphan, of, try_home, &search, home);

	if (!ret)
		return search.fd;
	if (ret == -ENOENT)
		why_set(why, ret,
			"by file handle: no folder of filesystem %u:%u is mounted where "
			"it can be reached",
			orphan->dev_major, orphan->dev_minor);
	return ret;
}

int handle_reopen(int fd, int mount_fd)
{
	union handle handle = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
	AUTO_FD opened = -1;
	struct stat st, was;
	int mnt_id;

	if (fstat(fd, &was) ||
	    name_to_handle_at(fd, "", &handle.head, &mnt_id, AT_EMPTY_PATH))
		return -errno;
	opened = open_by_handle_at(mount_fd, &handle.head, O_PATH | O_CLOEXEC);
	if (opened < 0 || fstat(opened, &st))
		return -errno;
	if (st.st_ino != was.st_ino || st.st_dev != was.st_dev)
		return -ESTALE;
	return TAKE_FD(opened);
}

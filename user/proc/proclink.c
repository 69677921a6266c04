/* SPDX-License-Identifier: GPL-2.0-only */
#include "proclink.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/memfd.h>
#include <linux/openat2.h>

#include "base/auto.h"
#include "ownfd.h"
#include "proctext.h"

/* memfd, secretmem and one hugetlb mount for each page size; 6 sizes are the most that an
 * architecture has (powerpc). */
#define INTERNAL_MAX 16

/* Devices of mounts inside the kernel. */
static struct {
	bool read;
	size_t n;
	uint32_t major[INTERNAL_MAX], minor[INTERNAL_MAX];
} internal;

void proclink_fini(struct proclink *link)
{
	free(link->path);
	link->path = NULL;
}

/* Adds the device that @fd is on, and closes it. Without the feature nobody has such a
 * file, so a failed call needs no care. */
static void internal_add(int fd)
{
	AUTO_FD own = fd;
	struct statx stx;

	if (own < 0 || internal.n == INTERNAL_MAX ||
	    statx(own, "", AT_EMPTY_PATH, STATX_INO, &stx))
		return;
	internal.major[internal.n] = stx.stx_dev_major;
	internal.minor[internal.n++] = stx.stx_dev_minor;
}

static void internal_read(void)
{
	AUTO_DIR *sizes = opendir("/sys/kernel/mm/hugepages");
	struct dirent *entry;
	unsigned long kib;

	/* mm/shmem.c: memfd, SysV shm, /dev/zero and GEM objects share one mount. */
	internal_add(memfd_create("relinktrace", MFD_CLOEXEC));
	internal_add(syscall(SYS_memfd_secret, O_CLOEXEC));
	/* fs/hugetlbfs/inode.c: one mount a page size, no page is taken for an empty
	 * file. */
	while (sizes && (entry = readdir(sizes)))
		if (sscanf(entry->d_name, "hugepages-%lukB", &kib) == 1 && kib)
			internal_add(memfd_create(
				"relinktrace",
				MFD_CLOEXEC | MFD_HUGETLB |
					((unsigned int)__builtin_ctzl(kib * 1024)
					 << MFD_HUGE_SHIFT)));
	internal.read = true;
}

static bool dev_is_internal(const struct statx *stx)
{
	if (!internal.read)
		internal_read();
	for (size_t i = 0; i < internal.n; i++)
		if (internal.major[i] == stx->stx_dev_major &&
		    internal.minor[i] == stx->stx_dev_minor)
			return true;
	return false;
}

bool proclink_is_internal(const char *path)
{
	/* fs/aio.c; drivers/dma-buf/dma-buf.c (the rest is a name given by its user);
	 * drivers/gpu/drm, with gemfs and without. */
	return !strcmp(path, "/[aio]") ||
	       !strncmp(path, "/dmabuf:", strlen("/dmabuf:")) ||
	       !strcmp(path, "/drm mm object") || !strcmp(path, "/i915") ||
	       !strcmp(path, "/v3d");
}

static int stat_fd(int fd, struct statx *stx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_BASIC_STATS | STATX_MNT_ID, stx))
		return -errno;
	return stx->stx_mask & STATX_MNT_ID ? 0 : -EOPNOTSUPP;
}

/* Opens @text below @root_fd. The kernel wrote the text, so that it has no symbolic link
 * on its way unless somebody planted one since. */
static int name_open(int root_fd, const char *text)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = syscall(SYS_openat2, root_fd, text, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* Whether @text, all of it, is a name of the inode of @stx. d_path() writes paths from
 * the reader's root, or from the root of the mount namespace where that is another one;
 * the text of the task's own root is then the same way in front of both. */
static bool name_exists(int task_fd, const char *text, const struct statx *stx)
{
	AUTO_FD root = openat(task_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FREE char *prefix = NULL;
	AUTO_FD found = -1;
	struct statx now;
	size_t len;

	if (root < 0 || ownfd_path(root, &prefix))
		return false;
	len = strcmp(prefix, "/") ? strlen(prefix) : 0;
	if (!strncmp(text, prefix, len) && text[len] == '/') {
		found = name_open(root, text + len);
	} else {
		AUTO_FD ours = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		found = name_open(ours, text);
	}
	return found >= 0 && !stat_fd(found, &now) && now.stx_ino == stx->stx_ino &&
	       now.stx_dev_major == stx->stx_dev_major &&
	       now.stx_dev_minor == stx->stx_dev_minor;
}

/* Copies @text without PROCTEXT_DELETED. */
static int path_of_text(const char *text, char **path)
{
	char *copy = strndup(text, strlen(text) - strlen(PROCTEXT_DELETED));

	if (!copy)
		return -ENOMEM;
	*path = copy;
	return 0;
}

/* proclink_read() for @fd, which holds what the link led to. */
static int fd_read(int task_fd, int fd, struct proclink *out)
{
	AUTO_FREE char *text = NULL;
	struct proclink link = {0};
	int err = ownfd_path(fd, &text);
	bool too_long = err == -ENAMETOOLONG;

	if (!err && !proctext_is_deleted(text))
		return 0;
	if (!err || too_long)
		err = stat_fd(fd, &link.stx);
	if (err)
		return err;
	if (dev_is_internal(&link.stx))
		return 0;
	if (link.stx.stx_nlink && too_long)
		return -ENAMETOOLONG;
	if (link.stx.stx_nlink && name_exists(task_fd, text, &link.stx))
		return 0;
	err = too_long ? 0 : path_of_text(text, &link.path);
	if (err)
		return err;
	*out = link;
	return 1;
}

int proclink_read(int task_fd, const char *name, struct proclink *out)
{
	AUTO_FREE char *text = NULL;
	AUTO_FD fd = -1;
	int err = proctext_readlink(task_fd, name, &text);

	if (err && err != -ENAMETOOLONG)
		return err;
	if (!err && !proctext_is_deleted(text))
		return 0;
	/* From here on one path is looked at, whatever the task does to the link. */
	fd = openat(task_fd, name, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd_read(task_fd, fd, out);
}

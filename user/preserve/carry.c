/* SPDX-License-Identifier: GPL-2.0-only */
#include "carry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "base/auto.h"
#include "base/caps.h"
#include "base/why.h"
#include "source.h"

#define SEALS ((uint32_t)(FS_IMMUTABLE_FL | FS_APPEND_FL))

/* How data is kept; takes effect on what is written after it. */
#define EARLY                                                                            \
	((uint32_t)(FS_COMPR_FL | FS_NOCOMP_FL | FS_NOCOW_FL | FS_JOURNAL_DATA_FL |      \
		    FS_NOTAIL_FL | FS_DAX_FL))

#ifndef FS_DAX_FL /* linux 5.8 */
#define FS_DAX_FL 0x02000000
#endif

/* Bytes of text after which no more is told; one of them has 400 at most. */
#define MISSING_MAX 3000

/* The way to an inode. Extended attributes take no O_PATH fd (open(2)); the link in /proc of
 * one leads to the inode itself, be it a symbolic link. */
struct way {
	int fd;
	bool by_path;
	char path[32];
};

static struct way way_of(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct way way = {.fd = fd, .by_path = flags < 0 || flags & O_PATH};

	if (way.by_path)
		snprintf(way.path, sizeof(way.path), "/proc/self/fd/%d", fd);
	return way;
}

static ssize_t way_getxattr(const struct way *way, const char *name, void *value,
			    size_t size)
{
	return way->by_path ? getxattr(way->path, name, value, size)
			    : fgetxattr(way->fd, name, value, size);
}

static ssize_t way_listxattr(const struct way *way, char *names, size_t size)
{
	return way->by_path ? listxattr(way->path, names, size)
			    : flistxattr(way->fd, names, size);
}

static int way_setxattr(const struct way *way, const struct attributes_xattr *xattr)
{
	return way->by_path
		       ? setxattr(way->path, xattr->name, xattr->value, xattr->size, 0)
		       : fsetxattr(way->fd, xattr->name, xattr->value, xattr->size, 0);
}

static int way_removexattr(const struct way *way, const char *name)
{
	return way->by_path ? removexattr(way->path, name) : fremovexattr(way->fd, name);
}

static int way_chmod(const struct way *way, mode_t mode)
{
	return way->by_path ? chmod(way->path, mode) : fchmod(way->fd, mode);
}

static int way_utimens(const struct way *way, const struct timespec times[static 2])
{
	return way->by_path ? utimensat(AT_FDCWD, way->path, times, 0)
			    : futimens(way->fd, times);
}

int carry_miss(char **missing, const char *format, ...)
{
	AUTO_FREE char *text = NULL, *before = NULL;
	va_list args;
	int n;

	/* The text goes into the manifest, which has its limits. */
	if (*missing && strlen(*missing) > MISSING_MAX)
		return 0;
	before = TAKE_PTR(*missing);
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	why_set(missing, 0, "%s%s%s", before ? before : "", before ? "; " : "", text);
	return *missing ? 0 : -ENOMEM;
}

/* The value of @name, which may grow meanwhile. *@out is owned by the caller. 0; -ENODATA
 * it is gone; -errno. */
static int xattr_read(const struct way *way, const char *name, void **out,
		      size_t *out_size)
{
	for (;;) {
		ssize_t size = way_getxattr(way, name, NULL, 0);
		AUTO_FREE char *value = NULL;

		if (size < 0)
			return -errno;
		value = malloc(size + 1);
		if (!value)
			return -ENOMEM;
		size = way_getxattr(way, name, value, size + 1);
		if (size < 0 && errno == ERANGE)
			continue;
		if (size < 0)
			return -errno;
		*out = TAKE_PTR(value);
		*out_size = size;
		return 0;
	}
}

/* Most files have fewer names; the kernel makes room for as many as it is told, each time. */
#define NAMES_FEW 512

/* All names, each with its NUL; owned by the caller. Their size or -errno. */
static ssize_t xattr_names(const struct way *way, char **out)
{
	size_t room = NAMES_FEW;

	for (;;) {
		AUTO_FREE char *names = malloc(room);
		ssize_t size;

		if (!names)
			return -ENOMEM;
		size = way_listxattr(way, names, room);
		if (size < 0 && errno == ERANGE && room < XATTR_LIST_MAX) {
			room = XATTR_LIST_MAX;
			continue;
		}
		if (size < 0)
			return errno == ENOTSUP ? 0 : -errno;
		*out = TAKE_PTR(names);
		return size;
	}
}

static int read_xattrs(const struct way *way, struct attributes *out)
{
	AUTO_FREE char *names = NULL;
	ssize_t size = xattr_names(way, &names);

	if (size < 0)
		return size;
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		AUTO_FREE char *copy = strdup(name);
		AUTO_FREE void *value = NULL;
		size_t len = 0;
		int ret = copy ? xattr_read(way, name, &value, &len) : -ENOMEM;

		if (ret == -ENODATA || ret == -ENOTSUP)
			continue;
		ret = ret ?: attributes_add_xattr(out, copy, value, len);
		if (ret)
			return ret;
		copy = NULL;
		value = NULL;
	}
	return 0;
}

/* Whether the filesystem just does not have this ioctl. */
static bool is_unknown(int error)
{
	return error == ENOTTY || error == EOPNOTSUPP || error == EINVAL ||
	       error == ENOSYS;
}

static int read_flags(int fd, struct attributes *out)
{
	struct fsxattr fsx;
	int flags; /* an int, whatever the ioctl's number says */

	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags)) {
		out->has_flags = true;
		out->flags = flags & attributes_flags();
	} else if (!is_unknown(errno)) {
		return -errno;
	}
	if (!ioctl(fd, FS_IOC_FSGETXATTR, &fsx)) {
		out->has_project = true;
		out->project = fsx.fsx_projid;
		out->hints = fsx.fsx_xflags & attributes_hints();
		out->extsize = out->hints ? fsx.fsx_extsize : 0;
		out->cowextsize = out->hints ? fsx.fsx_cowextsize : 0;
	} else if (!is_unknown(errno)) {
		return -errno;
	}
	return 0;
}

int carry_read(int fd, const struct stat *st, struct attributes *out)
{
	AUTO(attributes_fini)
	struct attributes attributes = {.atime = st->st_atim, .mtime = st->st_mtim};
	struct way way = way_of(fd);
	AUTO_FD opened = -1;
	int ret = read_xattrs(&way, &attributes);

	if (!ret && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))) {
		if (way.by_path)
			fd = opened = source_reopen(fd);
		ret = fd < 0 ? fd : read_flags(fd, &attributes);
	}
	if (ret)
		return ret;
	*out = attributes;
	attributes = (struct attributes){0};
	return 0;
}

/* Makes those flags of @fd that are in @mask be as in @wanted. */
static int set_flags(int fd, uint32_t mask, uint32_t wanted)
{
	int now, new;

	if (ioctl(fd, FS_IOC_GETFLAGS, &now))
		return -errno;
	new = (now & ~mask) | (wanted & mask);
	if (new == now)
		return 0;
	return ioctl(fd, FS_IOC_SETFLAGS, &new) ? -errno : 0;
}

/* All at once, and one by one where that is refused, so that it can be told which. */
static int write_flags(int fd, uint32_t mask, const struct attributes *attributes,
		       char **missing)
{
	int ret;

	if (!attributes->has_flags || !set_flags(fd, mask, attributes->flags))
		return 0;
	for (uint32_t flag = 1; flag; flag <<= 1) {
		if (!(flag & mask))
			continue;
		ret = set_flags(fd, flag, attributes->flags);
		/* That it was not to be set says nothing where it cannot be. */
		if (!ret || (is_unknown(-ret) && !(attributes->flags & flag)))
			continue;
		ret = carry_miss(missing, "inode flag %s: %s", attributes_flag_name(flag),
				 strerror(-ret));
		if (ret)
			return ret;
	}
	return 0;
}

/* Gives @fd the project, the hints, or both; what is so already is left. */
static int set_extended(int fd, const struct attributes *attributes, bool project,
			bool hints)
{
	struct fsxattr now, new;

	if (ioctl(fd, FS_IOC_FSGETXATTR, &now))
		return -errno;
	new = now;
	if (project)
		new.fsx_projid = attributes->project;
	if (hints && (now.fsx_xflags & attributes_hints() || attributes->hints)) {
		new.fsx_xflags &= ~attributes_hints();
		new.fsx_xflags |= attributes->hints;
		new.fsx_extsize = attributes->extsize;
		new.fsx_cowextsize = attributes->cowextsize;
	}
	if (!memcmp(&now, &new, sizeof(now)))
		return 0;
	return ioctl(fd, FS_IOC_FSSETXATTR, &new) ? -errno : 0;
}

/* Both at once, and one by one where that is refused. What a new file got from its folder
 * goes: a hint to allocate more than the source has. */
static int write_extended(int fd, const struct attributes *attributes, char **missing)
{
	int ret;

	if (!attributes->has_project || !set_extended(fd, attributes, true, true))
		return 0;
	ret = set_extended(fd, attributes, true, false);
	if (ret && (!is_unknown(-ret) || attributes->project)) {
		ret = carry_miss(missing, "project %u: %s", attributes->project,
				 strerror(-ret));
		if (ret)
			return ret;
	}
	ret = set_extended(fd, attributes, false, true);
	if (!ret || (is_unknown(-ret) && !attributes->hints))
		return 0;
	return carry_miss(missing, "hints of allocation: %s", strerror(-ret));
}

int carry_prepare(int fd, const struct attributes *attributes, char **missing)
{
	int ret = write_extended(fd, attributes, missing);

	return ret ?: write_flags(fd, EARLY & attributes_flags(), attributes, missing);
}

static bool has_xattr(const struct attributes *attributes, const char *name)
{
	for (size_t i = 0; i < attributes->n_xattrs; i++)
		if (!strcmp(attributes->xattrs[i].name, name))
			return true;
	return false;
}

/* What a new file got from its folder, such as a default ACL. A label of a security module
 * cannot be taken away (EPERM, EACCES); it would not be the source's fault either. 1 where it
 * got anything; 0; -errno. */
static int remove_others(const struct way *way, const struct attributes *attributes)
{
	AUTO_FREE char *names = NULL;
	ssize_t size = xattr_names(way, &names);

	if (size < 0)
		return size;
	for (const char *name = names; name < names + size; name += strlen(name) + 1)
		if (!has_xattr(attributes, name) && way_removexattr(way, name) &&
		    errno != ENODATA && errno != ENOTSUP && strncmp(name, "security.", 9))
			return -errno;
	return size > 0;
}

/* Of what the kernel gives to some only: a file is better off without than not there. */
static bool is_privileged(const char *name)
{
	return !strncmp(name, "security.", 9) || !strncmp(name, "trusted.", 8);
}

/* 1 where there were any; 0; -errno. */
static int write_xattrs(const struct way *way, const struct attributes *attributes,
			char **missing)
{
	int others = remove_others(way, attributes), ret = 0;

	if (others < 0)
		return others;
	for (size_t i = 0; i < attributes->n_xattrs && !ret; i++) {
		const struct attributes_xattr *xattr = &attributes->xattrs[i];

		if (!way_setxattr(way, xattr))
			continue;
		ret = -errno;
		if (ret == -ENOTSUP || is_privileged(xattr->name))
			ret = carry_miss(
				missing, "extended attribute %s: %s%s", xattr->name,
				strerror(-ret),
				caps_refused(ret, strcmp(xattr->name, XATTR_NAME_CAPS)
							  ? CAPS_COPY_XATTR
							  : CAPS_COPY_FCAPS));
	}
	return ret ?: others || attributes->n_xattrs;
}

/* The kernel takes the set-group-id bit of a group that is not ours away, and says nothing
 * (chmod(2)). */
static int write_mode(const struct way *way, mode_t mode, char **missing)
{
	struct stat st;

	if (way_chmod(way, mode))
		return -errno;
	if (!(mode & S_ISGID))
		return 0;
	if (fstat(way->fd, &st))
		return -errno;
	if (st.st_mode & S_ISGID)
		return 0;
	return carry_miss(missing, "the set-group-id bit%s",
			  caps_missing(CAPS_COPY_MODE));
}

int carry_unseen(char **missing)
{
	/* Nobody else is told that there are any (fs/xattr.c, xattr_permission). */
	if (caps_have(CAPS_COPY_XATTR))
		return 0;
	return carry_miss(missing, "trusted attributes, if it has any%s",
			  caps_missing(CAPS_COPY_XATTR));
}

const char *carry_refused(int error)
{
	static const enum caps_use uses[] = {CAPS_COPY_OWNER, CAPS_HARDLINK, CAPS_REACH};
	const char *text = "";

	/* Who may give an owner away is told so by EPERM, who may read by EACCES. */
	if (error == -EACCES)
		return caps_refused(error, CAPS_REACH);
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses) && !*text; i++)
		text = caps_refused(error, uses[i]);
	return text;
}

static bool has_owner(const struct statx *now, const struct stat *st)
{
	return now && now->stx_uid == st->st_uid && now->stx_gid == st->st_gid;
}

int carry_write(int fd, const struct statx *now, const struct stat *st,
		const struct attributes *attributes, char **missing)
{
	const struct timespec times[] = {attributes->atime, attributes->mtime};
	struct way way = way_of(fd);
	AUTO_FD opened = -1;
	int ret, xattrs;

	/* In this order: a new owner takes set-id bits and capabilities away, an ACL
	 * changes permissions, and each of them changes nothing but the ctime. */
	if (!has_owner(now, st) &&
	    fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH))
		return -errno;
	xattrs = write_xattrs(&way, attributes, missing);
	if (xattrs < 0)
		return xattrs;
	ret = S_ISLNK(st->st_mode) || (!xattrs && has_owner(now, st) &&
				       now->stx_mode == st->st_mode)
		      ? 0
		      : write_mode(&way, st->st_mode & 07777, missing);
	if (ret)
		return ret;
	if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) {
		if (way.by_path)
			fd = opened = source_reopen(fd);
		ret = fd < 0 ? fd
			     : write_flags(fd, attributes_flags() & ~EARLY & ~SEALS,
					   attributes, missing);
	}
	if (ret)
		return ret;
	return way_utimens(&way, times) ? -errno : 0;
}

bool carry_is_sealed(const struct attributes *attributes)
{
	return attributes->has_flags && attributes->flags & SEALS;
}

int carry_seal(int fd, const struct attributes *attributes)
{
	AUTO_FD opened = -1;

	if (!carry_is_sealed(attributes))
		return 0;
	fd = source_ioctl_fd(fd, &opened);
	return fd < 0 ? fd : set_flags(fd, SEALS, attributes->flags);
}

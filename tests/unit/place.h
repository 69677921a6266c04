/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory with a filesystem of the test's own, in a mount namespace of its own. */
#ifndef RELINKTRACE_PLACE_H
#define RELINKTRACE_PLACE_H

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "proc/mount.h"

static char place[] = "/tmp/relinktrace-place-XXXXXX";

static inline const char *in_place(const char *name)
{
	static char text[4][8192];
	static int n;

	n = (n + 1) % 4;
	snprintf(text[n], sizeof(text[n]), "%s/%s", place, name);
	return text[n];
}

/* Mounts @fstype (tmpfs, or one of disks in a file) on the place. False where that is not
 * possible here, which is reported as a skip. */
static inline bool place_mount(const char *fstype)
{
	char command[512];

	mount_cache_drop();
	if (!strcmp(fstype, "tmpfs")) {
		MUST(!mount("relinktrace", place, "tmpfs", 0, "mode=755"));
		return true;
	}
	snprintf(command, sizeof(command),
		 "truncate -s 400M %s.img && mkfs.%s -q %s.img >/dev/null && "
		 "mount -o loop %s.img %s",
		 place, fstype, place, place, place);
	if (!system(command))
		return true;
	check_skip(fstype, "no mkfs for it, or no loop device");
	return false;
}

static inline void place_umount(void)
{
	char image[64];

	MUST(!umount(place));
	snprintf(image, sizeof(image), "%s.img", place);
	unlink(image);
	mount_cache_drop();
}

static inline void place_begin(void)
{
	MUST(!unshare(CLONE_NEWNS));
	MUST(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	MUST(mkdtemp(place));
}

/* What main() returns. */
static inline int place_end(void)
{
	CHECK(!rmdir(place));
	return check_done();
}

#endif

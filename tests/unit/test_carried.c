/* SPDX-License-Identifier: GPL-2.0-only */
/* What a checkpoint carries by itself, and what a store takes therefore. */
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "preserve/carried.h"

#include "check.h"

static bool is_carried(bool container, const char *point, const char *fstype,
		       bool outside)
{
	struct carried_facts facts = {container, point, fstype, outside, false};

	return carried(&facts);
}

static void test_carried(void)
{
	/* the root of a container: the runtime archives what was written to it */
	CHECK(is_carried(true, "/", "overlay", true));
	CHECK(is_carried(true, "/", "ext4", false));
	/* a tmpfs of its own is in CRIU's images, a bind mount of one is not */
	CHECK(is_carried(true, "/dev/shm", "tmpfs", false));
	CHECK(!is_carried(true, "/dev/shm", "tmpfs", true));
	/* a volume; and what the container has mounted itself but CRIU does not dump */
	CHECK(!is_carried(true, "/vol", "ext4", true));
	CHECK(!is_carried(true, "/vol", "ext4", false));
	CHECK(!is_carried(true, "/vol", NULL, false));
	/* what is nowhere in sight */
	CHECK(!is_carried(true, NULL, "tmpfs", false));
	/* of what is in no container there is no archive */
	CHECK(!is_carried(false, "/", "ext4", true));
	CHECK(!is_carried(false, "/tmp", "tmpfs", false));
}

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_exported(void)
{
	struct carried_facts facts = {true, "/dev/shm", "tmpfs", true, true};

	CHECK(carried(&facts));
	facts.container = false;
	CHECK(!carried(&facts));
	CHECK(carried_is_shm("/var/lib/containers/storage/overlay-containers/" ID
			     "/userdata/shm",
			     ID));
	CHECK(carried_is_shm("/" ID "/userdata/shm", ID));
	/* a pod's, whose containers have other ids */
	CHECK(!carried_is_shm("/overlay-containers/f" ID "/userdata/shm", ID));
	CHECK(!carried_is_shm("/overlay-containers/" ID "/userdata/shm", "f" ID));
	CHECK(!carried_is_shm(ID "/userdata/shm", ID));
	CHECK(!carried_is_shm("/a/" ID "/userdata/shm/x", ID));
	CHECK(!carried_is_shm("/a/" ID "/userdata/shm2", ID));
	CHECK(!carried_is_shm("/a//userdata/shm", ""));
	CHECK(!carried_is_shm("/userdata/shm", ID));
	CHECK(!carried_is_shm("", ID));
}

static struct depot depot_of(const struct depot_mounts *mounts)
{
	struct depot depot = DEPOT_INIT;

	depot.mounts = mounts;
	return depot;
}

static void test_listed(void)
{
	AUTO(depot_mounts_fini) struct depot_mounts mounts = {0};
	struct depot depot = depot_of(&mounts);
	struct orphan orphan = {.mnt_point = "/vol"}, root = {.mnt_point = "/"},
		      lost = {0};

	/* none: all */
	CHECK(depot_takes(&depot, &orphan) && depot_takes(&depot, &lost));
	mounts.listed = true;
	CHECK(!depot_takes(&depot, &orphan) && depot_takes(&depot, &lost));
	CHECK_INT(depot_mounts_put(&mounts, "/vol"), 0);
	CHECK(depot_takes(&depot, &orphan) && !depot_takes(&depot, &root));
	CHECK(depot_mounts_have(&mounts, "/vol") && !depot_mounts_have(&mounts, "/vo"));
	/* as somebody names them */
	mounts.listed = false;
	CHECK(depot_takes(&depot, &orphan) && !depot_takes(&depot, &root));
	CHECK(!depot_takes(&depot, &lost));
	CHECK(!depot_takes(NULL, &orphan));
}

/* What is nowhere else, and no more. */
static void test_sparing(void)
{
	AUTO(depot_mounts_fini)
	struct depot_mounts mounts = {.listed = true, .sparing = true};
	struct depot depot = depot_of(&mounts);
	struct orphan orphan = {.mnt_point = "/vol", .fstype = "ext4", .mode = S_IFREG};

	CHECK_INT(depot_mounts_put(&mounts, "/vol"), 0);
	CHECK(depot_takes(&depot, &orphan));
	orphan.nlink = 1;
	CHECK(!depot_takes(&depot, &orphan));
	strcpy(orphan.fstype, "tmpfs");
	CHECK(depot_takes(&depot, &orphan));
	/* of which there is no copy */
	orphan.mode = S_IFIFO;
	CHECK(!depot_takes(&depot, &orphan));
	orphan.mode = S_IFREG;
	orphan.mnt_point = "/";
	CHECK(!depot_takes(&depot, &orphan));
	orphan.mnt_point = NULL;
	CHECK(depot_takes(&depot, &orphan));
	strcpy(orphan.fstype, "xfs");
	CHECK(!depot_takes(&depot, &orphan));
	mounts.sparing = false;
	CHECK(depot_takes(&depot, &orphan));
}

/* The mounts of this process are the machine's own, or they are a container's. */
static void test_find(void)
{
	struct orphan orphans[] = {
		{.mnt_point = "/", .fstype = "ext4", .mnt_ns = 1, .mnt_id = 1},
		{.mnt_point = "/vol", .fstype = "ext4", .mnt_ns = 1, .mnt_id = 2},
		{.mnt_point = "/vol", .fstype = "ext4", .mnt_ns = 1, .mnt_id = 2},
		{.mnt_point = NULL, .fstype = "ext4", .mnt_ns = 1, .mnt_id = 3},
	};
	struct orphan_set set = {.orphans = orphans, .n = 4};
	AUTO(depot_mounts_fini) struct depot_mounts found = {0};

	CHECK_INT(carried_find(&set, &found), 0);
	CHECK(found.listed && found.n == 1 && !strcmp(found.points[0], "/vol"));
	/* again, as before and inside of a freeze */
	CHECK_INT(carried_find(&set, &found), 0);
	CHECK_INT(found.n, 1);
	orphans[0].mnt_ns = 0;
	CHECK_INT(carried_find(&set, &found), 0);
	CHECK_INT(found.n, 2);
}

int main(void)
{
	test_carried();
	test_exported();
	test_listed();
	test_sparing();
	test_find();
	return check_done();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pod and container a cgroup's path tells of, in the ways of every runtime. */
#include "proc/container.h"

#include "check.h"

#define ID_A   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B   "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID    "1b2c3d4e-0000-4a5b-8c6d-7e8f90a1b2c3"
#define UID_   "1b2c3d4e_0000_4a5b_8c6d_7e8f90a1b2c3"
#define STATIC "00112233445566778899aabbccddeeff"

static void check_path(const char *path, const char *pod, const char *id)
{
	struct container container;

	container_of_path(path, &container);
	CHECK_STR(container.pod, pod);
	CHECK_STR(container.id, id);
}

static void test_kubernetes(void)
{
	const char *slice = "/kubepods.slice/kubepods-burstable.slice/"
			    "kubepods-burstable-pod" UID_ ".slice";
	char path[512];

	check_path(slice, UID, "");
	snprintf(path, sizeof(path), "%s/cri-containerd-" ID_A ".scope", slice);
	check_path(path, UID, ID_A);
	snprintf(path, sizeof(path), "%s/crio-" ID_A ".scope/system.slice/x.service",
		 slice);
	check_path(path, UID, ID_A);
	snprintf(path, sizeof(path), "%s/crio-conmon-" ID_A ".scope", slice);
	check_path(path, UID, "");
	/* Guaranteed: no class in between. */
	check_path("/kubepods.slice/kubepods-pod" UID_ ".slice", UID, "");
	/* cgroupfs */
	check_path("/kubepods/besteffort/pod" UID "/" ID_B, UID, ID_B);
	check_path("/kubepods/besteffort/pod" UID "/crio-" ID_B, UID, ID_B);
	check_path("/kubepods/pod" UID, UID, "");
	/* The hash of a static pod's file, and the other driver's way to write it. */
	check_path("/kubepods/pod" STATIC "/" ID_B "/init.scope", STATIC, ID_B);
	check_path("/kubepods.slice/kubepods-pod" STATIC ".slice", STATIC, "");
}

static void test_others(void)
{
	check_path("/machine.slice/libpod-" ID_A ".scope/container", "", ID_A);
	check_path("/machine.slice/libpod-conmon-" ID_A ".scope", "", "");
	check_path("/libpod_parent/libpod-" ID_A, "", ID_A);
	check_path("/system.slice/docker-" ID_A ".scope", "", ID_A);
	check_path("/docker/" ID_A, "", ID_A);
	check_path("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID_B
		   ".scope/container",
		   "", ID_B);
}

/* A cluster inside of a container, and a container inside of a pod's. */
static void test_nested(void)
{
	check_path("/docker/" ID_A "/kubelet.slice/kubelet-kubepods.slice/"
		   "kubelet-kubepods-pod" UID_ ".slice/cri-containerd-" ID_B ".scope",
		   UID, ID_B);
	check_path("/docker/" ID_A "/kubelet.slice/kubelet-kubepods.slice/"
		   "kubelet-kubepods-pod" UID_ ".slice",
		   UID, "");
	check_path("/docker/" ID_A "/system.slice/kubelet.service", "", ID_A);
	check_path("/kubepods/pod" UID "/" ID_A "/docker/" ID_B, UID, ID_B);
}

static void test_none(void)
{
	check_path("/", "", "");
	check_path("", "", "");
	check_path("//", "", "");
	check_path("/system.slice/nginx.service", "", "");
	check_path("/" ID_A, "", ""); /* a bare id is one only below a pod or docker */
	check_path("/docker/" ID_A "0", "", "");
	check_path("/docker/0123", "", "");
	check_path("/kubepods/pod" UID_, "", ""); /* each driver has its own dash */
	check_path("/kubepods.slice/kubepods-pod" UID ".slice", "", "");
	check_path("/kubepods/podcast", "", "");
	check_path("/docker/"
		   "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
		   "", "");
}

/* Only the cgroup itself is found by name, none of those in it. */
static void test_matches(void)
{
	CHECK(container_is_pod("/kubepods/pod" UID, UID));
	CHECK(container_is_pod("/kubepods/pod" UID, UID_));
	CHECK(container_is_pod("/k.slice/k-pod" UID_ ".slice", UID));
	CHECK(!container_is_pod("/kubepods/pod" UID "/" ID_A, UID));
	CHECK(!container_is_pod("/kubepods/pod" STATIC, UID));
	CHECK(container_has_prefix("/docker/" ID_A, "01234567"));
	CHECK(container_has_prefix("/docker/" ID_A "/", ID_A));
	CHECK(!container_has_prefix("/docker/" ID_A "/inner", "0123"));
	CHECK(!container_has_prefix("/docker/" ID_A, "fedc"));
	CHECK(!container_has_prefix("/docker/", ""));
}

static void test_valid(void)
{
	CHECK(container_uid_is_valid(UID) && container_uid_is_valid(UID_));
	CHECK(container_uid_is_valid(STATIC));
	CHECK(!container_uid_is_valid("") && !container_uid_is_valid(UID "0"));
	CHECK(!container_uid_is_valid("1b2c3d4e-0000-4a5b-8c6d-7e8f90a1b2cg"));
	CHECK(container_prefix_is_valid("0") && container_prefix_is_valid(ID_A));
	CHECK(!container_prefix_is_valid("") && !container_prefix_is_valid(ID_A "0"));
	CHECK(!container_prefix_is_valid("0123/") && !container_prefix_is_valid("ABC"));
}

int main(void)
{
	test_kubernetes();
	test_others();
	test_nested();
	test_none();
	test_matches();
	test_valid();
	return check_done();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* Pods and containers, as container runtimes write them into the names of cgroups. Read
 * from the path alone: no runtime is asked. */
#ifndef RELINKTRACE_CONTAINER_H
#define RELINKTRACE_CONTAINER_H

#include <stdbool.h>

#define CONTAINER_POD_LEN 36 /* a UUID; static pods have 32 digits without dashes */
#define CONTAINER_ID_LEN  64 /* hexadecimal */

struct container {
	char pod[CONTAINER_POD_LEN + 1]; /* with dashes; "" none */
	char id[CONTAINER_ID_LEN + 1];	 /* "" none */
};

/* What cgroup @path, below the v2 root, says: the innermost pod, and the innermost
 * container in it; where there is no pod the innermost container; or neither. Known are
 * the cgroups of kubelet's two drivers, containerd, CRI-O, podman and docker. Pure. */
void container_of_path(const char *path, struct container *out);

/* Whether the last component of cgroup @path is the cgroup of pod @uid itself; dashes may
 * stand as underscores, as in names of slices. Pure. */
bool container_is_pod(const char *path, const char *uid);

/* Whether the last component of cgroup @path is the cgroup of a container itself whose id
 * begins with @prefix. Pure. */
bool container_has_prefix(const char *path, const char *prefix);

/* Whether @uid is one of a pod, and @prefix the begin of a container's id, in lower case
 * as in cgroups' names. Pure. */
bool container_uid_is_valid(const char *uid);
bool container_prefix_is_valid(const char *prefix);

#endif

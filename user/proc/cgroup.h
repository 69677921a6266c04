/* SPDX-License-Identifier: GPL-2.0-only */
/* cgroups of the v2 tree: finding the one that is meant, its id, its path, its tasks. */
#ifndef RELINKTRACE_CGROUP_H
#define RELINKTRACE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup {
	char *path; /* owned; below the v2 root (of our cgroup namespace), "/" for that */
	uint64_t id;	/* kernfs id, what bpf_get_current_cgroup_id() returns */
	uint32_t level; /* depth below the root of the hierarchy, the root is 0 */
	int fd;		/* O_PATH of the directory; owned; -1 unset */
};

#define CGROUP_INIT                                                                      \
	{                                                                                \
		.fd = -1                                                                 \
	}

/* Frees what @cg owns; for AUTO(). */
void cgroup_fini(struct cgroup *cg);

/* Mount point of the v2 hierarchy (/sys/fs/cgroup, …/unified, wherever mountinfo says),
 * found once a process; NULL with errno set when none is mounted. */
const char *cgroup_mount(void);

/* Finds the cgroup that @spec names: a path (absolute, or relative to the v2 mount),
 * id:N, pid:N, unit:NAME, pod:UID, container:ID (or its begin). On failure: -errno
 * (-ENOENT not found, -EOPNOTSUPP not cgroup v2, -ENOTUNIQ ambiguous, -EINVAL malformed,
 * -EXDEV when our cgroup namespace hides the depth that the kernel half needs, …), @out
 * untouched, and the reason with the names involved in @why (owned by the caller; may be
 * NULL when memory is out). */
int cgroup_find(const char *spec, struct cgroup *out, char **why);

/* Path below the v2 root of cgroup @id, through a file handle (kernfs exports them,
 * fs/kernfs/mount.c). 0 and *@path owned by the caller, or -errno (-ENOENT, -ESTALE
 * gone). */
int cgroup_path_of(uint64_t id, char **path);

/* The same where @pid was in it when it was seen: without CAP_DAC_READ_SEARCH no cgroup can
 * be opened by its id, but a process tells its own. */
int cgroup_path_seen(uint64_t id, pid_t pid, char **path);

/* Id of the cgroup at @path below the v2 root, by name_to_handle_at(2), which needs no
 * capability. 0 or -errno. */
int cgroup_id_of(const char *path, uint64_t *id);

/* Path below the v2 root of the cgroup that @pid is in (the "0::" line of
 * /proc/PID/cgroup). 0 and *@path owned by the caller; -EXDEV when it lies outside of our
 * cgroup namespace (cgroup_namespaces(7)); -ESTALE when it is removed, which a zombie
 * outlives; -errno. */
int cgroup_of_pid(pid_t pid, char **path);

/* Whether @path is @ancestor or lies below it; both below the v2 root. */
bool cgroup_contains(const char *ancestor, const char *path);

/* Forgets where the v2 tree is, and closes it. */
void cgroup_cache_drop(void);

#endif

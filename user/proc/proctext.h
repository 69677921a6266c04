/* SPDX-License-Identifier: GPL-2.0-only */
/* The text files of /proc and cgroupfs: text in, struct out. Every parser is pure,
 * returns 0 or -EINVAL for text that the kernel does not write, and leaves its output
 * untouched on failure. */
#ifndef RELINKTRACE_PROCTEXT_H
#define RELINKTRACE_PROCTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/types.h>
#include "../../bpf/relinktrace.h"

/* What d_path() appends to the path of an unhashed dentry (fs/d_path.c, d_path). A real
 * name can end so as well. */
#define PROCTEXT_DELETED " (deleted)"

/* /proc/PID/stat, proc_pid_stat(5). */
struct proctext_stat {
	char comm[RT_COMM_LEN]; /* cut to fit; may hold any byte */
	char state;		/* 'R', 'S', … 'Z' */
	bool kthread;		/* PF_KTHREAD */
	bool exiting;		/* PF_EXITING */
	pid_t ppid;		/* 0: none that has a number here */
	uint64_t threads;
	uint64_t start_time; /* clock ticks since boot */
};

/* /proc/PID/fdinfo/N, proc_pid_fdinfo(5). */
struct proctext_fdinfo {
	uint64_t pos;	/* bytes */
	uint32_t flags; /* open(2) flags without O_CLOEXEC */
	bool cloexec;
	int mnt_id;
};

/* A line of /proc/PID/maps, proc_pid_maps(5). */
struct proctext_map {
	uint64_t start, end; /* names /proc/PID/map_files/START-END */
	uint32_t dev_major, dev_minor;
	uint64_t ino;
	bool deleted; /* the path ends with PROCTEXT_DELETED */
};

int proctext_stat(const char *text, struct proctext_stat *out);
int proctext_fdinfo(const char *text, struct proctext_fdinfo *out);

/* @line has no newline: the kernel escapes those of names (seq_path). */
int proctext_map(const char *line, struct proctext_map *out);

/* The number after @key at the beginning of a line, past ':' and blanks, in @base (8, 10,
 * 16): for status, fdinfo and cgroup.events. -ENOENT when no line has the key. */
int proctext_value(const char *text, const char *key, int base, uint64_t *value);

/* The path on the "0::" line of /proc/PID/cgroup, cgroups(7), as it stands there: with
 * "/.." for a cgroup outside of the reader's cgroup namespace and PROCTEXT_DELETED for a
 * removed one. Owned by the caller. -ENOENT when there is no such line; -ENOMEM. */
int proctext_cgroup(const char *text, char **path);

/* A whole decimal number from 1 to @max, nothing before or after it. */
int proctext_number(const char *text, uint64_t max, uint64_t *value);

/* Whether @text ends with PROCTEXT_DELETED and begins with '/': the link of a file with a
 * name, and not pipe:[…] and the like. */
bool proctext_is_deleted(const char *text);

/* Not pure: reads all of file @name below @dir_fd (or AT_FDCWD) into *@text, terminated
 * and owned by the caller. 0 or -errno. */
int proctext_read(int dir_fd, const char *name, char **text);

/* Not pure: the target of symbolic link @name below @dir_fd into *@text, owned by the
 * caller. 0 or -errno; -ENAMETOOLONG when the path does not fit into PATH_MAX
 * (fs/proc/base.c, do_proc_readlink). */
int proctext_readlink(int dir_fd, const char *name, char **text);

/* The same of a link that leads to a file without its name, and the path is what that was. 0;
 * -ENOENT it has it; -errno. */
int proctext_readlink_deleted(int dir_fd, const char *name, char **text);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
#include "caps.h"

#include <errno.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/stat.h>

#include "auto.h"

/* Inode number of the initial user namespace: PROC_USER_INIT_INO, linux/proc_ns.h. */
#define INIT_USER_NS_INO 0xEFFFFFFDU

#define CAPS_WAYS 2
#define CAPS_EACH 2
#define NO_CAP	  (-1)

/* Any way will do; a way takes all its capabilities. */
struct caps_row {
	struct caps_need need;
	cap_value_t ways[CAPS_WAYS][CAPS_EACH];
	bool initial_ns; /* asked for by capable(), not ns_capable() */
};

static const struct caps_row caps_table[CAPS_USES] = {
	[CAPS_BPF_LOAD] = {{"CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN",
			    "to load BPF programs and holder iterators"},
			   {{CAP_BPF, CAP_PERFMON}, {CAP_SYS_ADMIN, NO_CAP}},
			   true},
	[CAPS_BPF_MODULES] =
		{{"CAP_SYS_ADMIN",
		  "to look through the types of the kernel's modules: from 5.11 "
		  "to 6.1 for every BPF program, else for tracepoints of modules"},
		 {{CAP_SYS_ADMIN, NO_CAP}, {NO_CAP, NO_CAP}},
		 true},
	[CAPS_BPF_PIN] = {{"CAP_SYS_ADMIN", "to mount bpffs for attach --pin"},
			  {{CAP_SYS_ADMIN, NO_CAP}, {NO_CAP, NO_CAP}},
			  false},
	[CAPS_PROC_READ] =
		{{"CAP_SYS_PTRACE",
		  "to read /proc/PID/fd, maps, exe, cwd and root of other users' "
		  "processes"},
		 {{CAP_SYS_PTRACE, NO_CAP}, {NO_CAP, NO_CAP}},
		 false},
	[CAPS_MAP_FILES] = {{"CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN",
			     "to open /proc/PID/map_files, the files that only a mapping "
			     "holds"},
			    {{CAP_CHECKPOINT_RESTORE, NO_CAP}, {CAP_SYS_ADMIN, NO_CAP}},
			    true},
	[CAPS_HANDLE] =
		{{"CAP_DAC_READ_SEARCH",
		  "to open by file handle: cgroups by id, and orphans that nobody is "
		  "found to hold"},
		 {{CAP_DAC_READ_SEARCH, NO_CAP}, {NO_CAP, NO_CAP}},
		 true},
	[CAPS_SUBVOLUMES] =
		{{"CAP_SYS_ADMIN",
		  "to look through the subvolumes of btrfs for what nobody is "
		  "found to hold"},
		 {{CAP_SYS_ADMIN, NO_CAP}, {NO_CAP, NO_CAP}},
		 true},
	[CAPS_REACH] =
		{{"CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE",
		  "to reach containers' mounts, to write relink names there and to "
		  "read what is copied"},
		 {{CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE}, {NO_CAP, NO_CAP}},
		 false},
	[CAPS_HARDLINK] =
		{{"CAP_FOWNER",
		  "to link other users' files under fs.protected_hardlinks, and "
		  "to give their copies mode and times"},
		 {{CAP_FOWNER, NO_CAP}, {NO_CAP, NO_CAP}},
		 false},
	[CAPS_COPY_OWNER] = {{"CAP_CHOWN", "to give a clone or copy its owner"},
			     {{CAP_CHOWN, NO_CAP}, {NO_CAP, NO_CAP}},
			     false},
	[CAPS_COPY_MODE] = {{"CAP_FSETID", "to give a copy a set-group-id bit of a group "
					   "that is not ours"},
			    {{CAP_FSETID, NO_CAP}, {NO_CAP, NO_CAP}},
			    false},
	[CAPS_COPY_FCAPS] = {{"CAP_SETFCAP", "to give a copy file capabilities"},
			     {{CAP_SETFCAP, NO_CAP}, {NO_CAP, NO_CAP}},
			     false},
	[CAPS_COPY_XATTR] = {{"CAP_SYS_ADMIN",
			      "to see trusted attributes, and to give them to a copy"},
			     {{CAP_SYS_ADMIN, NO_CAP}, {NO_CAP, NO_CAP}},
			     true},
	[CAPS_COPY_FLAGS] = {{"CAP_LINUX_IMMUTABLE",
			      "to make a copy immutable or append-only at restore"},
			     {{CAP_LINUX_IMMUTABLE, NO_CAP}, {NO_CAP, NO_CAP}},
			     true},
	[CAPS_RECREATE] = {{"CAP_MKNOD", "to make device nodes again at restore"},
			   {{CAP_MKNOD, NO_CAP}, {NO_CAP, NO_CAP}},
			   true},
	[CAPS_LEASE] = {{"CAP_LEASE", "to take leases of other users' files again"},
			{{CAP_LEASE, NO_CAP}, {NO_CAP, NO_CAP}},
			true},
	[CAPS_LIMITS] =
		{{"CAP_SYS_RESOURCE",
		  "to give a FIFO more room than fs.pipe-max-size at restore, and BPF "
		  "maps more than RLIMIT_MEMLOCK before 5.11"},
		 {{CAP_SYS_RESOURCE, NO_CAP}, {NO_CAP, NO_CAP}},
		 true},
	[CAPS_FREEZE] = {{"CAP_DAC_OVERRIDE",
			  "to write cgroup.freeze of other users' cgroups"},
			 {{CAP_DAC_OVERRIDE, NO_CAP}, {NO_CAP, NO_CAP}},
			 false},
};

#define LOOK	 CAPS_STAGE_LOOK
#define TRACK	 CAPS_STAGE_TRACK
#define PRESERVE CAPS_STAGE_PRESERVE
#define RESTORE	 CAPS_STAGE_RESTORE
#define REMOVE	 CAPS_STAGE_REMOVE

/* Which stages need it. CAP_SYS_ADMIN stands for BPF on 5.10, and for trusted.*; without
 * CAP_SYS_RESOURCE a copy does not take root's reserve of blocks nor exceed a quota. */
static const struct {
	cap_value_t cap;
	unsigned int stages;
} stage_caps[] = {
	{CAP_SYS_PTRACE, LOOK | TRACK | PRESERVE | RESTORE | REMOVE},
	{CAP_DAC_READ_SEARCH, LOOK | TRACK | PRESERVE | RESTORE | REMOVE},
	{CAP_DAC_OVERRIDE, TRACK | PRESERVE | RESTORE | REMOVE},
	{CAP_FOWNER, PRESERVE | RESTORE | REMOVE},
	{CAP_LINUX_IMMUTABLE, RESTORE},
	{CAP_CHECKPOINT_RESTORE, LOOK | TRACK | PRESERVE},
	{CAP_SYS_ADMIN, LOOK | TRACK | PRESERVE | RESTORE},
	{CAP_BPF, LOOK | TRACK},
	{CAP_PERFMON, LOOK | TRACK},
	{CAP_SYS_RESOURCE, LOOK | TRACK | RESTORE},
	{CAP_CHOWN, PRESERVE | RESTORE},
	{CAP_FSETID, PRESERVE | RESTORE},
	{CAP_SETFCAP, PRESERVE | RESTORE},
	{CAP_MKNOD, RESTORE},
	{CAP_LEASE, RESTORE},
};

/* What this process was started with; NULL before caps_begin(). */
static cap_t started_with;
static bool started_in_initial_ns;

static void caps_free(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

static bool in_initial_user_ns(void)
{
	struct stat st;

	/* Without user namespaces in the kernel there is only the initial one. */
	return stat("/proc/self/ns/user", &st) || st.st_ino == INIT_USER_NS_INO;
}

static unsigned int stages_of(cap_value_t cap)
{
	for (size_t i = 0; i < sizeof(stage_caps) / sizeof(stage_caps[0]); i++)
		if (stage_caps[i].cap == cap)
			return stage_caps[i].stages;
	return 0;
}

/* Takes what none of @stages needs out of @flag of @caps. */
static void lower(cap_t caps, cap_flag_t flag, unsigned int stages)
{
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++)
		/* Fails for those that the kernel does not know: not had. */
		if (!((stages_of(cap) | CAPS_STAGE_ANY) & stages))
			cap_set_flag(caps, flag, 1, &cap, CAP_CLEAR);
}

void caps_begin(unsigned int stages, bool executes)
{
	AUTO(caps_free) cap_t caps = cap_get_proc();

	if (!caps)
		return;
	if (!started_with) {
		started_with = cap_dup(caps);
		started_in_initial_ns = in_initial_user_ns();
	}
	lower(caps, CAP_EFFECTIVE, stages);
	if (!executes)
		lower(caps, CAP_PERMITTED, stages);
	/* To have less is always allowed (capset(2)). */
	cap_set_proc(caps);
}

struct caps_while caps_only(unsigned int stages)
{
	AUTO(caps_free) cap_t caps = cap_get_proc();
	struct caps_while before = {.before = caps ? cap_dup(caps) : NULL};

	if (!caps)
		return before;
	lower(caps, CAP_EFFECTIVE, stages);
	cap_set_proc(caps);
	return before;
}

void caps_while_end(struct caps_while *stage)
{
	if (!stage->before)
		return;
	cap_set_proc(stage->before);
	cap_free(stage->before);
	stage->before = NULL;
}

const struct caps_need *caps_need(enum caps_use use)
{
	return &caps_table[use].need;
}

static bool cap_effective(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t value;

	/* Fails for a capability that libcap or the kernel does not know: not had. */
	return !cap_get_flag(caps, cap, CAP_EFFECTIVE, &value) && value == CAP_SET;
}

static bool way_open(cap_t caps, const cap_value_t *way)
{
	if (way[0] == NO_CAP)
		return false;
	for (int i = 0; i < CAPS_EACH; i++)
		if (way[i] != NO_CAP && !cap_effective(caps, way[i]))
			return false;
	return true;
}

bool caps_have(enum caps_use use)
{
	const struct caps_row *row = &caps_table[use];
	/* Asked for each file: not even cap_dup(3) goes without a system call. */
	AUTO(caps_free) cap_t now = started_with ? NULL : cap_get_proc();
	cap_t caps = started_with ?: now;
	bool have = false;

	if (!caps)
		return false;
	for (int i = 0; i < CAPS_WAYS; i++)
		have |= way_open(caps, row->ways[i]);
	if (!have || !row->initial_ns)
		return have;
	return started_with ? started_in_initial_ns : in_initial_user_ns();
}

const char *caps_refused(int error, enum caps_use use)
{
	return error == -EPERM || error == -EACCES ? caps_missing(use) : "";
}

const char *caps_missing(enum caps_use use)
{
	static _Thread_local char text[256];
	const struct caps_need *need = caps_need(use);

	if (caps_have(use))
		return "";
	snprintf(text, sizeof(text), "; %s is needed %s and is missing", need->names,
		 need->purpose);
	return text;
}

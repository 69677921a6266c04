/* SPDX-License-Identifier: GPL-2.0-only */
#include "caps.h"

#include <stdio.h>
#include <sys/capability.h>
#include <sys/stat.h>

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
	[CAPS_REACH] = {{"CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE",
			 "to reach containers' mounts and to write relink names there"},
			{{CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE}, {NO_CAP, NO_CAP}},
			false},
	[CAPS_HARDLINK] = {{"CAP_FOWNER",
			    "to link other users' files under fs.protected_hardlinks"},
			   {{CAP_FOWNER, NO_CAP}, {NO_CAP, NO_CAP}},
			   false},
	[CAPS_COPY_OWNER] = {{"CAP_CHOWN", "to give a clone or copy its owner"},
			     {{CAP_CHOWN, NO_CAP}, {NO_CAP, NO_CAP}},
			     false},
	[CAPS_FREEZE] = {{"CAP_DAC_OVERRIDE",
			  "to write cgroup.freeze of other users' cgroups"},
			 {{CAP_DAC_OVERRIDE, NO_CAP}, {NO_CAP, NO_CAP}},
			 false},
};

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

static bool in_initial_user_ns(void)
{
	struct stat st;

	/* Without user namespaces in the kernel there is only the initial one. */
	return stat("/proc/self/ns/user", &st) || st.st_ino == INIT_USER_NS_INO;
}

bool caps_have(enum caps_use use)
{
	const struct caps_row *row = &caps_table[use];
	cap_t caps = cap_get_proc();
	bool have = false;

	if (!caps)
		return false;
	for (int i = 0; i < CAPS_WAYS; i++)
		have |= way_open(caps, row->ways[i]);
	cap_free(caps);
	return have && (!row->initial_ns || in_initial_user_ns());
}

const char *caps_missing(enum caps_use use)
{
	static char text[256];
	const struct caps_need *need = caps_need(use);

	if (caps_have(use))
		return "";
	snprintf(text, sizeof(text), "; %s is needed %s and is missing", need->names,
		 need->purpose);
	return text;
}

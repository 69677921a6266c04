#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Each capability taken away in turn: what does not need it works, and what does says so.

load lib

# without CAP[,CAP]... RT-ARG...: as rt, as root that has all but those.
without() {
	local drop=-${1//,/,-}
	shift
	run --separate-stderr alone timeout "$PATIENCE" \
		setpriv --bounding-set "$drop" --inh-caps "$drop" "$RT" "$@"
	printf '$ without %s: %s\n%s\n%s\nstatus %d\n' "$drop" "$*" "$output" "$stderr" "$status"
}

# refused_for CAP: the manifest is there, and says what was missing.
refused_for() {
	[ "$status" -eq 3 ]
	jq -e --arg cap "$1" '.failed[0].error | contains($cap)' "$M"
	rm "$M"
}

# reads FILE: a process of another user that has it open, and it is removed.
reads() {
	in_cgroup "$CG" setpriv --reuid=65533 --clear-groups sleep 1000 <"$1" >/dev/null 2>&1 3>&- &
	disown
	"$HELPERS/await" "$CG" populated 1
	rm "$1"
}

@test "doctor and the man page tell every capability" {
	rt_ok doctor -j
	local cap
	for cap in $(jq -r '.capabilities[].names' <<<"$output" | grep -o 'CAP_[A-Z_]*' | sort -u); do
		grep -q "${cap}" "$TOP/docs/relinktrace.1"
	done
	without chown,mknod doctor -j
	[ "$status" -eq 0 ]
	json_is '[.capabilities[] | select(.have | not) | .names] | sort == ["CAP_CHOWN", "CAP_MKNOD"]'
}

@test "a command keeps only what it needs" {
	local caps
	hold h fifo
	attach_start --cgroup "$CG"
	caps=$(sed -n 's/^CapPrm:\s*//p' "/proc/$ATTACH_PID/status")
	attach_kill
	caps=$(capsh --decode="$caps")
	echo "$caps"
	[[ $caps == *cap_sys_ptrace* ]]
	[[ $caps != *cap_chown* && $caps != *cap_net_admin* && $caps != *cap_sys_module* ]]
	rt_ok checkpoint --cgroup "$CG" --manifest "$M"
	# what is executed has what it would have had
	run --separate-stderr "$RT" restore "$M" -- sed -n 's/^CapEff:\s*//p' /proc/self/status
	[ "$output" = "$(sed -n 's/^CapEff:\s*//p' /proc/self/status)" ]
}

@test "CAP_SYS_PTRACE: other users' processes" {
	echo x >"$DIR/file"
	ln "$DIR/file" "$DIR/link"
	reads "$DIR/file"
	without sys_ptrace,bpf,perfmon,sys_admin list --cgroup "$CG" -j
	[ "$status" -eq 3 ]
	[[ $stderr == *CAP_SYS_PTRACE* ]]
	without sys_ptrace checkpoint --cgroup "$CG" --manifest "$M"
	refused_for CAP_SYS_PTRACE
	no_new_names
}

@test "CAP_BPF and CAP_PERFMON: attach; list walks /proc" {
	hold h ab
	without bpf,perfmon,sys_admin attach --cgroup "$CG"
	[ "$status" -eq 1 ]
	[[ $stderr == *CAP_BPF* ]]
	without bpf,perfmon,sys_admin list --cgroup "$CG" -j
	[ "$status" -eq 0 ]
	json_is '.orphans | length == 1'
}

@test "CAP_DAC_READ_SEARCH: cgroups by id; a list is complete without" {
	hold h ab
	without dac_read_search list --cgroup "id:$(stat -c %i "$CG")"
	[ "$status" -eq 2 ]
	[[ $stderr == *CAP_DAC_READ_SEARCH* ]]
	without dac_read_search list --cgroup "$CG" -j
	[ "$status" -eq 0 ]
	json_is '.orphans | length == 1'
}

@test "CAP_CHECKPOINT_RESTORE: what is only mapped" {
	hold h mapped
	without checkpoint_restore,sys_admin checkpoint --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 3 ]
	[[ $stderr$(<"$M") == *CAP_CHECKPOINT_RESTORE* ]]
}

@test "CAP_DAC_OVERRIDE: mounts that are not root's" {
	mkdir "$T/theirs"
	mount -t tmpfs -o mode=755,uid=1000 theirs "$T/theirs"
	hold h ab "$T/theirs"
	without dac_override,dac_read_search checkpoint --cgroup "$CG" --manifest "$M"
	refused_for CAP_DAC_OVERRIDE
	checkpoint_ok
	chown 1000 "$T/theirs/lost+found/checkpoint"
	without dac_override,dac_read_search clean "$M"
	[ "$status" -eq 3 ]
	[[ $stderr == *CAP_DAC_OVERRIDE* ]]
	rt_ok clean "$M"
}

@test "CAP_FOWNER: links to what protected_hardlinks protects" {
	[ "$(</proc/sys/fs/protected_hardlinks)" = 1 ] || skip "protected_hardlinks is off"
	cp "$HELPERS/hold" "$DIR/file"
	ln "$DIR/file" "$DIR/link"
	reads "$DIR/file"
	chown 1000 "$DIR/link"
	chmod 4755 "$DIR/link"
	without fowner checkpoint --method link --cgroup "$CG" --manifest "$M"
	refused_for CAP_FOWNER
	without chown,dac_override checkpoint --method link --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 0 ]
}

@test "CAP_CHOWN: copies of other users' files; links do not need it" {
	echo x >"$DIR/file"
	ln "$DIR/file" "$DIR/link"
	reads "$DIR/file"
	chown 1000 "$DIR/link"
	without chown checkpoint --method copy --cgroup "$CG" --manifest "$M"
	refused_for CAP_CHOWN
	without chown checkpoint --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 0 ]
	jq -e '.entries[0].method == "link"' "$M"
	# restore, and the removal of root's names, need nothing at all
	run --separate-stderr setpriv --bounding-set -all --inh-caps -all "$RT" restore "$M" --check
	[ "$status" -eq 0 ]
	run --separate-stderr setpriv --bounding-set -all --inh-caps -all "$RT" clean "$M"
	[ "$status" -eq 0 ]
	[ "$output" = "1 removed, 0 gone already, 0 left" ]
	no_new_names
}

@test "CAP_MKNOD: devices that are made again" {
	mknod "$DIR/null" c 1 3
	reads "$DIR/null"
	checkpoint_ok
	without mknod restore "$M" -- true
	[ "$status" -eq 1 ]
	[[ $stderr == *CAP_MKNOD* ]]
	rt_ok restore "$M" -- true
}

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

# keeps NAME SPEC...: helpers/keep.c holds what is in $DIR.
keeps() {
	local HOLD_VIA=("$HELPERS/keep")
	hold "$1" - "$DIR" "${@:2}"
}

# copied: all went well, but for what the entry says; in $MISSED.
copied() {
	[ "$status" -eq 0 ]
	MISSED=$(jq -r '.entries[0] | select(.method == "copy") | .not_carried' "$M")
	rt_ok clean "$M"
	rm "$M"
}

@test "doctor and the man page tell every capability" {
	rt_ok doctor -j
	local cap
	for cap in $(jq -r '.capabilities[].names' <<<"$output" | grep -o 'CAP_[A-Z_]*' | sort -u); do
		grep -q "${cap}" "$TOP/docs/relinktrace.1"
		grep -q "^@test \"CAP_.*${cap#CAP_}" "$BATS_TEST_FILENAME"
	done
	without chown,mknod doctor -j
	[ "$status" -eq 0 ]
	json_is '[.capabilities[] | select(.have | not) | .names] | sort -
		["CAP_SYS_RESOURCE"] == ["CAP_CHOWN", "CAP_MKNOD"]'
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
	json_is '.complete and (.orphans | length == 1)'
}

@test "CAP_BPF and CAP_PERFMON: what /proc does not show is told" {
	local behind
	for behind in uring in-flight; do
		hold "$behind" "$behind"
		without bpf,perfmon,sys_admin list --cgroup "$CG" -j
		[ "$status" -eq 3 ]
		json_is '.complete == false and .orphans == []'
		[[ $stderr == *"1 sockets or io_urings have files"*CAP_BPF* ]]
		cgroup_empty "$CG"
	done
}

@test "CAP_SYS_ADMIN: BPF programs, where modules have what they refer to" {
	hold h ab
	without sys_admin attach --cgroup "$CG" --pin
	[ "$status" -ne 0 ] || return 0
	[[ $stderr == *"CAP_SYS_ADMIN is needed to look through the types of the kernel's modules"* ]]
	[ ! -e /sys/fs/bpf/relinktrace ]
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

@test "CAP_FSETID: set-group-id bits of other groups" {
	echo x >"$DIR/file"
	mkdir "$DIR/dir"
	chgrp 34 "$DIR/file" "$DIR/dir"
	chmod 2755 "$DIR/file"
	reads "$DIR/file"
	without fsetid checkpoint --method copy --cgroup "$CG" --manifest "$M"
	copied
	[[ $MISSED == "the set-group-id bit"*CAP_FSETID* ]]
	without fowner checkpoint --method copy --cgroup "$CG" --manifest "$M"
	copied
	[ "$MISSED" = null ]
	cgroup_empty "$CG"
	chmod 2750 "$DIR/dir"
	keeps d dir=dir
	rmdir "$DIR/dir"
	checkpoint_ok
	without fsetid restore "$M" --keep -- stat -L -c %a /proc/self/fd/3
	[ "$status $output" = "0 750" ]
	[[ $stderr == *"without the set-group-id bit"*CAP_FSETID* ]]
	without fowner restore "$M" -- stat -L -c %a /proc/self/fd/3
	[ "$status $output$stderr" = "0 2750" ]
}

@test "CAP_SETFCAP: file capabilities" {
	echo x >"$DIR/file"
	setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 "$DIR/file" ||
		skip "no file capabilities on $FSTYPE"
	reads "$DIR/file"
	without setfcap checkpoint --method copy --cgroup "$CG" --manifest "$M"
	copied
	[[ $MISSED == "extended attribute security.capability"*CAP_SETFCAP* ]]
	without linux_immutable checkpoint --method copy --cgroup "$CG" --manifest "$M"
	copied
	[ "$MISSED" = null ]
}

@test "CAP_SYS_ADMIN: trusted attributes, which are not even seen without" {
	echo x >"$DIR/file"
	mkfifo "$DIR/fifo"
	setfattr -h -n trusted.test -v "it is" "$DIR/file" &&
		setfattr -h -n trusted.test -v "it is" "$DIR/fifo" ||
		skip "no trusted attributes on $FSTYPE"
	keeps h file=rw
	rm "$DIR/file"
	without sys_admin checkpoint --method copy --cgroup "$CG" --manifest "$M"
	copied
	[[ $MISSED == "trusted attributes, if it has any"*CAP_SYS_ADMIN* ]]
	cgroup_empty "$CG"
	HOLD_VIA=()
	keeps f fifo=rw
	rm "$DIR/fifo"
	without sys_admin checkpoint --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 0 ]
	jq -e '.entries[0] | .method == "recreate" and
		(.not_carried | startswith("trusted attributes") and contains("CAP_SYS_ADMIN"))' "$M"
	rt_ok clean "$M"
	rm "$M"
	checkpoint_ok
	json_is '.entries[0].not_carried == null'
	# what cannot be given to it is told; it is there all the same
	without sys_admin restore "$M" --keep -- getfattr -d -m trusted. /proc/self/fd/3
	[ "$status$output" = 0 ]
	[[ $stderr == *"without extended attribute trusted.test"*CAP_SYS_ADMIN* ]]
	without linux_immutable restore "$M" -- getfattr --only-values -n trusted.test /proc/self/fd/3
	[ "$output" = "it is" ]
}

@test "CAP_LINUX_IMMUTABLE: what was immutable or append-only is so again" {
	local flag
	for flag in i a; do
		echo content >"$DIR/sealed"
		HOLD_VIA=()
		keeps "h$flag" sealed=r
		rm "$DIR/sealed"
		hold_do "h$flag" flag 0 $flag
		[ "$REPLY" = ok ] || skip "no chattr on $FSTYPE: $REPLY"
		# it is copied, which does not need it
		without linux_immutable checkpoint --cgroup "$CG" --manifest "$M"
		[ "$status" -eq 0 ]
		jq -e '.entries[0].not_carried == null' "$M"
		cgroup_empty "$CG"
		without linux_immutable restore "$M" -- "$HELPERS/keep" --flags 3
		[ "$status $output" = "0  content" ]
		[[ $stderr == *"immutable or append-only"*CAP_LINUX_IMMUTABLE* ]]
		rm "$M"
	done
	no_new_names
}

@test "CAP_LEASE: leases of other users' files" {
	hold h locks
	chown 65533 "/proc/${HOLD_PID[h]}/fd/$(hold_value h third)"
	checkpoint_ok --method copy
	cgroup_empty "$CG"
	without lease restore "$M" --keep -- true
	[ "$status" -eq 0 ]
	[[ $stderr == *"lease read is not taken again"*CAP_LEASE* && $stderr != *"another has the file"* ]]
	without chown restore "$M" -- true
	[ "$status" -eq 0 ]
	[[ $stderr != *lease\ read* ]]
}

@test "CAP_SYS_ADMIN: a bpffs for attach --pin, where there is none" {
	needs_hooks
	mount -t tmpfs tmpfs /sys/fs/bpf
	without sys_admin attach --cgroup "$CG" --pin
	umount /sys/fs/bpf
	[ "$status" -eq 1 ]
	[[ $stderr == *"CAP_SYS_ADMIN is needed to mount bpffs"* ]]
}

@test "CAP_DAC_OVERRIDE: cgroup.freeze of other users" {
	hold h ab
	chown 1000 "$CG/cgroup.freeze"
	chmod 644 "$CG/cgroup.freeze"
	without dac_override checkpoint --cgroup "$CG" --manifest "$M" --freeze
	[ "$status" -eq 1 ]
	[[ $stderr == *"CAP_DAC_OVERRIDE is needed to write cgroup.freeze"* ]]
	[ ! -e "$M" ]
	without fowner checkpoint --cgroup "$CG" --manifest "$M" --freeze
	[ "$status" -eq 0 ]
	"$HELPERS/await" "$CG" frozen 0
}

@test "CAP_SYS_ADMIN: what is reached by file handle only, in a subvolume of btrfs" {
	mkdir "$T/btrfs"
	truncate -s 256M "$T/image"
	mkfs.btrfs -q "$T/image" >/dev/null && mount -o loop "$T/image" "$T/btrfs" || skip "no btrfs"
	btrfs subvolume create "$T/btrfs/inner" >/dev/null
	needs_tables
	hold h uring "$T/btrfs/inner"
	without sys_admin list --cgroup "$CG" -j
	json_is '.holders_by == "iterator"' || skip "no iterators without CAP_SYS_ADMIN"
	without sys_admin checkpoint --cgroup "$CG" --manifest "$M"
	refused_for "CAP_SYS_ADMIN is needed to look through the subvolumes"
	without fowner checkpoint --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 0 ]
}

@test "CAP_SYS_RESOURCE: a FIFO with more room than fs.pipe-max-size" {
	capsh --has-p=cap_sys_resource 2>/dev/null || skip "no CAP_SYS_RESOURCE here"
	mkfifo "$DIR/fifo"
	keeps h fifo=rw
	# what fits into as much as everybody may have is seen all the same
	"$HELPERS/keep" --fill "$(hold_file h)" 2097152 300000 >"$T/sum"
	hold_do h write 0 tail
	rm "$DIR/fifo"
	checkpoint_ok
	json_is '.entries[0] | .pipe.capacity == 2097152 and .not_carried == null'
	cgroup_empty "$CG"
	without sys_resource restore "$M" --keep -- "$HELPERS/keep" --drain 3
	[ "$output" = "capacity 1048576 bytes 300004 sum $(<"$T/sum")" ]
	[[ $stderr == *"had room for 2097152 bytes"*CAP_SYS_RESOURCE* ]]
	rt_ok restore "$M" -- "$HELPERS/keep" --drain 3
	[ "$output" = "capacity 2097152 bytes 300004 sum $(<"$T/sum")" ]
}

@test "CAP_DAC_READ_SEARCH: what is reached by file handle only" {
	[ "$FSTYPE" != overlay ] || skip "no file handles on overlay"
	needs_tables
	hold h uring
	without dac_read_search checkpoint --cgroup "$CG" --manifest "$M"
	refused_for CAP_DAC_READ_SEARCH
	without fowner checkpoint --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 0 ]
}

@test "CAP_DAC_OVERRIDE: copies of what root may not read" {
	echo secret >"$DIR/file"
	chmod 600 "$DIR/file"
	chown 1000 "$DIR/file"
	keeps h file=rw
	rm "$DIR/file"
	without dac_override,dac_read_search checkpoint --method copy --cgroup "$CG" --manifest "$M"
	refused_for CAP_DAC_
	checkpoint_ok --method copy
	rt_ok clean "$M"
	rm "$M"
}

@test "CAP_FOWNER: mode and times of copies of other users' files" {
	echo x >"$DIR/file"
	chown 1000 "$DIR/file"
	chmod 644 "$DIR/file"
	reads "$DIR/file"
	without fowner checkpoint --method copy --cgroup "$CG" --manifest "$M"
	refused_for CAP_FOWNER
	without chown checkpoint --cgroup "$CG" --manifest "$M"
	refused_for CAP_CHOWN
}

@test "restore: what is given out again says what it lacked" {
	echo x >"$DIR/file"
	chown 1000 "$DIR/file"
	reads "$DIR/file"
	checkpoint_ok
	without chown restore "$M" --to "$T/out"
	[ "$status" -eq 1 ]
	[[ $stderr == *CAP_CHOWN* ]]
	[ ! -e "$T/out" ]
	rt_ok restore "$M" --to "$T/out"
	[ "$(stat -c %u "$T/out"/*)" -eq 1000 ]
}

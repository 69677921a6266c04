#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What no fd of anybody leads to: behind a loop device, mounted, in flight over a Unix
# socket, registered with an io_uring. Found, released when it is let go, preserved and
# given back. Run once for each filesystem.

load lib

# loop_orphan: a loop device whose file a task of $CG has removed; $LOOP, $INO, $SUM.
loop_orphan() {
	head -c 102400 /dev/urandom >"$DIR/image"
	INO=$(stat -c %i "$DIR/image")
	SUM=$(file_facts "$DIR/image" | jq -r .sum)
	LOOP=$(losetup -f --show "$DIR/image") || skip "no loop device"
	(in_cgroup "$CG" rm "$DIR/image")
}

# Listing with what follows, the one orphan of ours in $output.
ours() {
	rt_ok list "$@" -j
	json_is '.complete'
	output=$(jq --argjson ino "$INO" --arg fstype "$FSTYPE" \
		'[.orphans[] | select(.ino == $ino and .fstype == $fstype)]' <<<"$output")
}

is_behind_loop() {
	json_is --arg device "$LOOP" 'length == 1 and .[0].holders ==
		[{pid: null, start_time: null, comm: null, kind: "loop", device: $device}]'
	json_is --arg path "$DIR/image" '.[0] | .path == $path and .size == 102400 and
		.type == "regular" and .nlink == 0 and (.unattributed | not)'
}

# As `list`, of everybody, without BPF.
list_by_proc() {
	run --separate-stderr setpriv --bounding-set=-bpf,-sys_admin,-perfmon \
		--inh-caps=-bpf,-sys_admin,-perfmon timeout "$PATIENCE" "$RT" list "$@" -j
	echo "$output $stderr"
	# 3: somebody else's process that only a capability shows
	[[ $status -eq 0 || ($status -eq 3 && $1 == --all) ]]
	json_is '.holders_by == "proc"'
}

# mount_orphan TYPE: a bind mount of a file (f) or folder (d) that has lost its name, in a
# mount namespace that only hold has; $INO, $SUM.
mount_orphan() {
	if [ "$1" = d ]; then
		mkdir "$DIR/bound" "$DIR/point"
	else
		head -c 5000 /dev/urandom >"$DIR/bound"
		: >"$DIR/point"
	fi
	INO=$(stat -c %i "$DIR/bound")
	# shellcheck disable=SC2016 # for that shell
	HOLD_VIA=(unshare --mount sh -c 'mount --bind "$0/bound" "$0/point" && exec "$@"' "$DIR")
	hold h nobody
	SUM=$(file_facts "$DIR/bound" | jq -r .sum)
	if [ "$1" = d ]; then rmdir "$DIR/bound"; else rm "$DIR/bound"; fi
}

is_mounted() {
	local id
	id=$(awk -v point="$DIR/point" '$5 == point { print $1 }' "/proc/${HOLD_PID[h]}/mountinfo")
	json_is --argjson pid "${HOLD_PID[h]}" --argjson id "$id" --arg point "$DIR/point" \
		'length == 1 and (.[0].holders | length) == 1 and (.[0].holders[0] |
		.kind == "mount" and .pid == $pid and .mount == {id: $id, point: $point})'
	json_is --arg path "$DIR/bound" --arg cgroup "$(cgroup_name "$CG")" \
		'.[0] | .path == $path and .cgroup == $cgroup and (.unattributed | not)'
}

# Whether the kernel's types of loop devices are known: of modules from 5.11 on.
has_loop_types() {
	[ -e /sys/kernel/btf/loop ] || [ ! -e /sys/module/loop/initstate ]
}

needs_uring() {
	[ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" -eq 0 ] ||
		skip "io_uring is disabled"
}

@test "a file behind a loop device, until the device lets it go" {
	loop_orphan
	ours --all
	is_behind_loop
	if has_loop_types; then
		json_is '.[0].mount != null'
		# of an overlay's own inode the kernel has no blocks
		[ "$FSTYPE" = overlay ] || json_is '.[0].allocated >= 102400'
	fi
	rt_ok list --all -o INODE,PID,COMMAND,FD
	[[ $output =~ (^|$'\n')\ *$INO\ +-\ +-\ +${LOOP#/dev/} ]]
	list_by_proc --all
	output=$(jq --argjson ino "$INO" '[.orphans[] | select(.ino == $ino)]' <<<"$output")
	is_behind_loop
	losetup -d "$LOOP" && LOOP=''
	ours --all
	json_is '. == []'
}

@test "behind a loop device, tracked: its unlinker's, and found if it is older" {
	needs_hooks
	loop_orphan
	pin "$CG"
	if has_loop_types; then
		ours --all
		is_behind_loop
	fi
	losetup -d "$LOOP" && LOOP=''
	ours --all
	json_is '. == []'
	has_function_hooks || return 0
	loop_orphan
	ours --cgroup "$CG"
	is_behind_loop
	json_is --arg cgroup "$(cgroup_name "$CG")" '.[0] | .cgroup == $cgroup and
		.unlinked.comm == "rm"'
	mkdir "$CG/other"
	ours --cgroup "$CG/other"
	json_is '. == []'
	losetup -d "$LOOP" && LOOP=''
	[ -z "$(map_inodes)" ]
}

@test "a mounted file, in a mount namespace of its own, until it is unmounted" {
	mount_orphan f
	ours --cgroup "$CG"
	is_mounted
	json_is '.[0] | .size == 5000 and .type == "regular" and .nlink == 0'
	list_by_proc --cgroup "$CG"
	output=$(jq --argjson ino "$INO" '[.orphans[] | select(.ino == $ino)]' <<<"$output")
	is_mounted
	mkdir "$CG/other"
	ours --cgroup "$CG/other"
	json_is '. == []'
	nsenter -t "${HOLD_PID[h]}" -m umount "$DIR/point"
	ours --cgroup "$CG"
	json_is '. == []'
}

@test "a mounted folder, tracked" {
	needs_hooks
	mount_orphan d
	pin "$CG"
	ours --cgroup "$CG"
	is_mounted
	json_is '.[0] | .type == "directory"'
	if has_function_hooks; then
		map_inodes | grep -qx "$INO"
	fi
	# in its namespace alone
	cgroup_empty "$CG"
	ours --all
	json_is '. == []'
	[ -z "$(map_inodes)" ]
}

# As another list that runs at that moment has.
@test "what is mounted is told in full, though somebody elsewhere has it open" {
	local elsewhere type
	for type in f d; do
		mount_orphan "$type"
		exec {elsewhere}<"/proc/${HOLD_PID[h]}/root$DIR/point"
		ours --cgroup "$CG"
		is_mounted
		json_is --arg point "$DIR/point" '.[0].mount.point == $point and .[0].nlink == 0'
		list_by_proc --cgroup "$CG"
		output=$(jq --argjson ino "$INO" '[.orphans[] | select(.ino == $ino)]' <<<"$output")
		is_mounted
		exec {elsewhere}<&-
		cgroup_empty "$CG"
		rm -r "$DIR/point" "$T/h.in" "$T/h.out"
	done
}

@test "in flight over a Unix socket, until it is received and closed" {
	needs_tables
	local shape shapes=(stream third dgram seqpacket backlog nested)
	for shape in "${shapes[@]}"; do
		hold "$shape" in-flight "$DIR" "$shape"
	done
	rt_ok list --cgroup "$CG" -j
	json_is --argjson n "${#shapes[@]}" '(.orphans | length) == $n and
		all(.orphans[]; .nlink == 0 and .size == 8192 and (.holders | length) == 1)'
	for shape in "${shapes[@]}"; do
		json_is --argjson pid "${HOLD_PID[$shape]}" \
			--argjson socket "$(hold_value "$shape" socket)" '
			[.orphans[].holders[] | select(.pid == $pid)] | length == 1 and (.[0] |
			.kind == "flight" and .fd == $socket and .pos == 77)'
	done
	if [[ $FSTYPE == @(ext4|xfs|btrfs) ]]; then
		json_is --arg path "$DIR/in-flight" 'all(.orphans[]; .path == $path)'
	fi
	# of one process
	rt_ok list -p "${HOLD_PID[third]}" -j
	json_is '(.orphans | length) == 1 and .orphans[0].holders[0].kind == "flight"'
	for shape in "${shapes[@]}"; do
		hold_do "$shape" receive
		[ "$REPLY" = ok ]
	done
	list_is_true "${#shapes[@]}"
	json_is '[.orphans[].holders[].kind] | unique == ["fd"]'
	for shape in "${shapes[@]}"; do
		hold_do "$shape" close
	done
	list_is_true 0
}

@test "in flight and registered where no iterator tells of it: the list is not complete" {
	local way
	doctor_said
	! grep -q 'a table in one call' "$REPLY" || skip "iterators tell of them on this kernel"
	needs_uring
	for way in in-flight uring; do
		hold "$way" "$way" "$DIR" stream
		rt list --cgroup "$CG" -j
		((status == 3))
		json_is '.complete | not'
		[[ $stderr == *"1 sockets or io_urings have files that /proc does not show"* ]]
		cgroup_empty "$CG"
	done
}

@test "registered with an io_uring, until the ring ends" {
	needs_tables
	needs_uring
	hold h uring
	rt_ok list --cgroup "$CG" -j
	json_is --argjson pid "${HOLD_PID[h]}" --argjson ring "$(hold_value h ring)" '
		(.orphans | length) == 1 and (.orphans[0] | .nlink == 0 and .size == 8192 and
		(.holders[] | .kind == "uring" and .pid == $pid and .fd == $ring and .pos == 78))'
	if [[ $FSTYPE == @(ext4|xfs|btrfs) ]]; then
		json_is --arg path "$DIR/uring" '.orphans[0].path == $path'
	fi
}

# Where an inode is found by number and generation alone.
has_handles() {
	[[ $FSTYPE == @(ext4|xfs|btrfs) ]]
}

# not_preserved REASON: the one orphan of the manifest failed, and no name is left.
not_preserved() {
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is --arg reason "$1" '(.complete | not) and .entries == [] and
		(.failed | length) == 1 and (.failed[0].error | contains($reason))'
	no_new_names
}

# holds_again SUM [POSITION]: fd 3 of the restored program.
holds_again() {
	json_is --argjson pos "${2:-0}" '(.fds | length) == 1 and .fds[0].fd == 3 and
		.fds[0].pos == $pos and .environment.LISTEN_FDS == "1"'
	[ "$(json '.fds[0].sum')" = "$1" ]
	no_new_names
}

@test "preserved: what a loop device holds" {
	needs_hooks
	pin "$CG"
	loop_orphan
	ours --cgroup "$CG"
	if ! has_function_hooks && json_is '. == []'; then
		# tracepoints do not tell whose it is on every filesystem
		losetup -d "$LOOP" && LOOP=''
		return 0
	fi
	checkpoint --freeze
	if ! has_handles; then
		not_preserved "by file handle: $FSTYPE opens only"
		return 0
	fi
	[ "$status" -eq 0 ]
	losetup -d "$LOOP" && LOOP=''
	restore_ok
	holds_again "$SUM"
}

@test "preserved: a mounted file" {
	mount_orphan f
	checkpoint_ok
	json_is --arg method "$(moved_method)" '.entries[0].method == $method'
	json_is --arg point "$MOUNT" '.entries[0].mount.point == $point'
	cgroup_empty "$CG"
	restore_ok
	holds_again "$SUM"
}

@test "linked: a mounted file that has another name" {
	head -c 5000 /dev/urandom >"$DIR/other"
	ln "$DIR/other" "$DIR/bound"
	: >"$DIR/point"
	# shellcheck disable=SC2016 # for that shell
	HOLD_VIA=(unshare --mount sh -c 'mount --bind "$0/bound" "$0/point" && exec "$@"' "$DIR")
	hold h nobody
	rm "$DIR/bound"
	checkpoint_ok
	# no handle leads to an overlay's file, and its mount has no folder
	if [ "$FSTYPE" = overlay ]; then
		json_is '.entries[0] | .method != "link" and .steps[0].errno == 18'
	else
		json_is '.entries[0] | .method == "link" and .same_inode'
		[ "$(stat -c %i "$(entry_file)")" = "$(stat -c %i "$DIR/other")" ]
	fi
	cgroup_empty "$CG"
	restore_ok
	holds_again "$(file_facts "$DIR/other" | jq -r .sum)"
}

@test "preserved: a mounted folder is made again" {
	mount_orphan d
	checkpoint_ok
	json_is '.entries[0].method == "recreate"'
	cgroup_empty "$CG"
	restore_ok
	json_is '(.fds | length) == 1 and (.fds[0] | .type == "directory" and .nlink == 0)'
	no_new_names
}

@test "preserved: what is in flight, and every message is left as it was" {
	needs_tables
	local shape shapes=(stream third dgram seqpacket nested) sums=()
	# a connection that is not accepted cannot be looked into
	! has_handles || shapes+=(backlog)
	for shape in "${shapes[@]}"; do
		hold "$shape" in-flight "$DIR" "$shape"
	done
	checkpoint_ok --freeze
	json_is --arg method "$(moved_method)" --argjson n "${#shapes[@]}" \
		'(.entries | length) == $n and all(.entries[]; .method == $method)'
	for shape in "${shapes[@]}"; do
		hold_do "$shape" receive
		[ "$REPLY" = ok ]
		sums+=("$(file_facts "/proc/${HOLD_PID[$shape]}/fd/$(fd_of "$shape")" | jq -r .sum)")
	done
	cgroup_empty "$CG"
	rt_ok restore "$M" --keep --holder "${HOLD_PID[third]}" -- "$HELPERS/got"
	json_is '(.fds | length) == 1 and .fds[0].pos == 77'
	restore_ok
	json_is --argjson n "${#shapes[@]}" \
		'(.fds | length) == $n and all(.fds[]; .pos == 77 and .size == 8192)'
	[ "$(json '[.fds[].sum] | sort | join(" ")')" = \
		"$(printf '%s\n' "${sums[@]}" | sort | paste -s -d ' ')" ]
	no_new_names
}

# The fd of the orphan that NAME has received.
fd_of() {
	"$HELPERS/truth" -p "${HOLD_PID[$1]}" | grep -o ':fd:[0-9]*' | cut -d : -f 3
}

@test "without --freeze no look goes past the first message with files" {
	needs_tables
	hold h in-flight "$DIR" third
	if has_handles; then
		checkpoint_ok
	else
		checkpoint
		not_preserved "--freeze lets them be looked through"
	fi
	hold_do h receive
	[ "$REPLY" = ok ]
}

@test "preserved: what is registered with an io_uring" {
	needs_tables
	needs_uring
	hold h uring
	checkpoint
	if ! has_handles; then
		not_preserved "by file handle: $FSTYPE opens only"
		return 0
	fi
	[ "$status" -eq 0 ]
	cgroup_empty "$CG"
	restore_ok
	json_is '(.fds | length) == 1 and (.fds[0] | .fd == 3 and .pos == 78 and .size == 8192)'
	no_new_names
}

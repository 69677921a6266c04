#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Tracking: the stream of events, pins, and that nothing stays behind.

load lib

LOOP=''

# born_is FILTER: the next event is a birth, and more.
born_is() {
	attach_next
	json_is '.event == "born"'
	json_is "$1"
}

@test "the stream tells births and releases, and what was there before" {
	needs_hooks
	hold old unlinked "$DIR" old
	hold h by-other
	attach_start --cgroup "$CG"
	json_is --arg backend "$(backend)" '.backend == $backend'
	json_is '[.. | numbers] | index(1)' # one orphan is older
	hold_do h unlink
	[ "$REPLY" = ok ]
	born_is ".ino == $(stat -L -c %i "$(hold_file h)")"
	if has_function_hooks; then
		json_is ".unlinked.pid == ${HOLD_PID[h]}"
		json_is '.unlinked.comm == "hold"'
	fi
	local ino
	ino=$(json .ino)
	hold_do h close
	attach_next
	json_is ".event == \"released\" and .ino == $ino"
	attach_kill INT
	[ "$status" -eq 0 ]
	no_bpf_objects
}

@test "orphans of other cgroups are not told" {
	needs_hooks
	mkdir "$CG/meant" "$CG/other"
	HOLD_CGROUP=$CG/other hold other by-other
	mkdir "$DIR/meant"
	HOLD_CGROUP=$CG/meant hold h by-other "$DIR/meant"
	attach_start --cgroup "$CG/meant"
	hold_do other unlink
	hold_do h unlink
	born_is ".ino == $(stat -L -c %i "$(hold_file h)")"
	attach_kill TERM
	[ "$status" -eq 0 ]
}

@test "without -j a line is told for each event" {
	needs_hooks
	hold h by-other
	mkfifo "$T/attach.out"
	"$RT" attach --cgroup "$CG" >"$T/attach.out" 2>"$T/attach.err" 3>&- &
	ATTACH_PID=$!
	exec {ATTACH_OUT}<"$T/attach.out"
	attach_next
	hold_do h unlink
	attach_next
	[[ $output == *born*"$DIR/by-other"* ]]
}

@test "a killed attach leaves no program and no map" {
	needs_hooks
	attach_start --cgroup "$CG"
	[ -n "$(bpf_objects)" ]
	attach_kill KILL
	no_bpf_objects
	[ ! -e /sys/fs/bpf/relinktrace ]
}

@test "--pin tracks without a process; list knows who unlinked, and since when" {
	needs_hooks
	hold h by-other
	pin "$CG"
	hold_do h unlink
	list_is_true
	json_is --arg backend "$(backend)" '.backend == $backend'
	if has_function_hooks; then
		json_is --argjson pid "${HOLD_PID[h]}" --argjson id "$(stat -c %i "$CG")" \
			'.orphans[0].unlinked | .pid == $pid and .comm == "hold" and .cgroup_id == $id'
		json_is '.orphans[0].unlinked.at | test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{9}Z$")'
	fi
	hold_do h close
	list_is_true 0
	rt_ok detach --cgroup "$CG"
	no_bpf_objects
	[ ! -e /sys/fs/bpf/relinktrace ]
}

@test "a file that a task outside of the target removed is tracked all the same" {
	needs_hooks
	hold h by-other
	pin "$CG"
	rm "$DIR/by-other"
	list_is_true
	if has_function_hooks; then
		json_is '.orphans[0].unlinked.comm == "rm"'
	fi
	rt_ok detach --all
}

@test "a file that nobody can be found to hold is unattributed, and not silently lost" {
	has_function_hooks || skip "no function hooks on this kernel"
	pin "$CG"
	echo bound >"$DIR/bound"
	mkdir "$DIR/covered"
	: >"$DIR/covered/point"
	# a mount that no path leads to, since another one covers the folder that it is in
	# shellcheck disable=SC2016 # for that shell
	HOLD_VIA=(unshare --mount sh -c 'mount --bind "$0/bound" "$0/covered/point" &&
		mount -t tmpfs tmpfs "$0/covered" && exec "$@"' "$DIR")
	hold h nobody
	(in_cgroup "$CG" rm "$DIR/bound")
	rt_ok list --cgroup "$CG" -j
	json_is --arg cgroup "$(cgroup_name "$CG")" --arg fstype "$FSTYPE" '
		(.orphans | length) == 1 and (.orphans[0] | .unattributed and .holders == [] and
		.cgroup == $cgroup and .fstype == $fstype)'
	if [[ $FSTYPE == @(ext4|xfs|btrfs) ]]; then
		json_is --arg path "$DIR/bound" '.orphans[0] | .path == $path and .size == 6 and
			.allocated > 0'
	fi
	checkpoint
	output=$(<"$M")
	if [[ $FSTYPE == @(ext4|xfs|btrfs) ]]; then
		[ "$status" -eq 0 ]
		[ "$(cat "$(entry_file)")" = bound ]
	else
		[ "$status" -eq 3 ]
		json_is '(.complete | not) and .entries == [] and (.failed | length) == 1 and
			(.failed[0].error | test("nobody is found to hold it; by file handle: "))'
	fi
	cgroup_empty "$CG"
	list_is_true 0
	if [[ $FSTYPE == @(ext4|xfs|btrfs) ]]; then
		restore_ok
		json_is '(.fds | length) == 1 and .fds[0].size == 6'
	fi
	rt_ok detach --all
	no_new_names
}

@test "--pin finds what is older, and list is the same in every situation" {
	needs_hooks
	hold a ab
	hold b mapped
	hold c cwd
	hold d tmpfile
	pin "$CG"
	mkdir "$DIR/later"
	hold e two "$DIR/later"
	hold f fifo "$DIR/later"
	hold g rename-over "$DIR/later"
	hold i thread "$DIR/later"
	hold j leader-exited "$DIR/later"
	list_is_true 9
	checkpoint_ok
	json_is '.entries | length == 9'
	rt_ok clean "$M"
	no_new_names
	cgroup_empty "$CG"
	list_is_true 0
	rt_ok detach --all
	no_bpf_objects
}

@test "a checkpoint with a pinned attach does not list its own names afterwards" {
	needs_hooks
	pin "$CG"
	hold h ab
	checkpoint_ok
	cgroup_empty "$CG"
	restore_ok
	list_is_true 0
	rt_ok detach --all
	no_bpf_objects
}

@test "a second attach adds targets; the last detach removes everything" {
	needs_hooks
	mkdir "$CG/one" "$CG/two"
	pin "$CG/one"
	local before
	before=$(find /sys/fs/bpf/relinktrace -printf '%i %p\n' | sort)
	pin "$CG/two"
	[ "$(find /sys/fs/bpf/relinktrace -printf '%i %p\n' | sort)" = "$before" ]
	HOLD_CGROUP=$CG/one hold h unlinked "$DIR" one
	HOLD_CGROUP=$CG/two hold g unlinked "$DIR" two
	list_is_true 2
	rt_ok detach --cgroup "$CG/one"
	[ -n "$(bpf_objects)" ]
	rt_ok detach --cgroup "$CG/two"
	no_bpf_objects
	[ ! -e /sys/fs/bpf/relinktrace ]
}

@test "detach --all with nothing attached succeeds, twice" {
	rt_ok detach --all
	rt_ok detach --all
	no_bpf_objects
}

@test "detach of a cgroup that is not a target says so" {
	needs_hooks
	mkdir "$CG/one"
	pin "$CG/one"
	rt detach --cgroup "$CG"
	[ "$status" -eq 0 ] # nothing found is done
	[[ $stderr == *"not attached"* ]]
	[ -d /sys/fs/bpf/relinktrace ]
	rt_ok detach --all
}

@test "kill -9 of an attach --pin leaves list right and detach able to clean" {
	needs_hooks
	hold h unlinked
	pin "$CG"
	mkdir "$CG/more"
	"$RT" attach --cgroup "$CG/more" --pin 3>&- &
	local pid=$!
	kill -KILL "$pid" || true
	wait "$pid" || true
	list_is_true
	rt_ok detach --all
	no_bpf_objects
	[ ! -e /sys/fs/bpf/relinktrace ]
}

@test "a target cgroup that is removed does not disturb the others" {
	needs_hooks
	mkdir "$CG/gone" "$CG/stays"
	pin "$CG/gone"
	pin "$CG/stays"
	rmdir "$CG/gone"
	HOLD_CGROUP=$CG/stays hold h unlinked
	list_is_true
	rt_ok detach --all
	no_bpf_objects
}

@test "a full map is counted, shown, and healed by attaching again" {
	has_function_hooks || skip "no function hooks on this kernel"
	rt_ok attach --cgroup "$CG" --pin --max-orphans 32
	mkdir "$CG/many" "$DIR/more"
	HOLD_CGROUP=$CG/many hold h many "$DIR/more" 100
	hold g many "$DIR" 10
	rt list --cgroup "$CG" -j
	[ "$status" -eq 3 ]
	json_is '(.complete | not) and .lost >= 68 and (.orphans | length) == 110'
	cgroup_empty "$CG/many"
	rt list --cgroup "$CG"
	[ "$status" -eq 3 ]
	[[ $stderr == *"attach again"* ]]
	rt_ok attach --cgroup "$CG" --pin
	list_is_true 10
	[ "$(map_inodes | wc -l)" -eq 10 ]
	cgroup_empty "$CG"
	list_is_true 0
	rt_ok detach --all
}

@test "what another version pinned is not used, and can be removed" {
	needs_hooks
	hold h unlinked
	pin "$CG"
	local id zeroes
	id=$(bpftool -j map show pinned /sys/fs/bpf/relinktrace/rt_stats_map | jq .id)
	mapfile -t zeroes < <(yes 0 | head -n "$(bpftool -j map show id "$id" | jq .bytes_value)")
	bpftool map update id "$id" key 1 0 0 0 value "${zeroes[@]}"
	rt list --cgroup "$CG" -j
	[ "$status" -eq 0 ]
	[[ $stderr == *"another version"* ]]
	json_is '.backend == "none" and (.orphans | length) == 1'
	rt attach --cgroup "$CG" --pin
	[ "$status" -eq 1 ]
	[[ $stderr == *"detach --all"* ]]
	rt_ok detach --all
	no_bpf_objects
}

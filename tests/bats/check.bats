#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# `check` foretells: what it says of each orphan is what the checkpoint then does.

load lib

@test "check says of each orphan what the checkpoint will do, and changes nothing" {
	local name situations=(ab unlinked rename-over mapped dirfd fifo fifo-linked exe)
	! can_tmpfile || situations+=(tmpfile)
	for name in "${situations[@]}"; do
		mkdir "$DIR/$name"
		hold "$name" "$name" "$DIR/$name"
	done
	hold large by-other
	head -c 3000000 /dev/urandom >>"$DIR/by-other"
	rm "$DIR/by-other"
	rt_ok check --cgroup "$CG" -j
	json_is --argjson n $((${#situations[@]} + 1)) '.failing == 0 and .complete and
		(.orphans | length) == $n and .bytes == ([.orphans[].relinktrace.bytes] | add)'
	jq -c '[.orphans[] | {ino, method: .relinktrace.method}] | sort' <<<"$output" >"$T/foretold"
	jq .bytes <<<"$output" >"$T/bytes"
	# what CRIU's source says: by links left, by size, by what is allocated
	json_is '.orphans | all(.criu.verdict == (if .nlink > 0 then "link-remap"
		elif .allocated > 1048576 then "abort"
		elif .size > 1048576 and .type == "regular" then "ghost-or-abort"
		else "ghost" end))'
	json_is '[.orphans[].criu.verdict] | index("ghost") and index("link-remap") and index("abort")'
	no_new_names
	list_is_true $((${#situations[@]} + 1))
	checkpoint_ok
	jq -c '[.entries[] | {ino, method}] | sort' "$M" >"$T/done"
	diff -u "$T/foretold" "$T/done" >&2
	jq -e --slurpfile bytes "$T/bytes" '([.entries[].bytes_copied] | add) <= $bytes[0]' "$M"
}

@test "check --stop foretells that a live O_TMPFILE is linked" {
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	hold h tmpfile
	rt_ok check --cgroup "$CG" -j
	json_is --arg moved "$(moved_method)" '.orphans[0].relinktrace.method == $moved'
	rt_ok check --cgroup "$CG" --stop -j
	json_is '.orphans[0].relinktrace | .method == "link" and .bytes == 0'
	checkpoint_ok --stop
	json_is '.entries[0].method == "link"'
}

@test "check of a mount that takes no names says so, and ends with 3" {
	mkdir "$T/ro"
	mount -t tmpfs tmpfs "$T/ro"
	hold h exe "$T/ro"
	mount -o remount,bind,ro "$T/ro"
	rt check --cgroup "$CG" -j
	[ "$status" -eq 3 ]
	json_is '.failing == 1 and .orphans[0].relinktrace.method == "fail"
		and (.orphans[0].relinktrace.why | test("Read-only"))'
	rt check --cgroup "$CG"
	[ "$status" -eq 3 ]
	[[ ${lines[1]} == *fail* && $stderr == *Read-only* ]]
}

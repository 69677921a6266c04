#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Each way to attach, asked for by name: the same list by all of them, and by none; or it
# is refused, and doctor tells why. (storm.bats compares each with a random workload.)

load lib

# What is listed but for how it is known.
facts() {
	jq '[.orphans[] | del(.unlinked, .tmpfile)] | sort_by(.ino)'
}

# same_list_by BACKEND: what is older than the attach, and what came later.
same_list_by() {
	rt_ok attach --cgroup "$CG" --pin --backend "$1"
	mkdir "$DIR/$1"
	hold "$1" rename-over "$DIR/$1"
	list_is_true $((${#HOLD_PID[@]}))
	json_is --arg backend "$1" '.backend == $backend'
	facts <<<"$output" >"$T/by_$1"
	if [[ $1 != tp_btf ]]; then
		json_is --argjson pid "${HOLD_PID[$1]}" 'any(.orphans[]; .unlinked.pid == $pid and
			.unlinked.comm == "hold")'
	fi
	rt_ok detach --all
	list_is_true $((${#HOLD_PID[@]}))
	json_is '.backend == "none"'
	facts <<<"$output" >"$T/by_none"
	diff -u "$T/by_none" "$T/by_$1" >&2
}

@test "each way to attach gives the same list, or says why it cannot" {
	local way
	hold a ab
	hold b mapped
	hold c cwd
	hold d thread
	for way in fentry kprobe tp_btf; do
		rt attach --cgroup "$CG" --pin --backend "$way"
		if [ "$status" -eq 0 ]; then
			rt_ok detach --all
			same_list_by "$way"
		else
			[ "$status" -eq 1 ]
			[[ $stderr == *"cannot"* ]]
			no_bpf_objects
			[ ! -e /sys/fs/bpf/relinktrace ]
			echo "# $way: ${stderr##*relinktrace: }" >&3
		fi
	done
	cgroup_empty "$CG"
	list_is_true 0
}

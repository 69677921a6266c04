#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# situations.bats in short, for machines on which each command takes seconds: all
# situations in one checkpoint.

load lib

# Those of which the first process has a regular file by an fd, and all others.
readonly regular=(ab unlinked rename-over two leader-exited)
readonly others=(mapped cwd dirfd fifo fifo-linked exe thread)

# restored_as SITUATION: the process gets its fd again with all that was known of it.
restored_as() {
	rt_ok restore "$M" --keep --holder "${HOLD_PID[$1]}" -- "$HELPERS/got"
	json_is --slurpfile was "$T/$1.before" --argjson fd "$(hold_value "$1" fd)" \
		--argjson pos "$(<"$T/$1.pos")" '.fds[0] | $was[0] as $was | .fd == $fd and
			.pos == $pos and .sum == $was.sum and .size == $was.size'
}

@test "all situations at once: listed, preserved, given back" {
	local name tid files=("${regular[@]}") # with what this filesystem can do
	! can_tmpfile || files+=(tmpfile)
	for name in "${files[@]}" "${others[@]}"; do
		mkdir "$DIR/$name"
		hold "$name" "$name" "$DIR/$name"
	done
	for name in "${files[@]}"; do
		tid=$(hold_value "$name" tid) || tid=${HOLD_PID[$name]}
		file_facts "/proc/$tid/fd/$(hold_value "$name" fd)" >"$T/$name.before"
		hold_do "$name" pos
		echo "$REPLY" >"$T/$name.pos"
	done
	list_is_true $((${#files[@]} + ${#others[@]}))
	checkpoint_ok
	json_is --arg moved "$(moved_method)" --argjson n $((${#files[@]} + 2)) '([.entries[].method] | group_by(.) |
		map({key: .[0], value: length}) | from_entries) ==
		{link: 2, ($moved): $n, recreate: 3}'
	cgroup_empty "$CG"
	rt_ok restore "$M" --check
	for name in "${files[@]}"; do
		restored_as "$name"
	done
	rt_ok clean "$M"
	no_new_names
}

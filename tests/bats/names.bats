#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Names are bytes: whatever is in them, and however long they are, they pass through
# list, attach, checkpoint and restore, and do nothing to a terminal.

load lib

readonly awkward=($'new\nline' $'\e[31mred\a' $'\xff\xfe\xc3(' 'x (deleted)' ' (deleted)'
	'"quoted\\"' '-rf')

# b64 NAME: of its path.
b64() {
	printf '%s/%s' "$DIR" "$1" | base64 -w 0
}

@test "awkward names pass through list, checkpoint and restore" {
	local name long n=0
	long=$(printf 'n%.0s' {1..255})
	for name in "${awkward[@]}" "$long"; do
		hold "h$((++n))" unlinked "$DIR" "$name"
	done
	list_is_true $n
	for name in "${awkward[@]}" "$long"; do
		json_is --arg b64 "$(b64 "$name")" '[.orphans[] | select(
			(.path // "" | @base64) == $b64 or .path_b64 == $b64)] | length == 1'
	done
	json_is '[.orphans[] | select(has("path_b64"))] | length == 1'
	rt_ok list --cgroup "$CG"
	[ "${#lines[@]}" -eq $((n + 1)) ]
	[[ $output == *'/new\x0aline'* && $output == *'/\x1b[31mred\x07'* && $output == *"/$long"* ]]
	[[ $output != *[$'\e\a\xff']* ]]
	checkpoint_ok
	json_is "(.entries | length) == $n"
	cgroup_empty "$CG"
	restore_ok
	json_is "(.fds | length) == $n and ([.fds[].sum] | unique | length) == 1"
	no_new_names
}

@test "a name that ends in ' (deleted)' is judged by its dentry, real or unlinked" {
	actor h
	echo >"$DIR/x (deleted)"
	echo >"$DIR/y (deleted)"
	(cd "$DIR" && ln 'y (deleted)' y)
	exec {x}<"$DIR/x (deleted)"
	echo "$BASHPID" >"$CG/cgroup.procs"
	rt_ok list -p $$ -j
	json_is '.orphans == []'
	exec {y}<"$DIR/y"
	rm "$DIR/y" # its other link has the name that /proc shows for it now
	rt_ok list -p $$ -j
	json_is --arg path "$DIR/y" '[.orphans[] | .path, .nlink] == [$path, 1]'
	rm "$DIR/x (deleted)"
	rt_ok list -p $$ -j
	json_is --arg path "$DIR/x (deleted)" '[.orphans[].path] | index($path)'
	echo "$BASHPID" >"$CGROOT/cgroup.procs"
	exec {x}<&- {y}<&-
}

@test "what has a path longer than PATH_MAX is listed without it, preserved, given back" {
	actor h
	act h 'deep 1'
	rt_ok list --cgroup "$CG" -j
	json_is --argjson ino "$(stat -L -c %i "/proc/${HOLD_PID[h]}/fd/3")" '.complete and
		(.orphans | length) == 1 and (.orphans[0] | .ino == $ino and .path == null and
		.nlink == 0 and .size == 4 and (.holders | length) == 1)'
	"$RT" list --cgroup "$CG" >"$T/table"
	[ "$(wc -l <"$T/table")" -eq 2 ]
	checkpoint_ok
	cgroup_empty "$CG"
	restore_ok
	json_is '(.fds | length) == 1 and .fds[0].size == 4'
	no_new_names
}

@test "attach tells awkward names, and does nothing to a terminal" {
	needs_hooks
	hold h unlinked "$DIR" before
	attach_start --cgroup "$CG"
	hold k unlinked "$DIR" $'\xff'
	attach_next
	json_is --arg b64 "$(b64 $'\xff')" '.event == "born" and .path_b64 == $b64'
	attach_kill INT
	mkfifo "$T/plain.out"
	"$RT" attach --cgroup "$CG" >"$T/plain.out" 2>&1 3>&- &
	ATTACH_PID=$!
	exec {ATTACH_OUT}<"$T/plain.out"
	attach_next
	hold l unlinked "$DIR" $'\e[2J\nborn'
	attach_next
	[[ $output == *' born '*'/\x1b[2J\x0aborn' ]]
}

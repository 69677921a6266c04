#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Whose an orphan is: of each cgroup in which a task holds it, at this moment.

load lib

# of CGROUP PID...: list of the cgroup has one orphan, which these hold.
of() {
	local cgroup=$1
	shift
	rt_ok list --cgroup "$cgroup" -j
	json_is '(.orphans | length) == 1 and ([.orphans[0].holders[].pid] | unique) ==
		($ARGS.positional | sort)' --jsonargs "$@"
}

of_nobody() {
	rt_ok list "$@" -j
	json_is '.complete and .orphans == []'
}

@test "held from two cgroups: of both, and one file all the same" {
	[ "$(backend)" = none ] || pin "$CG"
	mkdir "$CG/one" "$CG/two" "$CG/two/inner"
	HOLD_CGROUP=$CG/one actor h
	HOLD_CGROUP=$CG/two/inner actor k
	act h 'create a 1'
	act k 'open a 2'
	act h 'unlink a'
	local h=${HOLD_PID[h]} k=${HOLD_PID[k]} ino
	of "$CG/one" "$h"
	ino=$(json '.orphans[0].ino')
	of "$CG/two" "$k"
	json_is --arg name "$(cgroup_name "$CG/two/inner")" '.orphans[0].cgroup == $name'
	of "$CG" "$h" "$k"
	rt_ok list --cgroup "$CG/two" --cgroup "$CG/one" -j
	json_is '(.orphans | length) == 1 and (.orphans[0].holders | length) == 2'
	rt_ok list --all -j
	json_is --argjson ino "$ino" --arg dev "$(findmnt -n -o MAJ:MIN -T "$DIR" | tr -d ' ')" '
		[.orphans[] | select(.ino == $ino and .dev == $dev)] |
		length == 1 and (.[0].holders | length) == 2'
	act h 'close 1'
	of_nobody --cgroup "$CG/one"
	of "$CG" "$k"
}

@test "a task that moves takes what it holds with it" {
	[ "$(backend)" = none ] || pin "$CG"
	mkdir "$CG/one" "$CG/two"
	HOLD_CGROUP=$CG/one actor h
	act h 'create a 1' 'unlink a'
	of "$CG/one" "${HOLD_PID[h]}"
	of_nobody --cgroup "$CG/two"
	echo "${HOLD_PID[h]}" >"$CG/two/cgroup.procs"
	of_nobody --cgroup "$CG/one"
	of "$CG/two" "${HOLD_PID[h]}"
	json_is --arg name "$(cgroup_name "$CG/two")" '.orphans[0].cgroup == $name'
	echo "${HOLD_PID[h]}" >"$CGROOT/cgroup.procs"
	of_nobody --cgroup "$CG"
	rt_ok list -p "${HOLD_PID[h]}" -j
	json_is '.orphans | length == 1'
	echo "${HOLD_PID[h]}" >"$CG/one/cgroup.procs"
	of "$CG" "${HOLD_PID[h]}"
}

@test "a cgroup that is removed and made again is another one" {
	needs_hooks
	mkdir "$CG/again"
	pin "$CG/again"
	truncate -s 1M "$DIR/image"
	LOOP=$(losetup -f --show "$DIR/image")
	local ino
	ino=$(stat -c %i "$DIR/image")
	(in_cgroup "$CG/again" rm "$DIR/image")
	! has_function_hooks || {
		rt_ok list -j
		json_is '(.orphans | length) == 1 and .orphans[0].holders[0].kind == "loop"'
	}
	cgroup_remove "$CG/again"
	of_nobody # and not everybody's, because the only target is gone
	mkdir "$CG/again"
	HOLD_CGROUP=$CG/again actor h
	act h 'create a 1' 'unlink a'
	of_nobody
	of "$CG/again" "${HOLD_PID[h]}"
	# what the old one's task removed is nobody's now, but not lost
	rt_ok list --all -j
	json_is --argjson ino "$ino" '[.orphans[] | select(.ino == $ino and
		.holders[0].kind == "loop")] | length == 1'
	rt_ok attach --cgroup "$CG/again" --pin
	rt_ok list -j
	json_is --argjson pid "${HOLD_PID[h]}" '[.orphans[].holders[].pid] == [$pid]'
}

@test "the stream of a cgroup does not tell what its processes only unlink" {
	needs_hooks
	mkdir "$CG/holds" "$CG/removes"
	HOLD_CGROUP=$CG/holds actor h
	HOLD_CGROUP=$CG/removes actor k
	act h 'create a 1' 'mkdir d' 'open d 2'
	act k 'create b 1'
	attach_start --cgroup "$CG/removes"
	act k 'unlink a' 'rmdir d' 'unlink b'
	attach_next
	json_is --argjson pid "${HOLD_PID[k]}" '.event == "born" and [.holders[].pid] == [$pid]'
	act h 'close 1' 'close 2'
	act k 'close 1'
	local ino
	ino=$(json .ino)
	attach_next
	json_is --argjson ino "$ino" '.event == "released" and .ino == $ino'
}

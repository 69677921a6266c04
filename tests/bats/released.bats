#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Every way in which the last holder of an orphan lets go, whether its inode has another
# link (nlink 1) or not, in the pinned map and in the stream of attach.

load lib

now() {
	now_is eye "$@"
}

# watched: actor h in a cgroup of its own, and another that looks on.
watched() {
	needs_hooks
	mkdir "$CG/h" "$CG/eye"
	pin "$CG"
	HOLD_CGROUP=$CG/eye actor eye
	HOLD_CGROUP=$CG/h actor h
}

# orphan NAME SLOT NLINK: has another link or not.
orphan() {
	act h "create $1 $2"
	(($3 == 0)) || act h "link $1 $1.kept"
	act h "unlink $1"
}

@test "released with the last fd, the last mapping, the last message" {
	watched
	local nlink
	for nlink in 0 1; do
		orphan a$nlink 1 $nlink
		act h 'map 1'
		now_is h 1 1 1
		act h 'send 1' 'close 1'
		! has_function_hooks || tracked_is h 1 1 # /proc shows no message
		act h 'unmap'
		! has_function_hooks || tracked_is h 1 1
		act h 'receive 2'
		now_is h 1 1 2
		act h 'close 2'
		now_is h 0 0
		orphan b$nlink 3 $nlink
		act h 'send 3' 'close 3'
		! has_function_hooks || tracked_is h 1 3
		act h 'hang-up'
		now_is h 0 0
		orphan c$nlink 4 $nlink
		act h 'map 4' 'close 4'
		now_is h 1 1 4
		act h 'unmap'
		now_is h 0 0
	done
}

@test "released when the cwd moves on, at exec, at exit, by SIGKILL" {
	watched
	act h 'mkdir d' 'chdir d' 'rmdir d'
	now_is h 1 1 "?$(stat -L -c %i "/proc/${HOLD_PID[h]}/cwd")"
	act h 'chdir .'
	now 0 0
	local nlink way
	for nlink in 0 1; do
		orphan a$nlink 1 $nlink
		act h 'map 1' 'mkdir d' 'open d 2' 'rmdir d'
		now_is h 2 2 1 2
		hold_do h exec
		[[ $REPLY == ready* ]]
		now 0 0
	done
	act h 'mkdir d' 'chdir d' 'rmdir d'
	orphan b 1 0
	orphan c 2 1
	act h 'map 1'
	now_is h 3 3 "1 2 ?$(stat -L -c %i "/proc/${HOLD_PID[h]}/cwd")"
	hold_do h exit || true # without an answer
	"$HELPERS/await" "$CG/h" populated 0
	now 0 0
	HOLD_CGROUP=$CG/h actor k
	act k 'create b2 1' 'unlink b2' 'create c2 2' 'link c2 c3' 'unlink c2' 'map 2' \
		'mkdir d' 'chdir d' 'rmdir d'
	now_is k 3 3 "1 2 ?$(stat -L -c %i "/proc/${HOLD_PID[k]}/cwd")"
	act k 'send 1'
	kill -KILL "${HOLD_PID[k]}"
	"$HELPERS/await" "$CG/h" populated 0
	now 0 0
}

# told EVENT SLOT-INODE: the next line of the stream is that and no other.
told() {
	attach_next
	json_is --arg event "$1" --argjson ino "$2" '.event == $event and .ino == $ino'
}

ino_of() {
	stat -c %i "$DIR/$1"
}

@test "in the stream each is born once and released once, however many names it loses" {
	needs_hooks
	actor h
	attach_start --cgroup "$CG"
	act h 'create a 1' 'link a b' 'create other 5'
	local a other end
	a=$(ino_of a) other=$(ino_of other)
	act h 'unlink a'
	told born "$a"
	# the second name goes, then the first is released, before anybody can look
	kill -STOP "$ATTACH_PID"
	act h 'open b 2' 'unlink b' 'close 1'
	kill -CONT "$ATTACH_PID"
	act h 'unlink other'
	told born "$other"
	act h 'close 2'
	told released "$a"
	act h 'close 5'
	told released "$other"
	# a rename over, a directory, and a file that keeps a link
	act h 'create c 1' 'create d 2' 'link d e' 'mkdir f' 'open f 3'
	a=$(ino_of c) other=$(ino_of d) end=$(ino_of f)
	act h 'rename d c'
	told born "$a"
	act h 'unlink c'
	told born "$other"
	act h 'rmdir f'
	told born "$end"
	act h 'close 2'
	told released "$other"
	act h 'close 1'
	told released "$a"
	kill -KILL "${HOLD_PID[h]}"
	told released "$end"
}

@test "what the stream has lost is said, and what it says is right again afterwards" {
	has_function_hooks || skip "no function hooks on this kernel"
	mkdir "$CG/meant" "$CG/other"
	HOLD_CGROUP=$CG/other actor noise
	HOLD_CGROUP=$CG/meant actor h
	attach_start --cgroup "$CG/meant"
	act h 'create a 1' 'create b 2' 'link b b.kept' 'create c 3'
	local a b c
	a=$(ino_of a) b=$(ino_of b) c=$(ino_of c)
	act h 'unlink a' 
	told born "$a"
	act h 'unlink b'
	told born "$b"
	kill -STOP "$ATTACH_PID"
	act noise 'short-lived 6500' # two messages each, of which 10,922 fit
	act h 'close 1' 'close 2' 'unlink c'
	kill -CONT "$ATTACH_PID"
	attach_next
	json_is '.event == "lost" and .count > 0'
	attach_next
	json_is --argjson a "$a" --argjson b "$b" '.event == "released" and (.ino | IN($a, $b))'
	attach_next
	json_is --argjson a "$a" --argjson b "$b" '.event == "released" and (.ino | IN($a, $b))'
	told born "$c"
	act h 'close 3'
	told released "$c"
}

@test "the stream of a full map says so, and forgets nothing" {
	has_function_hooks || skip "no function hooks on this kernel"
	actor h
	# it is the whole machine's
	rt_ok list --all -j
	attach_start --cgroup "$CG" --max-orphans $(($(json '.orphans | length') + 2))
	act h 'create a 1' 'create b 2' 'create c 3'
	local a b c
	a=$(ino_of a) b=$(ino_of b) c=$(ino_of c)
	act h 'unlink a'
	told born "$a"
	act h 'unlink b'
	told born "$b"
	act h 'unlink c'
	attach_next
	json_is '.event == "lost" and .count == 1'
	told born "$c"
	# nothing tells of its release: it is looked for, and nothing is told twice
	act h 'close 3'
	told released "$c"
	act h 'create d 4' 'close 1'
	told released "$a"
	c=$(ino_of d)
	act h 'unlink d'
	told born "$c"
	act h 'close 2'
	told released "$b"
}

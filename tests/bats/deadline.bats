#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# checkpoint --deadline, clean --deadline: in time, or in part and told so, whatever a filesystem does.

load lib

# Seconds; an emulated machine is slow.
LONG=3
[[ $(hostname) != relinktrace-vm ]] || LONG=8

# in_time SECONDS ARG...: as checkpoint; it does not last longer.
in_time() {
	rt_in_time "$1" checkpoint --cgroup "$CG/h" --manifest "$M" --deadline "$@"
	[ "$(<"$CG/h/cgroup.freeze")" = 0 ]
	[ "$status" -ne 0 ] && [ "$status" -ne 3 ] || output=$(<"$M")
}

# rt_in_time SECONDS ARG...
rt_in_time() {
	local begin=$EPOCHREALTIME took
	rt "${@:2}"
	took=$((${EPOCHREALTIME/./} - ${begin/./}))
	echo "took $took us"
	# to begin and to end the program takes some time as well
	((took < ($1 + 2) * 1000000))
}

# What clean has to put back.
remember() {
	find "$DIR" "$@" -printf '%p %i %n\n' | sort >"$T/before"
}

nothing_left() {
	find "$DIR" "$@" -printf '%p %i %n\n' | sort | diff "$T/before" - >&2
	no_new_names
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
	[ ! -e "$M.journal" ]
}

setup_holders() {
	mkdir "$CG/h"
	HOLD_CGROUP=$CG/h
}

@test "a deadline that is not reached changes nothing of what is done" {
	setup_holders
	local name
	for name in ab unlinked fifo dirfd; do
		mkdir "$DIR/$name"
		hold "$name" "$name" "$DIR/$name"
	done
	remember
	in_time 60 --freeze --digest
	[ "$status" -eq 0 ]
	json_is '.complete and .failed == [] and ([.entries[].n] | sort) == [1, 2, 3, 4]'
	jq -c '[.entries[] | {ino, method, size, holders: [.holders[].fd]}] | sort' "$M" >"$T/with"
	[ ! -e "$M.journal" ]
	rt_ok restore "$M" --check
	rt_ok clean "$M"
	nothing_left
	rm "$M"
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$M" --freeze --digest
	jq -c '[.entries[] | {ino, method, size, holders: [.holders[].fd]}] | sort' "$M" |
		diff "$T/with" - >&2
	rt_ok clean "$M"
	rm "$M"
	in_time 60 --freeze --precopy
	[ "$status" -eq 0 ]
	rt_ok clean "$M"
	rm "$M"
	# what refuses does so too
	in_time 60 --max-bytes 1
	[ "$status" -eq 1 ]
	[ ! -e "$M" ]
	[ ! -e "$M.journal" ]
	for name in 0 -1 x 1s '' nan; do
		rt checkpoint --cgroup "$CG/h" --manifest "$M" --deadline "$name"
		[ "$status" -eq 2 ]
	done
}

@test "a copy that takes longer is given up, and what is there is kept" {
	setup_holders
	fuse_over "$DIR/source" "$T/fuse" --read-rate=4M
	mkdir "$DIR/other"
	hold l ab "$DIR/other"
	actor a "$T/fuse"
	act a 'create large 1' 'create small 2'
	head -c 64M /dev/urandom >>"$DIR/source/large"
	act a 'unlink large' 'unlink small'
	remember
	in_time "$LONG" --freeze
	[ "$status" -eq 3 ]
	json_is '(.complete | not) and (.entries | length) == 1 and (.failed | length) > 0'
	json_is '.failed[0] | .errno == 110 and .size > 60000000 and (.error | test("deadline"))'
	# it was not left behind, and so nothing is half made
	[ ! -e "$M.journal" ]
	rt restore "$M" --check
	[ "$status" -eq 3 ]
	rt_ok clean "$M"
	nothing_left
}

@test "a FUSE daemon that stopped: the others are preserved, clean finds what is half made" {
	setup_holders
	fuse_over "$DIR/source" "$T/fuse"
	mkdir "$DIR/other"
	hold l ab "$DIR/other"
	hold f unlinked "$T/fuse"
	hold u unlinked "$DIR/other" second
	remember
	local more
	for more in --precopy --store; do
		[[ $more != --store ]] || more="--store $T/store"
		kill -STOP "$FUSE"
		# shellcheck disable=SC2086 # two words
		in_time "$LONG" --freeze $more
		kill -CONT "$FUSE"
		[ "$status" -eq 3 ]
		[[ $stderr == *"relinktrace clean $M"* ]]
		json_is '(.complete | not) and (.entries | length) == 2 and (.failed | length) == 1'
		json_is --arg point "$T/fuse" '.failed[0] | .errno == 110 and
			.mount.point == $point and (.error | test("deadline"))'
		rt restore "$M" --check
		[ "$status" -eq 3 ]
		[[ $output == *'2 of 2 can be restored'* ]]
		rt_ok clean "$M"
		nothing_left
		rm "$M"
	done
}

@test "a FUSE daemon that stops in the middle of a copy" {
	setup_holders
	fuse_over "$DIR/source" "$T/fuse" --read-rate=16M
	actor a "$T/fuse"
	act a 'create large 1'
	head -c 64M /dev/urandom >>"$DIR/source/large"
	act a 'unlink large'
	hold l ab "$DIR"
	remember
	# stops when the file that it becomes is there and has something in it
	(
		until find "$DIR/source" -type f -name '.relinktrace-*' -size +1k -exec kill -STOP "$FUSE" \; \
			-quit 2>/dev/null && grep -q '^State:.*stopped' "/proc/$FUSE/status"; do :; done
	) 3>&- &
	local watcher=$!
	in_time "$LONG"
	wait "$watcher"
	kill -CONT "$FUSE"
	[ "$status" -eq 3 ]
	[ -e "$M.journal" ]
	json_is '(.entries | length) == 1 and (.failed | length) == 1 and .failed[0].errno == 110'
	find "$DIR/source" -type f -name '.relinktrace-*' -size +1k | grep -q .
	rt_ok clean --id "$(jq -r .id "$M")"
	nothing_left
}

# freezable_at POINT: a filesystem of which one name will be, and another is elsewhere.
freezable_at() {
	mkdir "$1"
	truncate -s 16M "$T/frozen.image"
	mkfs.ext4 -q -O ^has_journal "$T/frozen.image"
	mount -o loop "$T/frozen.image" "$1"
	hold f unlinked "$1"
	hold l ab "$DIR"
	remember "$1"
}

# Whoever waits in there does not even heed SIGKILL, and has all that it was given.
@test "a filesystem that lets nobody go: the checkpoint leaves its worker behind" {
	setup_holders
	local at=$T/frozen
	freezable_at "$at"
	fsfreeze -f "$at"
	in_time "$LONG" --freeze
	[[ "$(ps -o stat= -C relink-worker)" == *D* ]]
	fsfreeze -u "$at"
	[ "$status" -eq 3 ]
	# what it was about to make is there at last
	while pgrep -x relink-worker >/dev/null; do :; done
	json_is --arg point "$at" '(.entries | length) == 1 and (.failed | length) == 1 and
		.failed[0].mount.point == $point and .failed[0].errno == 110'
	rt_ok clean "$M"
	nothing_left "$at"
}

@test "what runs in the freeze is ended at the deadline, and the cgroup thawed" {
	setup_holders
	hold l ab
	remember
	in_time "$LONG" --freeze --exec 'cat '"$CG"'/h/cgroup.freeze; sleep 1013'
	[ "$status" -eq 3 ]
	[[ ${output:0:1} == '{' && $stderr == *'had not ended by the deadline'* ]]
	run pgrep -f 'sleep 1013'
	[ "$status" -eq 1 ]
	rt_ok restore "$M" --check
	rt_ok clean "$M"
	nothing_left
}

# hung_in_time: a checkpoint in time, though what it is to be written down on does not answer.
hung_in_time() {
	in_time "$LONG" --freeze
	[ "$status" -eq 1 ]
	[[ $stderr == *"$M, its journal, the store or $RELINKTRACE_STATE are on did not answer by the deadline"* ]]
	[[ $stderr == *"relinktrace clean $M"* ]]
}

@test "a FUSE daemon that stopped: the manifest, or the index, is there" {
	setup_holders
	fuse_over "$T/source" "$T/fuse"
	hold l ab
	remember
	local where
	for where in manifest index; do
		[ $where = manifest ] && M=$T/fuse/manifest.json || {
			M=$T/manifest.json
			export RELINKTRACE_STATE=$T/fuse/state
			mkdir -m 700 "$RELINKTRACE_STATE"
		}
		kill -STOP "$FUSE"
		hung_in_time
		kill -CONT "$FUSE"
		while pgrep -x relink-steward >/dev/null; do :; done
		rt clean "$M"
		nothing_left
		# and then all is as ever
		in_time 60 --freeze
		[ "$status" -eq 0 ]
		rt_ok clean "$M"
		rm "$M"
		nothing_left
	done
}

@test "a filesystem that lets nobody go in the middle: the manifest and its journal are there" {
	setup_holders
	fuse_over "$DIR/source" "$T/fuse" --read-rate=4M
	hold l ab
	actor a "$T/fuse"
	act a 'create large 1'
	head -c 64M /dev/urandom >>"$DIR/source/large"
	act a 'unlink large'
	mkdir "$T/disk"
	truncate -s 16M "$T/disk.image"
	mkfs.ext4 -q -O ^has_journal "$T/disk.image"
	mount -o loop "$T/disk.image" "$T/disk"
	M=$T/disk/manifest.json
	remember
	# long before the copy is made
	("$HELPERS/await" "$CG/h" frozen 1 && fsfreeze -f "$T/disk") 3>&- &
	local watcher=$!
	hung_in_time
	wait "$watcher"
	[[ "$(ps -o stat= -C relink-steward)" == *D* ]]
	fsfreeze -u "$T/disk"
	while pgrep -x relink-steward >/dev/null || pgrep -x relink-worker >/dev/null; do :; done
	rt_ok clean "$M"
	nothing_left
}

@test "what the manifest is on does not answer any more when it is there: nothing is lost" {
	setup_holders
	fuse_over "$T/source" "$T/fuse"
	hold l ab
	M=$T/fuse/manifest.json
	remember
	rt_in_time "$LONG" checkpoint --cgroup "$CG/h" --manifest "$M" --deadline "$LONG" --freeze \
		--exec "kill -STOP $FUSE"
	[ "$(<"$CG/h/cgroup.freeze")" = 0 ]
	kill -CONT "$FUSE"
	[ "$status" -eq 0 ]
	while pgrep -x relink-steward >/dev/null; do :; done
	rt_ok restore "$M" --check
	rt_ok clean "$M"
	nothing_left
}

# hung_is_left POINT ARG...: clean in time, while what is at POINT does not answer: of two
# names one is gone.
hung_is_left() {
	rt_in_time "$LONG" clean --deadline "$LONG" "${@:2}"
	[ "$status" -eq 3 ]
	[[ $output == '1 removed, 0 gone already, 1 left' ]]
	[[ $stderr == *"filesystem at $1 is left: it did not answer in time"* ]]
}

@test "clean --deadline: a FUSE daemon that stopped keeps only its own names" {
	setup_holders
	fuse_over "$DIR/source" "$T/fuse"
	mkdir "$DIR/other"
	hold l ab "$DIR/other"
	hold f unlinked "$T/fuse"
	remember
	local by
	for by in "$M" '--expired 0s'; do
		rt_ok checkpoint --cgroup "$CG/h" --manifest "$M"
		kill -STOP "$FUSE"
		# shellcheck disable=SC2086 # two words
		hung_is_left "$T/fuse" $by
		kill -CONT "$FUSE"
		[ -n "$(ls "$RELINKTRACE_STATE")" ]
		# shellcheck disable=SC2086 # two words
		rt_ok clean --deadline 60 $by
		[[ $output == *', 0 left' ]]
		nothing_left
		rm "$M"
	done
	for by in 0 x ''; do
		rt clean --deadline "$by" "$M"
		[ "$status" -eq 2 ]
	done
}

@test "clean --deadline: the journal stays for what does not answer" {
	setup_holders
	fuse_over "$DIR/source" "$T/fuse"
	mkdir "$DIR/other"
	hold l ab "$DIR/other"
	hold f unlinked "$T/fuse"
	remember
	# what only the journal tells of: the first name of the copy, which would not go
	KILLER_REFUSE='tmpfile noreplace unlink' "$HELPERS/killer" kill 0 \
		"$RT" checkpoint --cgroup "$CG/h" --manifest "$M" || true
	[ -e "$M.journal" ]
	kill -STOP "$FUSE"
	rt_in_time "$LONG" clean --deadline "$LONG" "$M"
	[ "$status" -eq 3 ]
	[[ $output == '1 removed, 0 gone already, 2 left' ]]
	[ -e "$M.journal" ]
	kill -CONT "$FUSE"
	rt_ok clean --deadline 60 "$M"
	[[ $output == '2 removed, 1 gone already, 0 left' ]]
	nothing_left
}

@test "clean --deadline: a filesystem that lets nobody go" {
	setup_holders
	local at=$T/frozen
	freezable_at "$at"
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$M"
	fsfreeze -f "$at"
	hung_is_left "$at" "$M"
	[[ "$(ps -o stat= -C relink-cleaner)" == *D* ]]
	fsfreeze -u "$at"
	while pgrep -x relink-cleaner >/dev/null; do :; done
	rt_ok clean "$M"
	nothing_left "$at"
}

# left_in_time STATUS PATH ARG...: clean in time, while what PATH is on does not answer.
left_in_time() {
	rt_in_time "$LONG" clean --deadline "$LONG" "${@:3}"
	[ "$status" -eq "$1" ]
	[[ $stderr == *"$2 is left: a filesystem that it needs did not answer in time"* ]]
}

@test "clean --deadline: manifests on a filesystem that does not answer keep no other's names" {
	setup_holders
	fuse_over "$T/source" "$T/fuse"
	hold l ab
	remember
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$T/fuse/one"
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$T/fuse/two"
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$M"
	kill -STOP "$FUSE"
	left_in_time 3 "$T/fuse/one" "$T/fuse/one"
	[[ $output == '0 removed, 0 gone already, 1 left' ]]
	# the second is not waited for
	left_in_time 3 "$T/fuse/two" --expired 0s
	[[ $stderr == *"$T/fuse/one is left: "* ]]
	[[ $output == '1 removed, 0 gone already, 2 left' ]]
	kill -CONT "$FUSE"
	rt_ok clean --deadline 60 --expired 0s
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	nothing_left
}

@test "clean --deadline: what is known of checkpoints does not answer" {
	setup_holders
	fuse_over "$T/source" "$T/fuse"
	hold l ab
	remember
	local id
	export RELINKTRACE_STATE=$T/fuse
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$M"
	id=$(jq -r .id "$M")
	kill -STOP "$FUSE"
	left_in_time 3 "$T/fuse" --expired 0s
	left_in_time 3 "$T/fuse" --id "$id"
	# the names go all the same
	left_in_time 3 "$M" "$M"
	[[ $output == '1 removed, 0 gone already, 1 left' ]]
	kill -CONT "$FUSE"
	rt_ok clean --deadline 60 --id "$id"
	[[ $output == '0 removed, 1 gone already, 0 left' ]]
	nothing_left
}

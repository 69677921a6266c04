#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Whoever is root in the container owns names, links, mounts and timing (docs/security.md).
# It works on $IN, the container's whole mount ($POINT); outside of it, on the same
# filesystem, is a tree in which nothing may ever change, nor in $IN/keep. Every race is
# run twice: at each call between look and act (helpers/stopat.c), and against a racer
# that swaps as fast as it can (helpers/racer.c).

load lib

# At how many of the calls each is stopped once (1: at each).
EACH=$((${RELINKTRACE_KILL_STEP:-1} < 9 ? 1 : ${RELINKTRACE_KILL_STEP:-1} / 2))

# A race takes so long, or so many rounds if the machine is slow.
RACE_SECONDS=${RELINKTRACE_RACE_SECONDS:-4} RACE_ROUNDS=$((EACH > 1 ? 1 : 3))

container() {
	IN=$DIR/in OUTSIDE=$DIR/outside POINT=$T/point
	mkdir -p "$IN/keep/folder" "$OUTSIDE/checkpoint" "$POINT"
	mount --bind "$IN" "$POINT"
	mount --make-private "$POINT"
	local dir
	for dir in "$OUTSIDE" "$OUTSIDE/checkpoint" "$IN/keep"; do
		echo "secret of $dir" >"$dir/secret"
		chmod 600 "$dir/secret"
	done
	mkfifo -m 600 "$IN/keep/fifo"
	FOLDER=$IN/lost+found/checkpoint
}

canary() {
	find "$OUTSIDE" "$IN/keep" -printf '%p %y %i %n %U:%G %m %s %C@\n' | sort
	cat "$OUTSIDE/secret" "$OUTSIDE/checkpoint/secret" "$IN/keep/secret"
}

canary_set() {
	canary >"$T/canary"
}

canary_lives() {
	canary | diff "$T/canary" - >&2
}

# What the manifest says of an inode is so.
manifest_is_true() {
	jq -e '[.entries[] | select(.method == "link") | .ino == .relinked.ino and .same_inode] |
		all' "$M" >/dev/null
}

# at_each_call HOOK UNDO RT-ARG...: the command is stopped before each of its first calls, and
# each EACH-th of the others, in turn, for the shell function HOOK; UNDO puts everything back.
# The canary lives.
at_each_call() {
	local hook=$1 undo=$2 n status
	shift 2
	export IN OUTSIDE POINT FOLDER M
	# shellcheck disable=SC2163 # the function
	export -f "$hook"
	for ((n = 1; ; n += n < 4 ? 1 : EACH)); do
		status=0
		(alone timeout "$PATIENCE" "$HELPERS/stopat" "$n" "$hook" "$RT" "$@") \
			>"$T/said" 2>&1 </dev/null || status=$?
		cat "$T/said" >&2
		echo "stopped at call $n: status $status" >&2
		[[ $status == @(0|1|3|100) ]] || return 1
		"$undo" || return 1
		canary_lives || return 1
		((status != 100)) || break
	done
	# else nothing was stopped, and the test shows nothing
	((n > 3))
}

# racing RACE ARG...: until raced. In $RACER_HITS is how often it has swapped something.
racing() {
	export RACER_HITS=$T/racer.hits
	RACE_BEGAN=$SECONDS
	rm -f "$T/racer.in" "$T/racer.out"
	mkfifo "$T/racer.in" "$T/racer.out"
	in_cgroup "${HOLD_CGROUP:-$CGROOT}" "${HOLD_VIA[@]}" "$HELPERS/racer" "$@" \
		<"$T/racer.in" >"$T/racer.out" 3>&- &
	disown
	exec {RACER_IN}>"$T/racer.in" {RACER_OUT}<"$T/racer.out"
	IFS= read -r -t "$PATIENCE" -u "$RACER_OUT" REPLY
}

racer_ended() {
	local rounds hits
	exec {RACER_IN}>&-
	read -r -t "$PATIENCE" -u "$RACER_OUT" REPLY rounds hits
	exec {RACER_OUT}<&-
	ROUNDS=$((ROUNDS + rounds)) HITS=$((HITS + hits))
}

raced() {
	ROUNDS=0 HITS=0
	racer_ended
	hit
}

# It did race. $DISTURBED of $RUNS commands ended in another way for it.
hit() {
	echo "# the racer swapped $HITS times in $ROUNDS rounds${RUNS:+, in $RUNS commands, of which $DISTURBED failed for it}" >&3
	((ROUNDS > 100 && HITS > 10))
}

# until_raced N: false when the race has taken its time, and the racer has swapped N times; or
# patience is at an end.
until_raced() {
	((SECONDS < RACE_BEGAN + PATIENCE)) || return
	((SECONDS < RACE_BEGAN + RACE_SECONDS)) || (($(<"$RACER_HITS") < $1))
}

# raced_rt ARG...: a command that is raced against, whose output may be anything.
RUNS='' DISTURBED=0
raced_rt() {
	rt "$@"
	[[ $status == @(0|1|3) ]]
	RUNS=$((RUNS + 1)) DISTURBED=$((DISTURBED + (status != 0)))
}

# Checkpoint, restore and clean, over and over. Manifests whose names could not be
# removed are kept for the time after.
against_racer() {
	local n=0
	while ((n++ < RACE_ROUNDS)) || until_raced 11; do
		raced_rt checkpoint --cgroup "$CG" --manifest "$M"
		[[ -e $M ]] || continue
		manifest_is_true
		raced_rt restore "$M" --check
		raced_rt restore "$M" --keep -- true
		[[ $status == @(0|1) ]]
		raced_rt clean "$M"
		[[ $status == @(0|3) ]]
		# a name whose folder was away just then counts as gone
		[[ $output == *" 0 gone already, 0 left" ]] || cp "$M" "$T/left.$n.json"
		rm "$M"
		canary_lives
	done
	echo "$n rounds" >&2
}

clean_left() {
	local manifest
	for manifest in "$T"/left.*.json; do
		[[ -e $manifest ]] || continue
		rt clean "$manifest"
		[[ $status -eq 0 ]]
	done
}

# Nothing of a checkpoint is in the container any more, when the racer's folders have been
# in their places: where a new one was made while one was away, that stayed away.
all_cleaned() {
	local folder
	clean_left
	for folder in "$FOLDER" "$IN/lost+found"; do
		[[ -d $folder.away ]] || continue
		[[ ! -e $folder ]] || mv "$folder" "$folder.made"
		mv "$folder.away" "$folder"
		clean_left
	done
	[ -z "$(find "$IN" -name 'unlink-at-restart*')" ]
	canary_lives
}

# What a checkpoint made, and clean removed, is there again.
folders() {
	[[ -d $IN/lost+found ]] || mkdir -m 700 "$IN/lost+found"
	[[ -d $FOLDER ]] || mkdir -m 700 "$FOLDER"
}

three_orphans() {
	hold linked ab "$POINT"
	hold unlinked unlinked "$POINT"
	hold fifo fifo "$POINT"
}

# swapped folders ------------------------------------------------------------------

plant() {
	[[ ! -e $IN/lost+found ]] || mv "$IN/lost+found" "$IN/away"
	ln -s "$OUTSIDE" "$IN/lost+found"
}

# The symbolic link goes, and what was there comes back.
unplant() {
	[[ ! -L $IN/lost+found ]] || rm "$IN/lost+found"
	[[ ! -e $IN/away ]] || mv "$IN/away" "$IN/lost+found"
}

forget() {
	unplant
	[[ -e $M ]] || return 0
	manifest_is_true || return 1
	"$RT" clean "$M" || return 1
	rm "$M"
	[[ -z $(find "$IN" -name 'unlink-at-restart*') ]]
}

@test "the folder becomes a symbolic link at any moment of a checkpoint" {
	container
	three_orphans
	canary_set
	at_each_call plant forget checkpoint --cgroup "$CG" --manifest "$M"
	racing symlink "$IN/lost+found" "$OUTSIDE"
	against_racer
	raced
	unplant
	all_cleaned
}

plant_inner() {
	[[ ! -e $FOLDER ]] || mv "$FOLDER" "$IN/away"
	[[ ! -d $IN/lost+found ]] || ln -s "$OUTSIDE/checkpoint" "$FOLDER"
}

unplant_inner() {
	[[ ! -L $FOLDER ]] || rm "$FOLDER"
	[[ ! -e $IN/away ]] || mv "$IN/away" "$FOLDER"
}

forget_inner() {
	unplant_inner
	forget
}

@test "so does the folder in it" {
	container
	three_orphans
	canary_set
	at_each_call plant_inner forget_inner checkpoint --cgroup "$CG" --manifest "$M"
	folders
	racing symlink "$FOLDER" "$OUTSIDE/checkpoint"
	against_racer
	raced
	unplant_inner
	all_cleaned
}

# Names that clean would remove stand outside too: of the same inode even.
bait() {
	local n file
	for n in "$FOLDER"/*; do
		[[ -f $n ]] || continue
		ln "$n" "$OUTSIDE/checkpoint/"
	done
	for file in "$OUTSIDE/checkpoint"/*; do
		[[ -e $file ]]
	done
}

baits() {
	find "$OUTSIDE" -printf '%p %y %i\n' | sort
	cat "$IN/keep/secret"
}

again_checkpoint() {
	unplant
	baits | diff "$T/baits" - >&2 || return 1
	canary_set # links and ctimes of the very inodes change
	manifest_is_true
}

@test "clean and restore find the folder swapped for one with the same names" {
	container
	three_orphans
	checkpoint_ok
	bait
	baits >"$T/baits"
	canary_set
	at_each_call plant again_checkpoint restore "$M" --keep -- true
	at_each_call plant again_checkpoint restore "$M" --check
	at_each_call plant again_checkpoint clean "$M"
	[ -z "$(find "$IN" -name 'unlink-at-restart*')" ]
	baits | diff "$T/baits" -
}

@test "clean and restore race with the folder swapped for one with the same names" {
	container
	three_orphans
	ROUNDS=0 HITS=0
	local until=$((SECONDS + RACE_SECONDS)) n
	for ((n = 0; n < RACE_ROUNDS || SECONDS < until; n++)); do
		checkpoint_ok
		bait
		baits >"$T/baits"
		racing symlink "$IN/lost+found" "$OUTSIDE"
		raced_rt restore "$M" --check
		raced_rt restore "$M" --keep -- true
		raced_rt clean "$M"
		raced_rt clean "$M"
		racer_ended
		unplant
		[[ ! -e $IN/lost+found.away ]] || mv "$IN/lost+found.away" "$IN/lost+found"
		baits | diff "$T/baits" - >&2
		rt_ok clean "$M"
		rm "$M" "$OUTSIDE/checkpoint"/unlink-*
		[ -z "$(find "$IN" -name 'unlink-at-restart*')" ]
	done
	hit
}

# The folder itself, moved out of the mount while it is in use. Root in a container cannot
# do that, but whoever sees the whole filesystem may.
move_out() {
	[[ ! -e $FOLDER ]] || mv "$FOLDER" "${OUTSIDE}2/moved"
}

move_back() {
	if [[ -e ${OUTSIDE}2/moved ]]; then
		[[ -e $M ]] || [[ -z $(ls -A "${OUTSIDE}2/moved") ]] || return 1
		[[ -d $IN/lost+found ]] || mkdir -m 700 "$IN/lost+found"
		if [[ -e $FOLDER ]]; then
			rmdir "${OUTSIDE}2/moved"
		else
			mv "${OUTSIDE}2/moved" "$FOLDER"
		fi
	fi
	forget
}

@test "the folder is moved out of the mount while names are made in it" {
	container
	mkdir "${OUTSIDE}2"
	three_orphans
	canary_set
	folders
	at_each_call move_out move_back checkpoint --cgroup "$CG" --manifest "$M"
	folders
	racing move "$FOLDER" "${OUTSIDE}2/moved"
	against_racer
	raced
	[ -e "$FOLDER" ] || [ ! -e "${OUTSIDE}2/moved" ] || mv "${OUTSIDE}2/moved" "$FOLDER"
	all_cleaned
	[ -z "$(find "${OUTSIDE}2" -name 'unlink-at-restart*')" ]
}

# swapped names --------------------------------------------------------------------

@test "the names themselves are swapped for links to files outside" {
	container
	three_orphans
	canary_set
	folders
	racing names "$FOLDER" "$OUTSIDE/secret"
	against_racer
	raced
	# What it moved away at the wrong moment is its own business.
	canary_lives
	rm -r "$IN/lost+found"
}

# What is made to be given back is swapped for one outside, which gets a second name for it.
# Root in a container could not reach it; whoever sees the whole filesystem may.
swap_made() {
	local name
	for name in "$IN"/.relinktrace-*/node; do
		[[ -p $name ]] || continue
		ln "${OUTSIDE}2/fifo" "$IN/swapped"
		mv "$IN/swapped" "$name"
		echo "$STOPAT" >>"$IN/swaps"
	done
}

unswap_made() {
	[[ $(stat -c '%U %a' "${OUTSIDE}2/fifo") == "root 600" ]]
}

# fifos N: orphans of another owner, and one FIFO outside.
fifos() {
	local i
	mkdir "${OUTSIDE}2"
	mkfifo -m 600 "${OUTSIDE}2/fifo"
	for ((i = 0; i < $1; i++)); do
		hold "fifo$i" fifo "$POINT"
		chown 65533 "$(hold_file "fifo$i")"
	done
	checkpoint_ok
	canary_set
}

@test "a FIFO that is made again is swapped for another one before it gets its owner" {
	local EACH=1
	container
	fifos 1
	at_each_call swap_made unswap_made restore "$M" --keep -- true
	# it was there to be swapped
	grep -q openat2 "$IN/swaps"
	rt_ok clean "$M"
	[ -z "$(find "$IN" -name '.relinktrace-*')" ]
}

# The one outside is there to be opened, and away again, with its second name, before it is looked at.
swap_opened() {
	local name
	if [[ -e $IN/kept ]]; then
		mv "$IN/kept" "$(<"$IN/swapped")"
	elif [[ $STOPAT == openat2 && ! -e $IN/swapped ]]; then
		for name in "$IN"/.relinktrace-*/node; do
			[[ -p $name ]] || continue
			echo "$name" >"$IN/swapped"
			mv "$name" "$IN/kept"
			ln "${OUTSIDE}2/fifo" "$name"
		done
	fi
}

@test "a FIFO that is made again is swapped for another one only while it is opened" {
	container
	fifos 1
	export IN OUTSIDE
	export -f swap_opened
	run alone "$HELPERS/stopat" looks swap_opened "$RT" restore "$M" --keep -- true
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *'was replaced while it was made; nothing was removed'* ]]
	[ ! -e "$IN/kept" ]
	unswap_made
	canary_lives
	rt_ok clean "$M"
	[ -z "$(find "$IN" -name '.relinktrace-*')" ]
}

@test "FIFOs that are made again are swapped for another one as fast as can be" {
	container
	fifos 12
	racing nodes "$IN" "${OUTSIDE}2/fifo"
	while until_raced 11; do
		raced_rt restore "$M" --keep -- true
		unswap_made
		canary_lives
	done
	raced
	rt_ok clean "$M"
	unswap_made
	[ "$(stat -c %h "${OUTSIDE}2/fifo")" -eq 1 ]
	[ -z "$(find "$IN" -name '.relinktrace-*')" ]
}

# mounts ---------------------------------------------------------------------------

cover() {
	[[ -d $FOLDER ]] || return 0
	mount -t tmpfs -o mode=700 cover "$POINT/lost+found/checkpoint"
}

uncover() {
	if findmnt "$POINT/lost+found/checkpoint" >/dev/null; then
		[[ -z $(ls -A "$POINT/lost+found/checkpoint") ]] || return 1
		umount "$POINT/lost+found/checkpoint"
	fi
	forget
}

@test "something is mounted over the folder at any moment" {
	container
	three_orphans
	canary_set
	at_each_call cover uncover checkpoint --cgroup "$CG" --manifest "$M"
	folders
	racing mount "$POINT/lost+found/checkpoint"
	against_racer
	raced
	all_cleaned
}

cover_all() {
	mount --bind "$OUTSIDE" "$POINT"
}

uncover_all() {
	! findmnt -n -o SOURCE "$POINT" | grep -q 'outside]$' || umount "$POINT"
	forget
}

@test "something is mounted over the whole mount at any moment" {
	container
	three_orphans
	canary_set
	at_each_call cover_all uncover_all checkpoint --cgroup "$CG" --manifest "$M"
	racing mount "$POINT"
	against_racer
	raced
	all_cleaned
}

move_mount() {
	! mountpoint -q "$POINT" || mount --move "$POINT" "${POINT}2"
}

unmove_mount() {
	! mountpoint -q "${POINT}2" || mount --move "${POINT}2" "$POINT"
	forget
}

# Nothing but that: it is there for the next call.
unmove_alone() {
	! mountpoint -q "${POINT}2" || mount --move "${POINT}2" "$POINT"
}

@test "the mount is moved at any moment" {
	container
	mkdir "${POINT}2"
	three_orphans
	canary_set
	at_each_call move_mount unmove_mount checkpoint --cgroup "$CG" --manifest "$M"
	checkpoint_ok
	at_each_call move_mount unmove_alone restore "$M" --check
	at_each_call move_mount unmove_alone restore "$M" --keep -- true
	at_each_call move_mount unmove_alone clean "$M"
	forget
	racing remount "$POINT" "${POINT}2"
	against_racer
	raced
	unmove_alone
	all_cleaned
}

# fds and pids ---------------------------------------------------------------------

@test "an fd is swapped between look and link, also for a file outside" {
	container
	echo one >"$IN/one"
	echo two >"$IN/two"
	ln "$IN/one" "$IN/one.link"
	canary_set
	HOLD_CGROUP=$CG racing fd "$POINT/one" "$POINT/two" "$OUTSIDE/secret"
	local until=$((SECONDS + RACE_SECONDS)) n entry ino
	for ((n = 0; n < RACE_ROUNDS || SECONDS < until; n++)); do
		checkpoint_ok
		json_is '.entries | length == 2'
		manifest_is_true
		# what was copied is what has the inode number that is recorded
		ino=$(stat -c %i "$IN/one.link")
		for entry in 0 1; do
			if [ "$(jq ".entries[$entry].ino" "$M")" = "$ino" ]; then
				[ "$(<"$POINT/$(jq -r ".entries[$entry].relink_path" "$M")")" = one ]
			else
				[ "$(<"$POINT/$(jq -r ".entries[$entry].relink_path" "$M")")" = two ]
			fi
		done
		rt_ok clean "$M"
		rm "$M"
		canary_lives
	done
	raced
	all_cleaned
}

# The holder ends, and its number is given to a process that holds something else there.
reuse_pid() {
	[[ ! -e $IN/reused ]] || return 0
	kill -KILL "$VICTIM"
	while [[ -e /proc/$VICTIM ]]; do :; done
	for _ in {1..50}; do
		echo $((VICTIM - 1)) >/proc/sys/kernel/ns_last_pid
		sh -c 'exec 3<>"$1"; rm "$1"; echo $$ >"$2.new"; mv "$2.new" "$2"; exec sleep 1000' \
			sh "$IN/other" "$IN/reused" >/dev/null 2>&1 &
		while [[ ! -e $IN/reused ]]; do :; done
		[[ $(<"$IN/reused") != "$VICTIM" ]] || return 0
		kill -KILL $!
		rm "$IN/reused"
		echo other >"$IN/other"
	done
	return 1
}

@test "a process id is used again between look and link" {
	[ -w /proc/sys/kernel/ns_last_pid ] || skip "no /proc/sys/kernel/ns_last_pid"
	container
	canary_set
	export IN VICTIM
	export -f reuse_pid
	local n
	for ((n = 1; ; n += n < 4 ? 1 : EACH)); do
		hold "h$n" unlinked "$POINT"
		VICTIM=${HOLD_PID[h$n]}
		echo other >"$IN/other"
		run alone "$HELPERS/stopat" "$n" reuse_pid \
			"$RT" checkpoint --cgroup "$CG" --manifest "$M"
		echo "stopped at call $n: status $status, $output" >&2
		kill -KILL "$VICTIM"
		[[ $status != 100 ]] || break
		[ "$(<"$IN/reused")" = "$VICTIM" ]
		rm "$IN/reused"
		# that file or nothing, never the other one
		jq -e '.failed == [] or (.failed[0].error | test("process"))' "$M"
		jq -e '.entries == [] or .entries[0].size == 8192' "$M"
		"$RT" clean "$M"
		rm "$M"
		canary_lives
		cgroup_empty "$CG"
	done
	((n > 3))
}

@test "a process id is that of one process and of another one, as fast as can be" {
	container
	echo one >"$IN/one"
	echo other >"$IN/other"
	canary_set
	local n=0 found=0 one other
	one=$(stat -c %i "$IN/one") other=$(stat -c %i "$IN/other")
	racing pid "$CG" "$POINT"
	# an emulated machine is too slow to find it often
	while ((n++ < RACE_ROUNDS)) || until_raced 101 || ((!found && n < 500 && EACH == 1)); do
		raced_rt checkpoint --cgroup "$CG" --manifest "$M"
		[[ -e $M ]] || continue
		output=$(<"$M")
		# that file or nothing, never the other one, which is of another cgroup
		json_is --argjson one "$one" 'all(.entries[], .failed[]; .ino == $one)'
		json_is --argjson other "$other" 'all(.entries[]; .relinked.ino != $other)'
		manifest_is_true
		found=$((found + $(json '.entries | length')))
		raced_rt restore "$M" --check
		raced_rt clean "$M"
		[ "$status" -eq 0 ]
		rm "$M"
		canary_lives
	done
	raced
	echo "# $found of $n checkpoints found it" >&3
	((found || EACH > 1))
	[ "$(stat -c %h "$IN/one")" -eq 1 ]
	[ "$(stat -c %h "$IN/other")" -eq 1 ]
	[ "$(<"$IN/other")" = other ]
	all_cleaned
}

# what is read ---------------------------------------------------------------------

# evil FILTER: restore and clean refuse the good manifest with that change, or find nothing
# of theirs; the canary lives.
evil() {
	jq "$1" "$T/good.json" >"$T/evil.json"
	chmod 600 "$T/evil.json"
	rt restore "$T/evil.json" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	rt clean "$T/evil.json"
	[[ $status == @(1|3) ]]
	[ ! -e "$T/ran" ]
	canary_lives
}

@test "manifests that name what the checkpoint never made" {
	container
	ln "$OUTSIDE/secret" "$IN/secret"
	canary_set
	hold h ab "$POINT"
	checkpoint_ok
	cp "$M" "$T/good.json"
	local victim
	victim=".entries[0].relinked.ino = $(stat -c %i "$IN/secret") | .entries[0].relinked.generation = null"
	evil "$victim | .entries[0].relink_path = \"secret\""
	evil "$victim | .entries[0].relink_path = \"../outside/secret\""
	evil "$victim | .entries[0].relink_path = \"/etc/passwd\""
	evil "$victim | .entries[0].relink_path = \"\""
	evil "$victim | .entries[0].relink_path = \"secret\\u0000\""
	evil "$victim | .entries[0].relink_path = null"
	evil "$victim | .template = \"../outside/secret%n\""
	evil "$victim | .entries[0].mount_root += \"/../outside\""
	evil "$victim"
	evil '.entries[0].mode = 4294967295'
	evil '.entries[0].uid = -1'
	evil '.entries[0].n = 99999999999999999999'
	evil '.entries[0].holders[0].fd = 2147483648'
	evil '.entries[0].holders[0].pos = 1e400'
	evil '.entries += .entries'
	(printf '[%.0s' {1..100000}) >"$T/good.json.deep"
	rt clean "$T/good.json.deep"
	[ "$status" -eq 1 ]
	# what others could have written is not read at all
	chown 65533 "$T/good.json"
	rt clean "$T/good.json"
	[ "$status" -eq 1 ]
	[[ $stderr == *65533* ]]
	chown 0 "$T/good.json"
	chmod 620 "$T/good.json"
	rt restore "$T/good.json" --check
	[ "$status" -eq 1 ]
	[[ $stderr == *"go-w"* ]]
	rt_ok clean "$M"
}

@test "a journal that somebody put beside the manifest" {
	container
	canary_set
	hold h ab "$POINT"
	local part
	# what it says is checked by sums, but anybody can compute them: whose it is counts
	printf '' >"$M.journal"
	chown 65533 "$M.journal"
	for part in checkpoint clean; do
		case $part in
		checkpoint) checkpoint ;;
		clean) rt clean "$M" ;;
		esac
		[ "$status" -eq 1 ]
		[[ $stderr == *65533* ]]
	done
	[ -e "$M.journal" ]
	rm "$M.journal"
	ln -s "$OUTSIDE/secret" "$M.journal"
	checkpoint
	[ "$status" -eq 1 ]
	rm "$M.journal"
	canary_lives
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# kill -9 at every system call from the first that changes a filesystem to the last, of every
# process and thread of the command: what is left is found, nobody's file is touched, what
# was frozen is thawed, and it can be done again: after clean there is what was there before
# the first time.
#
# RELINKTRACE_KILL_STEP says at how many calls once (1: at each).

load lib

STEP=${RELINKTRACE_KILL_STEP:-1}

# A small filesystem, whose whole tree can be compared.
small_make() {
	SMALL=$T/small
	mkdir "$SMALL" "$T/out"
	mkdir -m 700 "$RELINKTRACE_STATE"
	M=$T/out/manifest.json
	truncate -s 16M "$T/small.image"
	mkfs.ext4 -q -O ^has_journal "$T/small.image"
	mount -o loop "$T/small.image" "$SMALL"
	rmdir "$SMALL/lost+found"
}

# What a checkpoint has to do with: one link, one copy, one directory to be made again; and
# two folders for the names.
small_hold() {
	mkdir "$SMALL/ab" "$SMALL/unlinked" "$SMALL/dirfd"
	hold h ab "$SMALL/ab"
	hold g unlinked "$SMALL/unlinked"
	hold d dirfd "$SMALL/dirfd"
	tree >"$T/tree"
	COMMAND=("$RT" checkpoint --cgroup "$CG" --manifest "$M" --template 'made/of/%t-%n')
}

# Everything on it, in the index and beside the manifest, times of directories excepted.
tree() {
	find "$SMALL" "$RELINKTRACE_STATE" "$T/out" \
		-type d -printf '%p %i %n %m %U:%G\n' -o -printf '%p %i %y %n %s %m %U:%G %T@ %l\n' |
		sort
	find "$SMALL" -type f -exec md5sum {} + | sort
}

tree_is_same() {
	tree >"$T/tree.now"
	diff "$T/tree" "$T/tree.now" >&2
}

# killed N COMMAND...: false when it ended before.
killed() {
	"$HELPERS/killer" kill "$@" >"$T/killed" 2>"$T/killed.err"
}

# What was killed, for whoever reads of a failure.
at() {
	echo "# $1: $(<"$T/killed")"
	sed 's/^/# /' "$T/again" "$T/killed.err"
	return 1
}

again() {
	"$RT" "$@" >"$T/again" 2>&1
}

# The processes that thaw have ended when killer(1) has.
thawed() {
	[[ $(<"$CG/cgroup.freeze") == 0 ]] || {
		echo "# frozen"
		return 1
	}
}

# Runs in a row that made fewer calls than the one to be killed at, after which there are none:
# of several tasks, who does how much and when is not the same each time.
FEWER=1

# sweep BEFORE AFTER COMMAND...: it is killed at each call in turn; BEFORE and AFTER are called
# before and after each, and after the runs that came to their end. $CALLS is how often it was
# killed at least. In a shell of its own, of which bats does not look at each line.
sweep() {
	local before=$1 after=$2 n=0 fewer=0 hits=0
	shift 2
	: >"$T/again"
	(
		trap - DEBUG ERR
		set +eET
		while ((fewer < FEWER)); do
			"$before" || at $n || exit
			if killed $((n + STEP)) "$@"; then
				n=$((n + STEP)) fewer=0 hits=$((hits + 1))
			else
				fewer=$((fewer + 1))
				grep -q '^ended 0' "$T/killed" || at $n || exit
			fi
			"$after" || at "$n of $*" || exit
		done
		echo "# killed at $hits calls" >&3
		((hits >= ${CALLS:-50} / STEP))
	)
}

# checkpoint_killed CLEAN...: checkpoint killed at each call; CLEAN is called when there
# is something to be cleaned. It has to leave what was there before.
checkpoint_killed() {
	CLEAN=("$@")
	sweep true checkpoint_leaves_nothing "${COMMAND[@]}"
}

checkpoint_leaves_nothing() {
	thawed || return
	if [[ -e $M || -e $M.journal ]]; then
		"${CLEAN[@]}" || return
		rm -f "$M"
	fi
	tree_is_same
}

# The same command again, and then what is there is complete.
clean_by_repeating() {
	if [[ ! -e $M ]]; then
		again "${COMMAND[@]:1}" || return
		[[ ! -e $M.journal ]] || return
		[[ $(jq "[(.entries | length), .complete] == [${ORPHANS:-3},true]" "$M") == true ]] || return
	fi
	again restore --check "$M" && again clean "$M"
}

clean_by_journal() {
	again clean "$M.journal"
}

# Where it is not in the index, there is nothing but the journal itself.
clean_by_id() {
	local id
	id=$(ls "$RELINKTRACE_STATE")
	if [[ $id ]]; then
		again clean --id "$id"
	else
		again clean "$M" && grep -q '^0 removed' "$T/again"
	fi
}

# small_attached [OPTION]...: the command gets these.
small_attached() {
	small_make
	small_hold
	COMMAND+=("$@")
	rt_ok attach --cgroup "$CG" --pin
}

# What several threads have to do.
small_copies() {
	local i
	for i in 1 2 3 4 5; do
		mkdir "$SMALL/copy$i"
		hold "copy$i" unlinked "$SMALL/copy$i"
	done
	tree >"$T/tree"
	ORPHANS=8
}

@test "checkpoint killed anywhere: clean finds all of it" {
	small_attached
	checkpoint_killed again clean "$M"
}

@test "checkpoint --freeze killed anywhere: it is thawed, and clean finds all of it" {
	small_attached --freeze
	checkpoint_killed again clean "$M"
}

@test "checkpoint killed anywhere: the same command again is enough" {
	small_attached
	checkpoint_killed clean_by_repeating
}

@test "checkpoint killed anywhere: clean finds it by its id" {
	small_attached
	checkpoint_killed clean_by_id
}

@test "checkpoint killed anywhere: clean finds it by the journal" {
	small_attached
	checkpoint_killed clean_by_journal
}

@test "checkpoint killed anywhere on a filesystem without O_TMPFILE" {
	small_attached
	export KILLER_REFUSE=tmpfile
	checkpoint_killed again clean "$M"
}

@test "checkpoint killed anywhere while it fills a store" {
	small_make
	mkdir -m 700 "$T/out/store"
	small_hold
	COMMAND+=(--store "$T/out/store")
	rt_ok attach --cgroup "$CG" --pin
	checkpoint_killed again clean "$M"
}

# The container's, its volume's, and what is written down of it.
container_tree() {
	find "$ROOTFS" "$T/vol" "$T/images" "$RELINKTRACE_STATE" ! -path "$ROOTFS/vol*" -printf '%p %y %n\n' |
		sort
}

prepare_leaves_nothing() {
	thawed || return
	if [[ -e $T/images/relinktrace.json || -e $T/images/relinktrace.json.journal ]]; then
		again criu clean --images-dir "$T/images" || return
		rm -f "$T/images"/*
	fi
	container_tree >"$T/tree.now"
	diff "$T/tree" "$T/tree.now" >&2 && [[ ! -e $T/criu.conf ]]
}

# prepare_killed ARG...
prepare_killed() {
	sweep true prepare_leaves_nothing "$RT" criu prepare --tree "$PID" --images-dir "$T/images" \
		--config "$T/criu.conf" "$@"
}

@test "criu prepare killed anywhere, which makes a store by itself" {
	mkdir "$T/vol" "$T/images"
	mkdir -m 700 "$RELINKTRACE_STATE"
	mount -t tmpfs vol "$T/vol"
	rooted_begin
	container_tree >"$T/tree"
	prepare_killed
}

@test "checkpoint killed anywhere in a folder that another one made and that is cleaned first" {
	small_attached
	CLEAN=(again clean "$M")
	sweep other_made other_cleaned "${COMMAND[@]}"
}

other_made() {
	again "${COMMAND[@]:1}" && mv "$M" "$T/other.json" &&
		ln -sfn "$T/other.json" "$RELINKTRACE_STATE/$(jq -r .id "$T/other.json")"
}

other_cleaned() {
	again clean "$T/other.json" && checkpoint_leaves_nothing
}

@test "checkpoint killed anywhere in the threads that copy" {
	small_attached
	small_copies
	export RELINKTRACE_WORKERS=3 KILLER_TASK=thread
	FEWER=3 CALLS=10 checkpoint_killed clean_by_repeating
}

@test "checkpoint killed anywhere while another process does its work" {
	small_attached --deadline 1000
	export KILLER_TASK=steward KILLER_ONLY=yes
	checkpoint_killed again clean "$M"
}

# What the command says then is that it failed, or that it is done.
@test "checkpoint --deadline --freeze --precopy: the process that does its work killed anywhere, alone" {
	small_attached --deadline 1000 --freeze --precopy
	export KILLER_TASK=worker KILLER_ONLY=yes
	FEWER=3 checkpoint_killed ended_and_cleaned
}

ended_and_cleaned() {
	grep -q '^ended [01] ' "$T/killed" && again clean "$M"
}

@test "checkpoint --freeze: the process that is to thaw killed anywhere, alone" {
	small_attached --freeze
	export KILLER_TASK=guardian KILLER_ONLY=yes
	CALLS=5 checkpoint_killed ended_and_cleaned
}

# Nobody is left who could thaw then.
thaw() {
	echo 0 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 0
}

@test "checkpoint --deadline --freeze --precopy: all of its processes killed anywhere" {
	small_attached --deadline 1000 --freeze --precopy
	export KILLER_TASK=any
	CLEAN=(again clean "$M")
	FEWER=3 sweep true thawed_leaves_nothing "${COMMAND[@]}"
}

thawed_leaves_nothing() {
	thaw && checkpoint_leaves_nothing
}

@test "every name is on the disk in the journal before it is made" {
	small_make
	small_hold
	run --separate-stderr "$HELPERS/killer" order "$M.journal" "$SMALL" "${COMMAND[@]}"
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	# two folders, each under two names, a link, and a copy
	[[ ${lines[-1]} == 'ended 0 6' ]]
	rt_ok clean "$M"
	rm "$M"
	# the copy when the holder runs again
	run --separate-stderr "$HELPERS/killer" order "$M.journal" "$SMALL" "${COMMAND[@]}" --freeze
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} == 'ended 0 6' ]]
	rt_ok clean "$M"
	rm "$M"
	KILLER_REFUSE=tmpfile run --separate-stderr "$HELPERS/killer" order "$M.journal" \
		"$SMALL" "${COMMAND[@]}"
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	# and the copy under a name of its own before
	[[ ${lines[-1]} == 'ended 0 7' ]]
	rt_ok clean "$M"
	rm "$M"
	tree_is_same
	# in a store one folder, under two names, and two copies
	mkdir -m 700 "$SMALL/store"
	tree >"$T/tree"
	run --separate-stderr "$HELPERS/killer" order "$M.journal" "$SMALL" "${COMMAND[@]}" \
		--store "$SMALL/store"
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} == 'ended 0 4' ]]
	rt_ok clean "$M"
	rm "$M"
	tree_is_same
}

checkpoint_made() {
	[[ -e $M ]] || again "${COMMAND[@]:1}"
}

cleaned_again() {
	again clean "$M" && rm "$M" && tree_is_same
}

@test "clean killed anywhere: clean again cleans" {
	small_attached
	CALLS=5 sweep checkpoint_made cleaned_again "$RT" clean "$M"
}

@test "clean --deadline: the processes that clean killed anywhere, alone: clean again cleans" {
	small_attached
	export KILLER_TASK=cleaner KILLER_ONLY=yes
	CALLS=10 sweep checkpoint_made cleaned_again "$RT" clean "$M" --deadline 1000
}

@test "clean --deadline: all of its processes killed anywhere: clean again cleans" {
	small_attached
	export KILLER_TASK=any
	FEWER=3 CALLS=10 sweep checkpoint_made cleaned_again "$RT" clean "$M" --deadline 1000
}

# and nothing is left of making things again
restored_or_checked() {
	grep -q '^ended' "$T/killed" || again restore "$M" --check || return
	cleaned_again
}

@test "restore killed anywhere: nothing is lost, and restore again restores" {
	small_attached
	CALLS=5 sweep checkpoint_made restored_or_checked "$RT" restore "$M" -- /bin/true
}

# It removes the names when the program has begun, which then has what they are of.
@test "restore: the process that removes the names killed anywhere, alone: clean finds what is left" {
	small_attached
	export KILLER_TASK=guard KILLER_ONLY=yes
	CALLS=10 sweep checkpoint_made cleaned_again "$RT" restore "$M" -- /bin/true
}

@test "restore: killed with it anywhere: clean finds what is left" {
	small_attached
	export KILLER_TASK=guard
	CALLS=10 sweep checkpoint_made cleaned_again "$RT" restore "$M" -- /bin/true
}

# What a power failure leaves: only what reached the disk, which is the loop device's image
# here. lost_make: as small_make, and the manifest and the index are on it as well; of type
# $LOST (ext4).
lost_make() {
	SMALL=$T/small IMAGE=$T/small.image
	export RELINKTRACE_STATE=$SMALL/state
	mkdir "$SMALL"
	lost_format
	LOOP=$(losetup -f --show "$IMAGE")
	lost_mount
	mkdir "$SMALL/out" "$SMALL/ab" "$SMALL/unlinked"
	mkdir -m 700 "$RELINKTRACE_STATE"
	M=$SMALL/out/manifest.json
	ln -s "$SMALL/out" "$T/out"
	hold h ab "$SMALL/ab"
	hold g unlinked "$SMALL/unlinked"
	hold d dirfd "$SMALL"
	sync -f "$SMALL"
	tree >"$T/tree"
}

# As small as can be, since there is a copy of it for each state.
lost_format() {
	local size=16M
	case ${LOST:=ext4} in
	xfs) size=300M ;;
	btrfs) size=128M ;;
	esac
	truncate -s "$size" "$IMAGE"
	"mkfs.$LOST" -q "$IMAGE"
}

# Nothing but what is asked for reaches the disk; with xfs what comes by itself takes longer
# than a test (fs.xfs.xfssyncd_centisecs).
lost_mount() {
	local options=()
	[[ $LOST == xfs ]] || options=(-o commit=900)
	mount -t "$LOST" "${options[@]}" "$LOOP" "$SMALL" || skip "no $LOST on this kernel"
}

# What is on the disk now, where that is not what was there at the stop before.
lost_look() {
	local last
	[[ -z ${LOST_SYNC:-} ]] || sync -f "$SMALL"
	# else nothing was written since
	[[ ! $IMAGE -ot $T/looked ]] || return 0
	: >"$T/looked"
	last=$(find "$T/lost" -type f | sort -V | tail -n 1)
	[[ -n $last ]] && cmp -s "$IMAGE" "$last" || cp --sparse=always "$IMAGE" "$T/lost/$STOPAT_N"
}

# lost COMMAND...: what was on the disk before each call of it that counts, in $T/lost.
lost() {
	rm -rf "$T/lost" "$T/looked"
	mkdir "$T/lost"
	export -f lost_look
	export IMAGE T
	"$HELPERS/stopat" each lost_look "$@" >"$T/lost.out" 2>&1
}

# after_loss FUNCTION: the power failed in each of these moments; FUNCTION is called after
# the start.
after_loss() {
	local i image images
	cgroup_empty "$CG"
	umount "$SMALL"
	mapfile -t images < <(find "$T/lost" -type f | sort -Vr)
	for ((i = 0; i < ${#images[@]}; i += STEP < 13 ? 1 : STEP > 37 ? 11 : 6)); do
		image=${images[i]}
		cp --sparse=always "$image" "$IMAGE" # the same inode
		lost_mount
		"$1" || at "${image##*/}"
		umount "$SMALL"
	done
	lost_mount
}

# What is there is found, and nothing else is touched.
cleaned_after_loss() {
	if [[ -e $M || -e $M.journal ]]; then
		again clean "$M" || return
		rm -f "$M"
	fi
	tree_is_same
}

# lost_checkpoint [OPTION]...
lost_checkpoint() {
	lost_make
	: >"$T/killed"
	: >"$T/killed.err"
	lost "$RT" checkpoint --cgroup "$CG" --manifest "$M" --template 'made/of/%t-%n' "$@"
	echo "# $(find "$T/lost" -type f | wc -l) states of the disk" >&3
	(($(find "$T/lost" -type f | wc -l) > 5))
	# what has been said to be done is done
	[[ $(<"$T/lost.out") == *"3 preserved, 0 failed"* ]]
	after_loss cleaned_after_loss
}

@test "a power failure anywhere in a checkpoint: clean finds all that is on the disk" {
	lost_checkpoint
}

# By one thread, whose calls are seen.
@test "a power failure anywhere in a checkpoint --freeze: clean finds all that is on the disk" {
	export RELINKTRACE_WORKERS=1
	lost_checkpoint --freeze
}

@test "a power failure anywhere in a checkpoint --precopy: clean finds all that is on the disk" {
	export RELINKTRACE_WORKERS=1
	lost_checkpoint --freeze --precopy
}

@test "a power failure anywhere in a checkpoint on xfs: clean finds all that is on the disk" {
	LOST=xfs
	lost_checkpoint
}

@test "a power failure anywhere in a checkpoint --precopy on btrfs: clean finds all that is on the disk" {
	LOST=btrfs
	export RELINKTRACE_WORKERS=1
	lost_checkpoint --freeze --precopy
}

checkpoint_lasts() {
	lost_make
	: >"$T/killed"
	: >"$T/killed.err"
	rt_ok checkpoint --cgroup "$CG" --manifest "$M" --template 'made/of/%t-%n'
	sync -f "$SMALL"
}

# lost_after COMMAND...: the power fails anywhere in what comes after a checkpoint, and
# everything had reached the disk by then.
lost_after() {
	export LOST_SYNC=yes SMALL
	lost "$RT" "$@"
	echo "# $(find "$T/lost" -type f | wc -l) states of the disk" >&3
	(($(find "$T/lost" -type f | wc -l) > 3))
}

@test "a power failure anywhere in clean: clean again cleans" {
	checkpoint_lasts
	lost_after clean "$M"
	after_loss cleaned_after_loss
}

# lasts_after ARG...: and what has been said to be gone by then is gone.
lasts_after() {
	checkpoint_lasts
	[ -e "$SMALL/made/of" ]
	rt_ok "$@"
	mkdir "$T/lost"
	cp --sparse=always "$IMAGE" "$T/lost/1"
	after_loss is_gone_after_loss
}

is_gone_after_loss() {
	[ ! -e "$SMALL/made" ]
}

clean_lasts() {
	lasts_after clean "$T/small/out/manifest.json"
}

@test "what clean has removed is gone, though the power fails" {
	clean_lasts
}

@test "what restore has removed is gone, though the power fails" {
	lasts_after restore "$T/small/out/manifest.json" -- true
}

@test "what restore has removed of one holder is gone, though the power fails" {
	checkpoint_lasts
	[ "$(find "$SMALL/made/of" -type f | wc -l)" -eq 2 ]
	mkdir "$T/written"
	rt_ok restore "$M" --holder "${HOLD_PID[g]}" --to "$T/written"
	mkdir "$T/lost"
	cp --sparse=always "$IMAGE" "$T/lost/1"
	after_loss one_is_gone
}

one_is_gone() {
	[ "$(find "$SMALL/made/of" -type f | wc -l)" -eq 1 ]
}

@test "what clean has removed is gone on xfs, though the power fails" {
	LOST=xfs
	clean_lasts
}

@test "what clean has removed is gone on btrfs, though the power fails" {
	LOST=btrfs
	clean_lasts
}

# What is gone by then was given to the command.
lost_restore() {
	checkpoint_lasts
	lost_after restore "$M" -- /bin/true
	after_loss cleaned_after_loss
}

@test "a power failure anywhere in restore: clean finds what is left" {
	lost_restore
}

@test "a power failure anywhere in restore on xfs: clean finds what is left" {
	LOST=xfs
	lost_restore
}

@test "a power failure anywhere in restore on btrfs: clean finds what is left" {
	LOST=btrfs
	lost_restore
}

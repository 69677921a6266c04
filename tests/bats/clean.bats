#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# clean by id and age, several checkpoints at once and in a row, and what they pin.

load lib

# checkpoint_to FILE [ARG]...
checkpoint_to() {
	"$RT" checkpoint --cgroup "$CG" --manifest "$T/$1" "${@:2}" >"$T/$1.out" 2>&1
}

@test "--id and --expired find what was made, until nothing of it is left" {
	hold h ab
	hold g unlinked
	checkpoint_ok
	local id
	id=$(jq -r .id "$M")
	[ "$(readlink "$RELINKTRACE_STATE/$id")" = "$(realpath "$M")" ]
	[ "$(stat -c %a "$RELINKTRACE_STATE")" = 700 ]
	[ ! -e "$M.journal" ]
	rt_ok clean --expired 1h
	[[ $output == '0 removed, 0 gone already, 0 left' ]]
	[ -e "$(entry_file)" ]
	# a manifest that was moved is not forgotten
	mv "$M" "$M.moved"
	rt clean --id "$id"
	[ "$status" -eq 1 ]
	[ -L "$RELINKTRACE_STATE/$id" ]
	mv "$M.moved" "$M"
	rt_ok clean --id "$id"
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	no_new_names
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
	rt_ok clean --id "$id"
	[[ $stderr == *"$id"* ]]
	rm "$M"
	checkpoint_ok
	rt_ok clean --expired 0s
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	no_new_names
	rt clean --expired 1y
	[ "$status" -eq 2 ]
	rt clean --id ../../etc/passwd
	[ "$status" -eq 2 ]
}

@test "a restore of everything takes it out of the index; --keep does not" {
	hold h ab
	checkpoint_ok
	rt_ok restore "$M" --keep -- true
	[ -n "$(ls "$RELINKTRACE_STATE")" ]
	rt_ok restore "$M" -- true
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
	no_new_names
}

# Ten, and four in a virtual machine, where each takes seconds.
readonly MANY=$((${RELINKTRACE_KILL_STEP:-1} > 37 ? 4 : 10))

# many_made: as many checkpoints in a row, and at once, half of these of another cgroup, on a
# mount that has no folder for names yet.
many_made() {
	local i pids=()
	POINT=$T/point
	mkdir -p "$DIR/in" "$POINT" "$CG/one" "$CG/other"
	mount --bind "$DIR/in" "$POINT"
	HOLD_CGROUP=$CG/one hold h ab "$POINT"
	HOLD_CGROUP=$CG/one hold g unlinked "$POINT"
	HOLD_CGROUP=$CG/other hold o unlinked "$POINT" other
	for ((i = 0; i < MANY / 2; i++)); do
		CG=$CG/one checkpoint_to "at-once-$i.json" 3>&- &
		pids+=($!)
		CG=$CG/other checkpoint_to "other-$i.json" 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for ((i = 0; i < MANY; i++)); do
		CG=$CG/one checkpoint_to "row-$i.json"
	done
}

# Every name that is there is in one of the manifests, and the other way round; and so is
# every folder.
as_manifests_say() {
	jq -r '.entries[].relink_path' "$@" | sort >"$T/said"
	find "$POINT/lost+found" -mindepth 2 -printf 'lost+found/%P\n' | sort >"$T/there"
	diff "$T/said" "$T/there" >&2
	jq -r '.folders[] | "\(.path) \(.ino)"' "$@" | sort -u >"$T/said.folders"
	(cd "$POINT" && stat -c '%n %i' lost+found lost+found/checkpoint) >"$T/there.folders"
	diff "$T/said.folders" "$T/there.folders" >&2
}

# in_order FILTER: the manifests that many_made() made, the oldest first, through FILTER.
in_order() {
	jq -r '"\(.created_at) \(input_filename)"' "$T"/*.json | sort | cut -d ' ' -f 2- | "$1"
}

# cleaned_one_by_one FILTER: and after each there is what is said by those that are left.
cleaned_one_by_one() {
	local manifests n
	many_made
	mapfile -t manifests < <(in_order "$1")
	[ "${#manifests[@]}" -eq $((2 * MANY)) ]
	as_manifests_say "${manifests[@]}"
	[ "$(wc -l <"$T/said")" -eq $((2 * (MANY / 2) + MANY / 2 + 2 * MANY)) ]
	while ((${#manifests[@]})); do
		rt_ok clean "${manifests[0]}"
		n=$(jq '.entries | length' "${manifests[0]}")
		[[ $output == "$n removed, 0 gone already, 0 left" ]]
		manifests=("${manifests[@]:1}")
		((${#manifests[@]} == 0)) || as_manifests_say "${manifests[@]}"
	done
	[ ! -e "$POINT/lost+found" ]
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
}

@test "checkpoints in a row and at once leave what their manifests say, cleaned as they were made" {
	cleaned_one_by_one cat
}

@test "checkpoints in a row and at once leave what their manifests say, the last cleaned first" {
	cleaned_one_by_one tac
}

# journal_of [OPTION]...: a checkpoint, and in $T/saved its journal as it was before the manifest
# was complete.
journal_of() {
	save() {
		[[ ! -e $M.journal ]] || grep -q committing "$M.journal" || cp "$M.journal" "$T/saved"
	}
	export -f save
	export M T
	"$HELPERS/stopat" each save "$RT" checkpoint --cgroup "$CG" --manifest "$M" "$@"
}

@test "folders go whatever their order in the manifest or the journal" {
	mkdir "$DIR/in" "$T/point"
	mount --bind "$DIR/in" "$T/point"
	hold g unlinked "$T/point"
	journal_of --template 'a/b/c/%t-%n'
	jq -e '[.folders[].path] == ["a", "a/b", "a/b/c"]' "$M" >&2
	jq '.folders |= reverse' "$M" >"$T/reversed.json"
	rt_ok clean "$T/reversed.json"
	[ -z "$(ls -A "$T/point")" ]

	rm "$M"
	journal_of --template 'a/b/c/%t-%n'
	[ -n "$(ls "$T/point/a/b/c")" ]
	rm "$M"
	{
		grep -v '"type":"directory"' "$T/saved"
		grep '"type":"directory"' "$T/saved" | tac
	} >"$M.journal"
	rt_ok clean "$M"
	[ -z "$(ls -A "$T/point")" ]
	[ ! -e "$M.journal" ]
}

@test "a folder that no checkpoint made stays, and what was made in it goes" {
	POINT=$T/point
	mkdir -p "$DIR/in/lost+found" "$POINT"
	chmod 700 "$DIR/in/lost+found"
	mount --bind "$DIR/in" "$POINT"
	hold h ab "$POINT"
	checkpoint_to first.json
	checkpoint_to second.json
	[ -d "$POINT/lost+found/checkpoint" ]
	rt_ok clean "$T/first.json"
	rt_ok clean "$T/second.json"
	[ -d "$POINT/lost+found" ]
	[ -z "$(ls -A "$POINT/lost+found")" ]
}

@test "what the names pin is in the manifest, for each owner and filesystem" {
	local other=$T/other
	mkdir "$other"
	mount -t tmpfs other "$other"
	hold h ab
	hold g by-other
	hold i by-other "$other"
	hold j two "$other"
	chown 12 "$DIR/by-other" "$other/by-other"
	rm "$DIR/by-other" "$other/by-other"
	# each of another size
	head -c 40K /dev/urandom >"$(hold_file g)"
	head -c 100K /dev/urandom >"$(hold_file i)"
	sync "$(hold_file g)" "$DIR/b"
	checkpoint_ok
	json_is '([.pins[].files] | add) == 4 and all(.pins[]; .bytes > 0)'
	json_is --arg fstype "$FSTYPE" '[.pins[] | [.fstype, .uid]] | sort == ([[$fstype, 0],
		[$fstype, 12], ["tmpfs", 0], ["tmpfs", 12]] | sort)'
	# each is the sum of its own entries, which is what they have on the disk
	json_is '([.pins[] | [.dev, .uid, .files, .bytes]] | sort) == ([.entries |
		group_by([.dev, .uid])[] | [.[0].dev, .[0].uid, length, ([.[].allocated] | add)]] | sort)'
	json_is '[.pins[].bytes] | unique | length >= 3'
	json_is --argjson b $(($(stat -c %b "$DIR/b") * 512)) --arg fstype "$FSTYPE" \
		'[.pins[] | select(.uid == 0 and .fstype == $fstype) | .bytes] == [$b]'
	rt_ok clean "$M"
}

@test "--max-bytes refuses above the sum of all, and not below" {
	hold h ab
	hold g unlinked
	local sum
	checkpoint_ok
	sum=$(jq '[.entries[].allocated] | add' "$M")
	rt_ok clean "$M"
	rm "$M"
	checkpoint --max-bytes 1K
	[ "$status" -eq 1 ]
	[[ $stderr == *--max-bytes* ]]
	[ ! -e "$M" ]
	[ ! -e "$M.journal" ]
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
	no_new_names
	rt checkpoint --cgroup "$CG" --manifest "$M" --max-bytes $((sum - 1))
	[ "$status" -eq 1 ]
	checkpoint_ok --max-bytes "$sum"
	rt_ok clean "$M"
	no_new_names
}

@test "--max-bytes: before it refuses no name, folder or copy is made, whatever else is asked for" {
	hold g unlinked
	hold h ab
	export T
	local more
	for more in '' --freeze '--freeze --precopy' '--freeze --precopy --method copy' "--store $T/store"; do
		rm -f "$T/calls"
		# shellcheck disable=SC2016,SC2086 # for that shell; words
		run --separate-stderr "$HELPERS/stopat" each 'echo "$STOPAT" >>"$T/calls"' \
			"$RT" checkpoint --cgroup "$CG" --manifest "$M" --max-bytes 1K $more
		echo "$more: $output $stderr" && sort "$T/calls" | uniq -c
		[ "$status" -eq 1 ]
		[[ $stderr == *"more than the 1024 of --max-bytes: nothing was made" ]]
		[ "$(grep -cE '^(mkdirat|mknodat|linkat|renameat2)$' "$T/calls")" -eq 0 ]
		[ "$(grep -c '^exit$' "$T/calls")" -eq 1 ]
		[ "$(<"$CG/cgroup.freeze")" -eq 0 ]
	done
	# by another process
	rt checkpoint --cgroup "$CG" --manifest "$M" --max-bytes 1K --freeze --precopy --deadline 1000
	[ "$status" -eq 1 ]
	[[ $stderr == *"--max-bytes: nothing was made" ]]
	[ ! -e "$M" ]
	[ ! -e "$M.journal" ]
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
	no_new_names
}

# anew FS [IMAGE]: what is mounted on $T/fs is taken away, and IMAGE mounted there under
# another number than any so far had: the one that was free is taken.
anew() {
	local before other
	before=$(mountpoint -d "$T/fs")
	umount "$T/fs"
	other=$(mktemp -d "$T/other.XXXX")
	if [[ $1 == btrfs ]]; then
		mount -t tmpfs other "$other"
	else
		# a second mount of one image has no device of its own
		image ext4 "$other.image"
		mount -o loop "$other.image" "$other"
	fi
	mount -o loop "${2:-$T/image}" "$T/fs"
	[ "$(mountpoint -d "$T/fs")" != "$before" ]
}

# image FS FILE
image() {
	local size=300M
	[[ $1 != ext4 ]] || size=16M
	truncate -s "$size" "$2"
	"mkfs.$1" -q "$2" >/dev/null
}

# another_number FS: what the kernel does to btrfs at each mount, and to any at a start.
another_number() {
	local names boot='s/("boot_id": *").{8}/\101234567/'
	mkdir "$T/fs"
	image "$1" "$T/image"
	mount -o loop "$T/image" "$T/fs" || skip "no $1 on this kernel"
	mkdir "$T/fs/ab" "$T/fs/u"
	hold h ab "$T/fs/ab"
	hold g unlinked "$T/fs/u" words
	checkpoint_ok --template 'made/%t-%n'
	json_is '[.entries[].fsid | test("^[0-9a-f]{32}$")] == [true, true]'
	names=$(cd "$T/fs" && find made -type f | sort)
	[ "$(wc -l <<<"$names")" -eq 2 ]
	cgroup_empty "$CG"

	# another of its kind is there now: nothing of it is touched, and nothing forgotten
	image "$1" "$T/image2"
	anew "$1" "$T/image2"
	sed -E "$boot" "$M" >"$T/restarted.json"
	cp "$M" "$T/same.json"
	local manifest
	for manifest in "$T"/{restarted,same}.json; do
		rt clean "$manifest"
		[ "$status" -eq 3 ]
		[[ $output == '0 removed, 0 gone already, 2 left' ]]
		[[ $stderr == *"is not mounted here"* ]]
	done
	# also where it has the very number
	for manifest in "$T"/{restarted,same}.json; do
		jq --arg dev "$(mountpoint -d "$T/fs")" '(.entries, .folders)[].dev = $dev' \
			"$manifest" >"$T/number.json"
		rt clean "$T/number.json"
		[ "$status" -eq 3 ]
		[[ $output == '0 removed, 0 gone already, 2 left' ]]
	done

	anew "$1"
	[ "$(cd "$T/fs" && find made -type f | sort)" = "$names" ]
	rt_ok restore "$T/restarted.json" --keep -- true
	rt_ok restore --check "$M"
	rt_ok clean "$T/restarted.json"
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	[ ! -e "$T/fs/made" ]
}

@test "ext4 that is mounted anew under another number is found again, and no other taken for it" {
	another_number ext4
}

@test "xfs that is mounted anew under another number is found again, and no other taken for it" {
	another_number xfs
}

@test "btrfs that is mounted anew under another number is found again, and no other taken for it" {
	another_number btrfs
}

@test "after a restart the journal leads to a filesystem that has another number" {
	mkdir "$T/fs"
	image btrfs "$T/image"
	mount -o loop "$T/image" "$T/fs" || skip "no btrfs on this kernel"
	hold g unlinked "$T/fs" words
	journal_of --template 'made/%t-%n'
	cgroup_empty "$CG"
	rm "$M"
	mv "$T/saved" "$M.journal"
	grep -q '"fsid":"[0-9a-f]\{32\}"' "$M.journal"
	anew btrfs
	[ -e "$T/fs/made" ]
	rt_ok clean "$M"
	[[ $output == '1 removed, 0 gone already, 0 left' ]]
	[ ! -e "$T/fs/made" ]
}

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

@test "checkpoints at once and in a row leave what their manifests say" {
	hold h ab
	hold g unlinked
	local i pids=() CG_other=$CG.other
	mkdir "$CG_other"
	HOLD_CGROUP=$CG_other hold o unlinked "$DIR" other
	for i in 1 2 3 4 5; do
		checkpoint_to $i.json 3>&- &
		pids+=($!)
		CG=$CG_other checkpoint_to o$i.json 3>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	for i in 6 7 8 9 10; do
		checkpoint_to $i.json
	done
	# every name that is there is in one manifest, and the other way round
	jq -r '.entries[].relink_path' "$T"/*.json | sort >"$T/said"
	(cd "${MOUNT%/}/" && find lost+found/checkpoint -type f -newer "$T/bpf_before" |
		grep -vxFf <(sed "s|^${MOUNT%/}/||" <<<"$NAMES_BEFORE")) | sort >"$T/there"
	[ "$(wc -l <"$T/said")" -eq 25 ]
	diff "$T/said" "$T/there"
	# the one that made the folder goes first: the others keep it
	for i in "$T"/*.json; do
		rt_ok clean "$i"
	done
	[ -z "$(find "${MOUNT%/}/lost+found/checkpoint" -name 'unlink-at-*' -newer "$T/bpf_before" 2>/dev/null)" ]
	cgroup_remove "$CG_other"
	rmdir "${MOUNT%/}/lost+found/checkpoint" "${MOUNT%/}/lost+found" 2>/dev/null || true
}

@test "what the names pin is in the manifest, and --max-bytes refuses before any is made" {
	hold h ab
	hold g by-other
	chown 12 "$DIR/by-other"
	rm "$DIR/by-other"
	checkpoint_ok
	json_is '([.pins[].files] | add) == 2 and
		([.pins[].bytes] | add) == ([.entries[].allocated] | add)'
	json_is '[.pins[] | .uid] | sort == [0, 12]'
	json_is --arg fstype "$FSTYPE" 'all(.pins[]; .fstype == $fstype and .dev)'
	rt_ok clean "$M"
	rm "$M"
	checkpoint --max-bytes 1K
	[ "$status" -eq 1 ]
	[[ $stderr == *--max-bytes* ]]
	[ ! -e "$M" ] && [ ! -e "$M.journal" ]
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
	no_new_names
	checkpoint_ok --max-bytes 1M
	rt_ok clean "$M"
	no_new_names
}

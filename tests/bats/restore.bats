#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Restoring elsewhere and otherwise: below another root, from a snapshot, into a directory,
# over a socket; and what of a description comes back.

load lib

# btrfs_mount NAME: a btrfs of the test's own on $T/NAME, whatever is under test.
btrfs_mount() {
	mkdir "$T/$1"
	truncate -s 256M "$T/$1.image"
	mkfs.btrfs -q "$T/$1.image" >/dev/null
	mount -o loop "$T/$1.image" "$T/$1"
}

@test "the use of 2010: frozen, snapshot, thawed, written on; restored are the old contents" {
	local b=$T/btrfs s
	btrfs_mount btrfs
	hold h ab "$b"
	hold g unlinked "$b"
	file_facts "$(hold_file h)" >"$T/h"
	file_facts "$(hold_file g)" >"$T/g"
	checkpoint_ok --freeze --exec "grep -h frozen '$CG/cgroup.events' >'$T/frozen' &&
		jq -e .complete \"\$RELINKTRACE_MANIFEST\" &&
		btrfs -q subvolume snapshot '$b' '$b/snapshot'"
	[ "$(<"$T/frozen")" = "frozen 1" ]
	hold_do h write "written after the thaw"
	hold_do g write "written after the thaw"
	[ "$(file_facts "$(hold_file h)" | jq .sum)" != "$(jq .sum "$T/h")" ]
	# what goes on is not what was recorded, and is not taken for it
	s=$b/snapshot
	rt restore "$M" --root "$b=$b" --check
	[ "$status" -eq 1 ]
	[[ $stderr == *"modified at"* ]]
	rt_ok restore "$M" --root "$b=$s" --check
	restore_ok --root "$b=$s"
	json_is --slurpfile h "$T/h" --slurpfile g "$T/g" '[.fds[] | .sum, .pos] ==
		[$h[0].sum, 100, $g[0].sum, 4711]'
	[ -z "$(find "$s" -name 'unlink-at-restart-*')" ]
	[ "$(find "$b/lost+found" -name 'unlink-at-restart-*' | wc -l)" -eq 2 ]
	cgroup_empty "$CG"
	rt_ok clean "$M"
	[ ! -e "$b/lost+found/checkpoint" ]
}

# moved_to DIR: what the names lead to is below DIR now, and gone where it was.
moved_to() {
	local path
	while read -r path; do
		mkdir -p "$1${MOUNT%/}/${path%/*}"
		cp -a "${MOUNT%/}/$path" "$1${MOUNT%/}/$path"
	done < <(jq -r '.entries[].relink_path // empty' "$M")
	rt_ok clean "$M"
}

@test "--root: after a migration, known by what survives one" {
	local file
	hold h ab
	hold f fifo
	file_facts "$(hold_file h)" >"$T/h"
	checkpoint_ok
	mkdir "$T/new"
	moved_to "$T/new"
	cgroup_empty "$CG"
	rt restore "$M" --check
	[ "$status" -eq 1 ]
	rt_ok restore "$M" --root "$T/new" --check
	file=$T/new$(entry_file)

	# each of what survives is looked at
	chmod u+x "$file"
	rt restore "$M" --root "$T/new" -- true
	[[ $status -eq 1 && $stderr == *"its mode is"* ]]
	chmod u-x "$file"
	chown 12:34 "$file"
	rt restore "$M" --root "$T/new" -- true
	[[ $status -eq 1 && $stderr == *"its owner is 12:34"* ]]
	chown "$(stat -c %u:%g "$DIR/b")" "$file"
	cp -p "$file" "$T/kept"
	echo >>"$file"
	rt restore "$M" --root "$T/new" -- true
	[[ $status -eq 1 && $stderr == *"bytes"* ]]
	cp -p "$T/kept" "$file"
	touch -d @1 "$file"
	rt restore "$M" --root "$T/new" -- true
	[[ $status -eq 1 && $stderr == *"modified at 1.0"* ]]
	cp -p "$T/kept" "$file"

	# and no way leads out
	mv "${file%/*}" "$T/outside"
	ln -s "$T/outside" "${file%/*}"
	rt restore "$M" --root "$T/new" -- true
	[ "$status" -eq 1 ]
	rm "${file%/*}"
	mv "$T/outside" "${file%/*}"

	restore_ok --root "/=$T/new"
	json_is --slurpfile h "$T/h" '.fds[0] | .sum == $h[0].sum and .pos == 100'
	json_is '.fds[1].type == "fifo"'
	[ ! -e "$file" ]
	no_new_names
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Where a file was opened through a mount that is not simply there: the name is made on
# that very mount, or the next step of the ladder is taken, or it is said why not.

load lib

# made_in DIR: the name of the first entry is there, below DIR, and of the recorded inode.
made_in() {
	[ "$(stat -c %i "$1/$(jq -er '.entries[0].relink_path' "$M")")" = \
		"$(jq '.entries[0].relinked.ino' "$M")" ]
}

# Given back with its bytes, and nothing is left below $DIR.
given_back() {
	local sum
	sum=$(jq .sum "$T/facts")
	cgroup_empty "$CG"
	restore_ok
	json_is --argjson sum "$sum" '.fds[0].sum == $sum'
	[ -z "$(find "$DIR" "$T" -name 'unlink-at-restart*' 2>/dev/null)" ]
}

facts() {
	file_facts "$(hold_file "$1")" >"$T/facts"
}

# A bind mount $T/point of $DIR/in; $DIR itself stays in sight.
bound() {
	mkdir -p "$DIR/in/sub" "$T/point"
	mount --bind "$DIR/in" "$T/point"
	mount --make-private "$T/point"
}

# A filesystem of $1 on $T/disk that nobody sees elsewhere: disk TYPE [MKFS-ARG]... -- [MOUNT-ARG]...
disk() {
	local type=$1 args=()
	shift
	while [[ $1 != -- ]]; do
		args+=("$1")
		shift
	done
	truncate -s 400M "$T/image"
	"mkfs.$type" -q "${args[@]}" "$T/image" || skip "no mkfs.$type"
	LOOP=$(losetup -f --show "$T/image") || skip "no loop device"
	mkdir "$T/disk"
	mount "${@:2}" "$LOOP" "$T/disk" || skip "no $type"
}

@test "a covered mount whose root is somebody's cwd: linked below the cover" {
	bound
	HOLD_VIA=(env -C "$T/point")
	hold h ab "$T/point"
	facts h
	mount -t tmpfs cover "$T/point"
	checkpoint_ok
	json_is '.entries[0] | .method == "link" and .same_inode and .steps == []'
	[ -z "$(ls "$T/point")" ]
	made_in "$DIR/in"
	given_back
}

@test "a covered mount that nobody has a directory of: copied below the cover" {
	bound
	hold h ab "$T/point"
	facts h
	mount -t tmpfs cover "$T/point"
	checkpoint_ok
	json_is '(.entries[0].method | IN("clone", "copy")) and
		(.entries[0].steps[0] | .method == "link" and .errno == 18 and
			(.error | contains("covers")))'
	[ -z "$(ls "$T/point")" ]
	made_in "$DIR/in"
	# in that directory, not above it
	[ ! -e "$DIR/lost+found" ]
	given_back
}

@test "a covered filesystem that is mounted nowhere else" {
	mkdir "$T/point"
	mount -t tmpfs below "$T/point"
	hold h ab "$T/point"
	mount -t tmpfs cover "$T/point"
	checkpoint
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '.failed[0] | .errno == 18 and (.error | contains("covers") and contains("by hand"))'
	[ -z "$(ls "$T/point")" ]
}

@test "a mount below a private one of a namespace, covered there" {
	bound
	# shellcheck disable=SC2016 # for that shell
	HOLD_VIA=(unshare --mount --propagation private sh -c
		'mount --bind "$0/in/sub" "$0/in/sub" && cd "$0/in/sub" && exec "$@"' "$DIR")
	hold h ab "$DIR/in/sub"
	facts h
	nsenter -t "${HOLD_PID[h]}" -m mount -t tmpfs cover "$DIR/in/sub"
	checkpoint_ok
	json_is '.entries[0] | .method == "link"'
	made_in "$DIR/in/sub"
	given_back
}

# reads FILE: a process that has it open for reading only, which takes no write access to
# the mount.
reads() {
	in_cgroup "$CG" sleep 1000 <"$1" >/dev/null 2>&1 3>&- &
	disown
	"$HELPERS/await" "$CG" populated 1
}

@test "a read-only bind mount of a writable filesystem: copied through another mount" {
	bound
	echo contents >"$DIR/in/file"
	ln "$DIR/in/file" "$DIR/in/link"
	reads "$T/point/file"
	rm "$DIR/in/file"
	mount -o remount,bind,ro "$T/point"
	checkpoint_ok
	json_is '(.entries[0].method | IN("clone", "copy")) and
		(.entries[0].steps[0] | .errno == 18 and (.error | contains("read-only")))'
	made_in "$DIR/in"
	[ "$(<"$DIR/in/$(jq -r '.entries[0].relink_path' "$M")")" = contents ]
	[ ! -e "$DIR/lost+found" ]
	cgroup_empty "$CG"
	rt_ok restore "$M" -- cat /dev/fd/3
	[ "$output" = contents ]
	[ -z "$(find "$DIR" -name 'unlink-at-restart*')" ]
}

@test "a read-only mount, the only one of its filesystem" {
	mkdir "$T/point"
	mount -t tmpfs only "$T/point"
	echo contents >"$T/point/file"
	reads "$T/point/file"
	rm "$T/point/file"
	mount -o remount,bind,ro "$T/point"
	checkpoint
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '.failed[0] | .errno == 30 and (.error | contains("read-only") and contains("by hand"))'
}

@test "the mount of a single file" {
	bound
	echo contents >"$DIR/in/file"
	touch "$T/file"
	mount --bind "$DIR/in/file" "$T/file"
	reads "$T/file"
	rm "$DIR/in/file"
	checkpoint
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '.failed[0] | .errno == 20 and (.error | contains("single file") and contains("by hand"))'
	[ -z "$(find "$DIR" -name 'unlink-at-restart*')" ]
}

@test "a mount that was taken away lazily" {
	bound
	hold h ab "$T/point"
	umount -l "$T/point"
	checkpoint
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '.failed[0].error | contains("umount -l") and contains("by hand")'
	[ -z "$(find "$DIR" -name 'unlink-at-restart*')" ]
}

@test "a subvolume of btrfs: cloned out of it" {
	disk btrfs --
	btrfs -q subvolume create "$T/disk/sub" || skip "no btrfs"
	hold h ab "$T/disk/sub"
	facts h
	checkpoint_ok
	json_is '.entries[0] | .method == "clone" and .bytes_copied == 0 and
		(.steps[0] | .method == "link" and .errno == 18)'
	made_in "$T/disk"
	given_back
}

@test "projects (quotas of trees): the folder takes any file; one that cannot gets a copy" {
	# the rule is that of the project's number, with and without limits
	disk xfs --
	hold h ab "$T/disk"
	chattr -p 7 "$T/disk/b"
	chattr -p 5 "$T/disk"
	# chattr(1) does not get that flag past xfs before 5.13
	xfs_io -r -c 'chattr +P' "$T/disk"
	facts h
	checkpoint_ok
	json_is '.entries[0].method == "link"'
	rt_ok clean "$M"
	rm "$M"
	mkdir -m 700 "$T/disk/lost+found" "$T/disk/lost+found/checkpoint"
	checkpoint_ok
	json_is '(.entries[0].method | IN("clone", "copy")) and
		(.entries[0].steps[0] | .method == "link" and .errno == 18)'
	made_in "$T/disk"
	[[ $(lsattr -p "$T/disk/lost+found/checkpoint") == *" 7 "* ]]
	given_back
}

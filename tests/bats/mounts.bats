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

@test "an idmapped mount: linked, copied, recorded and given back as whose it is" {
	mkdir "$DIR/in" "$T/point"
	"$HELPERS/idmap" "$DIR/in" "$T/point" 100000 65536 || skip "no idmapped mounts of $FSTYPE"
	echo linked >"$DIR/in/a"
	ln "$DIR/in/a" "$DIR/in/b"
	echo copied >"$DIR/in/u"
	mkdir "$DIR/in/d"
	chown 1000:1001 "$DIR/in"/*
	[ "$(stat -c %u:%g "$T/point/a")" = 101000:101001 ]
	actor h "$T/point"
	act h 'open a 1' 'open u 2' 'open d 3'
	rm "$DIR/in/a" "$DIR/in/u"
	rmdir "$DIR/in/d"
	checkpoint_ok
	json_is '[.entries[] | [.type, .same_inode, .uid, .gid]] | sort == [
		["directory", false, 1000, 1001], ["regular", false, 1000, 1001],
		["regular", true, 1000, 1001]]'
	local name
	for name in $(jq -r '.entries[].relink_path | select(.)' "$M"); do
		[ "$(stat -c %u:%g "$DIR/in/$name")" = 1000:1001 ]
	done
	cgroup_empty "$CG"
	restore_ok
	json_is '[.fds[] | [.type, .uid, .gid]] | sort == [["directory", 1000, 1001],
		["regular", 1000, 1001], ["regular", 1000, 1001]]'
	[ "$(ls -A "$DIR/in")" = b ]
	umount "$T/point"
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

# mount_id PATH: the number of the mount that it is on.
mount_id() {
	sed -n 's/^mnt_id:[^0-9]*//p' /proc/self/fdinfo/3 3<"$1"
}

# held_by FD...: `mnt_id flags` of each, in a program that `restore --holder` executes.
held_by() {
	local fd
	for fd; do
		awk '$1 == "mnt_id:" { id = $2 } $1 == "flags:" { flags = $2 }
			END { print id, substr(flags, length(flags) - 4) }' "/proc/$$/fdinfo/$fd"
	done
}

@test "one file through two mounts: one name, and each fd comes back through its own" {
	bound
	echo contents >"$DIR/in/file"
	mount -o remount,bind,ro "$T/point"
	local HOLD_VIA=("$HELPERS/keep") other own
	# nothing but a name outside of the subtree is in sight of this one
	mkdir "$T/sub"
	mount --bind "$DIR/in/sub" "$T/sub"
	mount --make-private "$T/sub"
	mv "$DIR/in/file" "$DIR/in/sub/file"
	hold h - / "${T#/}/point/sub/file=r" "${DIR#/}/in/sub/file=rw" "${T#/}/sub/file=rw"
	rm "$DIR/in/sub/file"
	list_is_true
	json_is --argjson a "$(mount_id "$T/point")" --argjson b "$(mount_id "$T/sub")" \
		--argjson c "$(mount_id "$DIR")" --arg point "$T/sub" '.orphans[0] | .mount.id == $a and
		[.holders[] | .via.id] == [null, $c, $b] and
		.holders[2].via.point == $point'
	checkpoint_ok
	# on a mount that takes it, though another one is the first
	made_in "$MOUNT"
	json_is --argjson a "$(mount_id "$T/point")" '(.entries | length) == 1 and
		.entries[0].holders[0].via.id == $a and
		(.entries[0].holders[1] | has("via") | not)'
	for fd in 40 41 42; do
		cat "/proc/${HOLD_PID[h]}/fdinfo/$fd"
	done | awk '$1 == "flags:" { flags = $2 } $1 == "mnt_id:" { print $2, substr(flags, length(flags) - 4) }' >"$T/was"
	cgroup_empty "$CG"
	export -f held_by
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- bash -c 'held_by 40 41 42 && cat <&40
		! : 2>/dev/null >/proc/self/fd/40 || echo writable
		: >/proc/self/fd/42 && wc -c <&41'
	[ "$stderr" = "" ]
	diff <(cat "$T/was" - <<<$'contents\n0') <(echo "$output") >&2
	[ -z "$(find "$DIR" -name 'unlink-at-restart*')" ]
}

@test "one file through the mounts of two containers, restored where both are in sight" {
	bound
	local maker ready fd ns
	# kept by an fd: 6.18 refuses some bind mounts of it, where namespaces have their numbers
	# from batches of each processor
	exec {ready}< <(exec unshare --mount --propagation private sh -c 'echo && exec sleep 1000' 3>&-)
	maker=$!
	read -r -t "$PATIENCE" -u "$ready"
	exec {fd}<"/proc/$maker/ns/mnt"
	ns=/proc/$BASHPID/fd/$fd
	kill "$maker"
	# the second one has a mount that nobody else has
	nsenter --mount="$ns" mount --bind "$DIR/in" "$DIR/in/sub"
	echo contents >"$DIR/in/file"
	local HOLD_VIA=("$HELPERS/keep")
	hold a - "$T/point" file=rw
	HOLD_VIA=(nsenter --mount="$ns" "$HELPERS/keep")
	hold b - "$DIR/in/sub" file=r
	rm "$DIR/in/file"
	checkpoint_ok
	json_is --arg b "$DIR/in/sub" '(.entries | length) == 1 and
		[.entries[0].holders[] | .via.point] == [null, $b]'
	local was
	was=$(sed -n 's/^mnt_id:[^0-9]*//p' "/proc/${HOLD_PID[b]}/fdinfo/40")
	# it is out of sight here but for the holder, as long as that lives
	kill -KILL "${HOLD_PID[a]}"
	rt_ok restore "$M" --keep -- sed -n 's/^mnt_id:[^0-9]*//p' /proc/self/fdinfo/3 /proc/self/fdinfo/4
	[ "$stderr" = "" ]
	[ "$output" = "$(mount_id "$T/point")"$'\n'"$was" ]
	cgroup_empty "$CG"
	rt_ok restore "$M" --keep -- sed -n 's/^mnt_id:[^0-9]*//p' /proc/self/fdinfo/4
	[[ $stderr == *"comes back through the mount at $T/point and not its own at $DIR/in/sub"* ]]
	[ "$output" = "$(mount_id "$T/point")" ]
	# in that container
	run --separate-stderr nsenter --mount="$ns" "$RT" restore "$M" -- \
		sed -n 's/^mnt_id:[^0-9]*//p' /proc/self/fdinfo/4
	[ "$status" -eq 0 ]
	[ "$output" = "$was" ]
	[ -z "$(find "$DIR" -name 'unlink-at-restart*')" ]
}

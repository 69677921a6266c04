#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# checkpoint --store: copies go into a store beside the manifest, and no name on the mounts.

load lib

# A manifest with its store, which can be moved together, and two mounts of holders.
arrange() {
	A=$T/a B=$T/b KEPT=$T/kept
	mkdir "$A" "$B" "$KEPT"
	mount -t tmpfs a "$A"
	mount -t tmpfs b "$B"
	M=$KEPT/manifest.json S=$KEPT/store
}

# Everything on the two mounts.
on_mounts() {
	find "$A" "$B" -printf '%p %i %n\n' | sort
}

# What is in the store, without its id.
in_store() {
	(cd "$S" && find . -mindepth 2 -printf '%f %m\n' | sort)
}

# moves DIR: manifest and store as another machine has them: other inodes, another boot.
moves() {
	cp -a "$KEPT" "$1"
	rm -r "$KEPT"
	jq '.boot_id = "01234567-89ab-cdef-0123-456789abcdef"' "$1/manifest.json" >"$T/moved.json"
	cat "$T/moved.json" >"$1/manifest.json"
	M=$1/manifest.json S=$1/store
}

@test "--store: copies are in it and nothing is on the mounts; restore takes them from there" {
	arrange
	hold l ab "$A"
	hold u unlinked "$B"
	on_mounts >"$T/before"
	hold_do l pos
	local pos=$REPLY
	checkpoint_ok --store "$S"
	on_mounts | diff "$T/before" - >&2
	json_is '.entries | length == 2 and all(.store and (.method == "copy" or .method == "clone") and
		.steps[0] == {method: "link", errno: 0, error: "a store takes copies only"})'
	json_is '[.entries[].relink_path] == [.id + "/orphan1", .id + "/orphan2"]'
	json_is --arg s "$(realpath "$S")" '.store.path == $s and .store.beside == "store"'
	json_is --arg fs "$(findmnt -n -o FSTYPE -T "$S")" 'all(.pins[]; .fstype == $fs) and
		([.pins[].files] | add) == 2'
	json_is '.folders | length == 1 and .[0].store and (.[0] | has("mount") | not)'
	[ "$(stat -c %a "$S")" = 700 ]
	[ "$(stat -c %a "$S/$(jq -r .id "$M")")" = 700 ]
	local sum
	sum=$(sha256sum <"$(hold_file l)")
	cgroup_empty "$CG"
	rt_ok restore "$M" --check
	restore_ok --keep --holder "${HOLD_PID[l]}"
	json_is --argjson pos "$pos" --arg sum "${sum%% *}" '.fds[0] | .pos == $pos'
	rt_ok restore "$M" --keep --to "$T/out"
	[ "$(sha256sum <"$T/out/orphan1-a")" = "$sum" ]
	restore_ok
	json_is '.fds | length == 2'
	[ -z "$(ls "$S")" ]
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
}

@test "manifest and store move together, or apart with --store DIR" {
	arrange
	hold l ab "$A"
	hold u unlinked "$B"
	checkpoint_ok --store "$S" --digest
	cgroup_empty "$CG"
	umount "$A" "$B"
	moves "$T/there"
	rt_ok restore "$M" --check
	restore_ok --keep
	json_is '.fds | length == 2'
	mv "$S" "$T/elsewhere"
	rt restore "$M" --check
	[ "$status" -eq 1 ]
	[[ $stderr == *'--store DIR'* ]]
	rt clean "$M"
	[ "$status" -eq 3 ]
	rt_ok restore "$M" --store "$T/elsewhere" --check
	restore_ok --store "$T/elsewhere" --keep
	# another file with the name is not removed, nor restored
	local first
	first=$T/elsewhere/$(jq -r '.entries[0].relink_path' "$M")
	mv "$first" "$first.away"
	cp "$first.away" "$first"
	rt restore "$M" --store "$T/elsewhere" --check
	[ "$status" -eq 1 ]
	rt clean "$M" --store "$T/elsewhere"
	[ "$status" -eq 3 ]
	[ -e "$first" ]
	mv "$first.away" "$first"
	rt_ok clean "$M" --store "$T/elsewhere"
	[ "$(find "$T/elsewhere" -type f | wc -l)" -eq 0 ]
}

@test "--store-mounts: only what is on these mounts goes into the store" {
	arrange
	mkdir "$T/c,d"
	mount -t tmpfs c "$T/c,d"
	hold l ab "$A"
	hold m ab "$B"
	hold n unlinked "$T/c,d"
	checkpoint_ok --store "$S" --store-mounts "$A/,$T/nowhere" --store-mounts "$T/c\\,d"
	json_is --arg a "$A" --arg b "$B" --arg c "$T/c,d" '.entries | map({key: .mount.point,
		value: [.store, .method]}) | from_entries ==
		{($a): [true, "copy"], ($b): [false, "link"], ($c): [true, "copy"]}'
	[[ $stderr == *"$T/nowhere"* ]]
	rt_ok restore "$M" --check
	rt_ok clean "$M"
	[ ! -e "$B/lost+found" ]
	[ -z "$(ls "$S")" ]
	rt checkpoint --cgroup "$CG" --manifest "$T/m" --store-mounts "$A"
	[ "$status" -eq 2 ]
	rt checkpoint --cgroup "$CG" --manifest "$T/m" --store "$S" --store-mounts a,b
	[ "$status" -eq 2 ]
	rt checkpoint --cgroup "$CG" --manifest "$T/m" --store "$S" --method link
	[ "$status" -eq 2 ]
}

@test "what is made again, and an O_TMPFILE, come back where their mount is not" {
	arrange
	mkdir "$A/dir"
	hold d dirfd "$A/dir"
	hold f fifo-linked "$A"
	hold t tmpfile "$B"
	on_mounts >"$T/before"
	checkpoint_ok --store "$S"
	json_is '[.entries[] | select(.method == "recreate")] | length == 2 and all(.store)'
	on_mounts | diff "$T/before" - >&2
	# on its own mount as long as that is here: the program could link it there
	rt_ok restore "$M" --keep --holder "${HOLD_PID[t]}" -- sh -c \
		"stat -L -c %d /proc/self/fd/$(hold_value t fd)"
	[ "$output" = "$(stat -c %d "$B")" ]
	cgroup_empty "$CG"
	umount "$A" "$B"
	moves "$T/there"
	restore_ok --keep
	json_is '[.fds[].type] | sort == ["directory", "fifo", "regular"]'
	[ "$(in_store)" = "orphan3 600" ]
	rt_ok clean "$M"
	[ -z "$(ls "$S")" ]
}

@test "a mount that is gone lazily, or read-only: --store preserves what is there" {
	arrange
	hold l ab "$A"
	umount -l "$A"
	hold r exe "$B"
	mount -o remount,bind,ro "$B"
	checkpoint --store-mounts /nowhere --store "$S"
	[ "$status" -eq 3 ]
	rm "$M"
	checkpoint_ok --store "$S"
	rt_ok restore "$M" --check
	rt_ok clean "$M"
}

@test "a filesystem that clones gives a clone, where the store is on it too" {
	mkdir "$DIR/store"
	hold u unlinked
	checkpoint_ok --store "$DIR/store"
	json_is --arg moved "$(moved_method)" '.entries[0].method == $moved and .store.beside == null'
	rt_ok clean "$M"
	no_new_names
	[ -z "$(ls "$DIR/store")" ]
}

@test "precopy, digest and limits with a store; clean by id and age" {
	arrange
	hold l ab "$A"
	hold u unlinked "$B"
	checkpoint --store "$S" --max-bytes 1K
	[ "$status" -eq 1 ]
	[ -z "$(ls "$S")" ]
	checkpoint_ok --store "$S" --freeze --precopy --digest
	json_is '.entries | all(.precopy and .relinked.sha256)'
	rt_ok restore "$M" --check
	rt_ok clean --id "$(jq -r .id "$M")"
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	[ -z "$(ls "$S")" ]
	rm "$M"
	checkpoint_ok --store "$S/" --freeze
	rt_ok clean --expired 0s
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	[ -z "$(ls "$S")" ]
}

@test "check --store foretells what a checkpoint with it does, and makes nothing" {
	arrange
	mkdir "$A/dir"
	hold d dirfd "$A/dir"
	hold l ab "$A"
	hold m ab "$B"
	rt_ok check --cgroup "$CG" --store "$S" --store-mounts "$A" -j
	[ ! -e "$S" ]
	json_is '.bytes > 0 and .failing == 0'
	jq -c '[.orphans[] | [.ino, .mount.point, .relinktrace.method]] | sort' <<<"$output" >"$T/foretold"
	checkpoint_ok --store "$S" --store-mounts "$A"
	jq -c '[.entries[] | [.ino, .mount.point, .method]] | sort' "$M" >"$T/done"
	diff "$T/foretold" "$T/done" >&2
	jq -r .[][2] "$T/done" | sort | tr '\n' ' ' | grep -qx 'copy link recreate '
	rt_ok clean "$M"
}

# Nobody but root may have a hand in it.
@test "a store that is a symbolic link, somebody else's or open to others is refused" {
	arrange
	hold l ab "$A"
	mkdir -m 700 "$T/victim" "$T/other" "$T/open"
	chown 12 "$T/other"
	chmod 733 "$T/open"
	ln -s "$T/victim" "$S"
	echo >"$T/file"
	local store
	for store in "$S" "$S/" "$T/other" "$T/open" "$T/file" "$T/no/such"; do
		checkpoint --store "$store"
		[ "$status" -eq 1 ]
		[[ $stderr == *"${store%/}"* || $stderr == *"$T/no"* ]]
		rt check --cgroup "$CG" --store "$store"
		[ "$status" -eq 1 ]
	done
	[ -z "$(ls -A "$T/victim" "$T/other" "$T/open" | grep -v :)" ]
	[ ! -e "$M" ]
	[ ! -e "$M.journal" ]
}

@test "at restore and clean the store is not followed anywhere else" {
	arrange
	hold l ab "$A"
	checkpoint_ok --store "$S"
	cgroup_empty "$CG"
	mv "$S" "$T/real"
	ln -s "$T/real" "$S"
	rt restore "$M" --check
	[ "$status" -eq 1 ]
	rt clean "$M"
	[ "$status" -eq 3 ]
	rm "$S"
	mv "$T/real" "$S"
	# its folder in the store, too
	local id
	id=$(jq -r .id "$M")
	mv "$S/$id" "$T/folder"
	ln -s "$T/folder" "$S/$id"
	rt restore "$M" -- true
	[ "$status" -eq 1 ]
	rt clean "$M"
	[ "$status" -eq 3 ]
	[ "$(find "$T/folder" -type f | wc -l)" -eq 1 ]
	rm "$S/$id"
	mv "$T/folder" "$S/$id"
	chmod 777 "$S"
	rt restore "$M" --check
	[ "$status" -eq 1 ]
	[[ $stderr == *'others may write'* ]]
	chmod 700 "$S"
	# a manifest that names something else there
	jq '.entries[0].relink_path = "other/orphan1"' "$M" >"$T/m.json"
	rt restore "$T/m.json" --check
	[ "$status" -eq 1 ]
	jq '.store.beside = "../../etc"' "$M" >"$T/m.json"
	rt restore "$T/m.json" --check
	[ "$status" -eq 1 ]
	jq '.store = null' "$M" >"$T/m.json"
	rt restore "$T/m.json" --check
	[ "$status" -eq 1 ]
	rt_ok clean "$M"
	[ -z "$(ls "$S")" ]
}

# prepares ARG...: of the container, for a runtime's dump.
prepares() {
	rm -f "$T/images"/*
	rt criu prepare --tree "$PID" --images-dir "$T/images" --config "$T/criu.conf" "$@"
}

# Nothing of us is in the container, nor on its volume.
nothing_in_container() {
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'ile*' -o -name '.relinktrace*' -o -name 'unlink-at*')" ]
	[ ! -e "$T/criu.conf" ]
}

@test "criu prepare by itself: what is nowhere else goes into the container's root" {
	mkdir "$T/vol" "$T/images"
	mount -t tmpfs vol "$T/vol"
	rooted_begin
	prepares
	[ "$status" -eq 0 ]
	[[ $output == *"4 orphans preserved, 0 left to CRIU"* && -z $stderr ]]
	jq -e '[.entries[] | [.mount.point, .store // false]] | sort ==
		[["/", false], ["/vol", true], ["/vol", true], ["/vol", true]]' "$T/images/relinktrace.json"
	[ "$(find "$ROOTFS/.relinktrace-store" -type f | wc -l)" -eq 3 ]
	[ "$(cd "$ROOTFS" && readlink -e ile* | grep -c relinktrace-store)" -eq 3 ]
	[ -z "$(find "$T/vol" -name 'unlink-at*')" ]
	rt_ok criu clean --images-dir "$T/images"
	nothing_in_container
	# its manifest alone, as the timer has it
	prepares
	rt_ok clean "$T/images/relinktrace.json"
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	rt_ok criu clean --images-dir "$T/images"
	nothing_in_container
}

@test "criu prepare by itself: not with --no-store, not without anything to store, and not when it fails" {
	mkdir "$T/vol" "$T/images"
	mount -t tmpfs vol "$T/vol"
	rooted_begin
	prepares --no-store
	[ "$status" -eq 0 ]
	[ "$(find "$T/vol" -name 'unlink-at*' | wc -l)" -eq 3 ]
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	rt_ok criu clean --images-dir "$T/images"
	nothing_in_container
	prepares --no-store --store "$T/store"
	[ "$status" -eq 2 ]
	prepares --exec "ls '$ROOTFS/.relinktrace-store' >'$T/there'; exit 3"
	[ "$status" -eq 1 ]
	[ -s "$T/there" ]
	nothing_in_container
	# killed in it
	prepares --exec 'kill -KILL $PPID'
	((status > 128))
	[ -e "$ROOTFS/.relinktrace-store" ]
	rt_ok criu clean --images-dir "$T/images"
	nothing_in_container
	# what the container has in its place leads nowhere, and that is told
	mkdir -m 700 "$T/elsewhere"
	ln -s "$T/elsewhere" "$ROOTFS/.relinktrace-store"
	prepares
	[ "$status" -eq 0 ]
	[[ $stderr == *"3 names are on mounts that do not travel"*"symbolic link"* ]]
	[ -z "$(ls -A "$T/elsewhere")" ]
	rt_ok criu clean --images-dir "$T/images"
	[ "$(readlink "$ROOTFS/.relinktrace-store")" = "$T/elsewhere" ]
	rm "$ROOTFS/.relinktrace-store"
	nothing_in_container
}

@test "a store that was made by itself goes with its last copy, when nobody comes back" {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	rooted_begin
	echo 1 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 1
	rt_ok hook prepare --id t --tree "$PID" --config "$T/criu.conf"
	[ -e "$ROOTFS/.relinktrace-store" ]
	rt_ok clean --expired 0s
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'unlink-at*')" ]
	rt_ok hook clean --id t
	nothing_in_container
}

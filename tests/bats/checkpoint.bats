#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What checkpoint, restore and clean promise beyond the single situation.

load lib

@test "a cgroup without orphans gives a manifest without entries" {
	checkpoint_ok
	json_is '.entries == []'
	rt_ok restore "$M" -- true
	rt_ok clean "$M"
	no_new_names
}

@test "the manifest says where, when and of whom" {
	hold h ab
	checkpoint_ok
	json_is --arg path "$(cgroup_name "$CG")" --argjson id "$(stat -c %i "$CG")" \
		'.cgroup == {path: $path, id: $id}'
	json_is --arg boot "$(</proc/sys/kernel/random/boot_id)" --arg kernel "$(uname -r)" \
		'.boot_id == $boot and .kernel == $kernel'
	json_is '(.created_at | test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{9}Z$")) and .ktime > 0 and .id'
	json_is '.entries[0] | .n == 1 and
		(.relink_path | test("^/?lost\\+found/checkpoint/unlink-at-restart-[0-9a-f]{8,}-1$"))'
	[ "$(stat -c %a "${MOUNT%/}/lost+found/checkpoint")" = 700 ]
	rt_ok clean "$M"
	no_new_names
}

@test "the command of restore decides the exit status" {
	hold h ab
	checkpoint_ok
	rt restore "$M" --keep -- sh -c 'exit 42'
	[ "$status" -eq 42 ]
	rt restore "$M" --keep -- "$T/no-such-command"
	[ "$status" -ne 0 ]
	[[ $stderr == *no-such-command* ]]
	[ -e "$(entry_file)" ]
	rt_ok clean "$M"
	no_new_names
}

@test "--keep leaves the name, so that restore works again; clean removes it, twice" {
	hold h ab
	checkpoint_ok
	cgroup_empty "$CG"
	restore_ok --keep
	[ -e "$(entry_file)" ]
	restore_ok --keep
	json_is '.fds[0].pos == 100'
	rt_ok clean "$M"
	no_new_names
	rt_ok clean "$M"
	[ "$(stat -c %h "$DIR/b")" -eq 1 ]
}

@test "clean removes nothing but what the checkpoint made" {
	hold h ab
	checkpoint_ok
	local file
	file=$(entry_file)
	rm "$file"
	echo "somebody else's" >"$file"
	rt clean "$M"
	[ "$status" -ne 0 ]
	[ "$(cat "$file")" = "somebody else's" ]
	[[ $stderr == *"${file##*/}"* ]]
	rm "$file"
	rt_ok clean "$M"
	no_new_names
}

@test "restore refuses a file that is not the one recorded" {
	hold h ab
	checkpoint_ok
	local file
	file=$(entry_file)
	mv "$file" "$file.away"
	cp "$file.away" "$file"
	rt restore "$M" --check
	[ "$status" -eq 1 ]
	rt restore "$M" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	rm "$file"
	ln -s /etc/passwd "$file"
	rt restore "$M" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	[ -L "$file" ]
	rm "$file"
	rt restore "$M" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	[ ! -e "$T/ran" ]
	mv "$file.away" "$file"
	rt_ok restore "$M" --check
	rt_ok restore "$M" -- touch "$T/ran"
	[ -e "$T/ran" ]
	no_new_names
}

@test "--check verifies and changes nothing" {
	hold h ab
	hold g fifo
	hold c dirfd
	checkpoint_ok
	local before
	before=$(find "${MOUNT%/}/lost+found" -printf '%p %i %n %C@\n' | sort)
	rt_ok restore "$M" --check
	[ "$before" = "$(find "${MOUNT%/}/lost+found" -printf '%p %i %n %C@\n' | sort)" ]
	rt_ok clean "$M"
	no_new_names
}

@test "no name is left when the manifest cannot be written" {
	hold h ab
	hold g unlinked
	rt checkpoint --cgroup "$CG" --manifest "$T/none/manifest.json"
	[ "$status" -eq 1 ]
	[[ $stderr == *"$T/none"* ]]
	no_new_names
	mkdir "$T/full"
	mount -t tmpfs -o size=4k,nr_inodes=3 full "$T/full"
	head -c 4096 /dev/zero >"$T/full/everything"
	rt checkpoint --cgroup "$CG" --manifest "$T/full/manifest.json"
	local left
	left=$(ls "$T/full")
	umount "$T/full"
	[ "$status" -eq 1 ]
	[ "$left" = everything ]
	no_new_names
}

@test "a manifest that exists is not overwritten: the names in it would be forgotten" {
	hold h ab
	echo older >"$M"
	checkpoint
	[ "$status" -eq 1 ]
	[[ $stderr == *"$M"* ]]
	[ "$(cat "$M")" = older ]
	[ "$(ls "$T"/manifest*)" = "$M" ]
	no_new_names
}

@test "--template names the files, in folders made 0700 that go again" {
	hold h ab
	checkpoint_ok --template "rt-test-$$/of/%n-%t"
	local file
	file=$(entry_file)
	[[ $file == "${MOUNT%/}/rt-test-$$/of/1-"* ]]
	[ "$(stat -c %a "${MOUNT%/}/rt-test-$$" "${MOUNT%/}/rt-test-$$/of")" = $'700\n700' ]
	restore_ok
	[ ! -e "${MOUNT%/}/rt-test-$$" ]
}

@test "a planted symlink in the way of the names is not followed" {
	mkdir "$DIR/target"
	ln -s "$DIR/target" "${MOUNT%/}/rt-planted-$$"
	hold h ab
	checkpoint --template "rt-planted-$$/%t-%n"
	rm "${MOUNT%/}/rt-planted-$$"
	[ "$status" -eq 3 ]
	[[ $output == *"rt-planted-$$"* ]]
	[ -z "$(ls "$DIR/target")" ]
}

@test "a name that exists is not overwritten: the next number is taken" {
	local folder=${MOUNT%/}/rt-test-$$ left
	mkdir -m 700 "$folder"
	echo mine >"$folder/fixed-1"
	hold h ab
	checkpoint_ok --template "rt-test-$$/fixed-%n"
	[ "$(entry_file)" = "$folder/fixed-2" ]
	rt_ok clean "$M"
	left=$(grep -r '' "$folder")
	rm -r "$folder"
	[ "$left" = "$folder/fixed-1:mine" ]
}

@test "--method copy copies, --method link says what it could not link" {
	hold h ab
	checkpoint_ok --method copy
	json_is '.entries[0] | .method == "copy" and (.same_inode | not) and .bytes_copied > 0'
	rt_ok clean "$M"
	rm "$M"
	hold g unlinked
	checkpoint --method link
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '(.complete | not) and (.entries | length) == 1 and (.failed | length) == 1'
	json_is '.failed[0] | .nlink == 0 and .errno and (.error | length > 0)'
	rt_ok clean "$M"
	no_new_names
}

@test "a copy carries owner, mode, times, extended attributes" {
	hold h by-other
	chown 12:34 "$DIR/by-other"
	chmod 4751 "$DIR/by-other"
	touch -d '2010-10-10 10:10:10.123456789 UTC' "$DIR/by-other"
	setfattr -n user.test -v value "$DIR/by-other" || skip "no user xattrs on $FSTYPE"
	rm "$DIR/by-other"
	checkpoint_ok --method copy
	local file
	file=$(entry_file)
	[ "$(stat -c '%u:%g %a' "$file")" = '12:34 4751' ]
	[ "$(stat -c %.9Y "$file")" = 1286705410.123456789 ]
	[ "$(getfattr --only-values -n user.test --absolute-names "$file")" = value ]
	rt_ok clean "$M"
	no_new_names
}

@test "--freeze freezes while it works, and thaws" {
	hold h unlinked
	checkpoint_ok --freeze
	"$HELPERS/await" "$CG" frozen 0
	[ "$(<"$CG/cgroup.freeze")" -eq 0 ]
	hold_do h pos
	[ "$REPLY" -eq 4711 ]
	rt_ok clean "$M"
}

@test "--freeze tells of each what list tells, though it looks at small files when they are open" {
	hold h unlinked
	hold i fifo
	hold j many "$DIR" 3
	local told='[.. | objects | select(has("fstype")) |
		{ino, dev, path, size, allocated, type, nlink, fstype, mount: .mount.point}] | sort_by(.ino)'
	rt_ok list --cgroup "$CG" -j
	jq "$told" <<<"$output" >"$T/listed"
	[ "$(jq '[.[] | select(.path)] | length' "$T/listed")" -eq 5 ]
	checkpoint_ok --freeze
	diff -u "$T/listed" <(jq '.entries | '"$told" "$M")
	rt_ok clean "$M"
	rm "$M"
	# what is not opened, too
	checkpoint --freeze --method link
	[ "$status" -eq 3 ]
	diff -u "$T/listed" <(jq '[.entries, .failed] | '"$told" "$M")
	rt_ok clean "$M"
	no_new_names
}

# look_at_call, a hook of stopat: each call, and whether the cgroup is frozen.
look_at_call() {
	echo "$STOPAT $(sed -n 's/^frozen //p' "$CG/cgroup.events")" >>"$T/calls"
}

@test "while it is frozen nothing is waited for on the disk but the journal, once, and no copy is named" {
	hold h ab
	hold i unlinked
	hold j unlinked
	export -f look_at_call
	export CG T
	RELINKTRACE_WORKERS=1 run --separate-stderr "$HELPERS/stopat" each look_at_call \
		"$RT" checkpoint --cgroup "$CG" --manifest "$M" --freeze --method auto
	echo "$stderr" && cat "$T/calls"
	[ "$status" -eq 0 ]
	[ "$(jq '.entries | length' "$M")" -eq 3 ]
	# the one that is linked; copies have files without names
	[ "$(grep -cEx '(linkat|renameat2) 1' "$T/calls")" -eq 1 ]
	[ "$(grep -cx 'linkat 0' "$T/calls")" -eq 2 ]
	[ "$(grep -cEx '(f(data)?sync|syncfs) 1' "$T/calls")" -eq 1 ]
	grep -qx 'fdatasync 1' "$T/calls"
	# what they contain, and the journal, are on the disk before they are named
	sed '0,/^linkat 1$/d; /^linkat 0$/,$d' "$T/calls" >"$T/between"
	[ "$(grep -cx 'fsync 0' "$T/between")" -eq 2 ]
	[ "$(tail -n 1 "$T/between")" = 'fdatasync 0' ]
	[ "$(grep -cx 'mkdirat 1' "$T/calls")" -eq 0 ]
	rt_ok clean "$M"
	no_new_names
}

@test "--freeze leaves a cgroup frozen that was frozen before" {
	hold h unlinked
	echo 1 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 1
	checkpoint_ok --freeze
	[ "$(<"$CG/cgroup.freeze")" -eq 1 ]
	rt_ok clean "$M"
}

@test "--freeze refuses the cgroup that it runs in" {
	run --separate-stderr in_cgroup "$CG" timeout "$PATIENCE" \
		"$RT" checkpoint --cgroup "$CG" --manifest "$M" --freeze
	[ "$status" -eq 1 ]
	[[ $stderr == *"$(cgroup_name "$CG")"* ]]
	[ ! -e "$M" ]
	[ "$(<"$CG/cgroup.freeze")" -eq 0 ]
}

@test "kill -9 of a checkpoint --freeze thaws" {
	mkdir "$T/many"
	mount -t tmpfs many "$T/many"
	hold h many "$T/many" 900
	"$RT" checkpoint --cgroup "$CG" --manifest "$M" --freeze --method copy 3>&- &
	local pid=$!
	"$HELPERS/await" "$CG" frozen 1
	kill -KILL "$pid"
	wait "$pid" || true
	"$HELPERS/await" "$CG" frozen 0
	cgroup_empty "$CG"
	umount "$T/many"
	[ ! -e "$M" ] # it was killed in time
}

@test "a large file is relinked without copying a byte" {
	# 1 GiB takes an emulated machine half a minute to read
	local size=$((${RELINKTRACE_KILL_STEP:-1} > 13 ? 64 << 20 : 1 << 30)) pos
	pos=$((size - 7))
	hold h ab "$DIR" "$size" "$pos"
	file_facts "$(hold_file h)" >"$T/before"
	checkpoint_ok
	json_is --argjson size "$size" \
		'.entries[0] | .method == "link" and .bytes_copied == 0 and .size == $size'
	cgroup_empty "$CG"
	restore_ok
	json_is --slurpfile was "$T/before" --argjson pos "$pos" '.fds[0] |
		.ino == $was[0].ino and .sum == $was[0].sum and .pos == $pos'
	no_new_names
}

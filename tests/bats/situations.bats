#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Each way in which a file can be unlinked and held: listed as /proc says, checkpointed,
# given back byte- and position-exact, and no name left. Run once for each filesystem.

load lib

# What is known of $(hold_file h) before it is preserved.
remember() {
	file_facts "${1:-$(hold_file h)}" >"$T/before"
}

# listed_as FILTER: the one orphan listed is what was remembered, and more.
listed_as() {
	json_is --slurpfile was "$T/before" '.orphans[0] | $was[0] as $was |
		.ino == $was.ino and .size == $was.size and .type == $was.type and
		.nlink == $was.nlink and
		(if $was.generation then .generation == $was.generation else true end)'
	json_is --arg fstype "$FSTYPE" '.orphans[0].fstype == $fstype'
	json_is --arg cgroup "$(cgroup_name "$CG")" '.orphans[0].cgroup == $cgroup'
	json_is '.orphans[0].unattributed == false'
	json_is --arg point "$MOUNT" '.orphans[0].mount.point == $point'
	json_is ".orphans[0] | ${1:-true}"
}

# given_back POSITION: fd 3 has the bytes that were remembered, at their position, with
# the flags that were listed, and the inode when it was linked.
given_back() {
	json_is --slurpfile was "$T/before" --argjson pos "$1" '.fds[0] | $was[0] as $was |
		.fd == 3 and .pos == $pos and .sum == $was.sum and .size == $was.size and
		.mode == $was.mode and .uid == $was.uid and .gid == $was.gid'
	local now was
	now=$(json '.fds[0].flags')
	was=$(jq '.entries[0].holders[0].flags' "$M")
	(((now & KEPT_FLAGS) == (was & KEPT_FLAGS)))
	json_is '.environment.LISTEN_FDS == "1" and .environment.LISTEN_PID == (.pid | tostring)
		and .environment.LISTEN_FDNAMES == "orphan1"'
}

same_inode() {
	json_is --slurpfile was "$T/before" '.fds[0].ino == $was[0].ino'
}

# preserved_by METHOD: one entry, whose name is there.
preserved_by() {
	json_is --arg method "$1" '(.entries | length) == 1 and .entries[0].method == $method'
	json_is '.entries[0] | .same_inode == (.method == "link")'
	[ -e "$(entry_file)" ]
	[[ $(json '.entries[0].relink_path') == */unlink-at-restart-* ]]
	if [ "$1" = link ]; then
		json_is '.entries[0].bytes_copied == 0'
		[ "$(stat -c %i "$(entry_file)")" = "$(jq .ino "$T/before")" ]
	fi
}

# through METHOD POSITION [OPTION]...: checkpoint, the holders end, restore.
through() {
	checkpoint_ok "${@:3}"
	preserved_by "$1"
	cgroup_empty "$CG"
	restore_ok
	given_back "$2"
	[ "$1" != link ] || same_inode
	no_new_names
}

@test "a file that has another name (the example of 2010) is relinked" {
	hold h ab
	remember
	list_is_true
	listed_as '.nlink == 1 and .tmpfile == false and (.holders | length) == 1 and
		.holders[0].comm == "hold" and .holders[0].ofd >= 1 and .holders[0].cloexec'
	json_is --arg path "$DIR/a" '.orphans[0].path == $path'
	json_is --argjson start "$(cut -d ' ' -f 22 "/proc/${HOLD_PID[h]}/stat")" \
		'.orphans[0].holders[0].start_time == $start'
	checkpoint_ok
	preserved_by link
	[ "$(cat "$DIR/a")" = "another a" ]
	cgroup_empty "$CG"
	rt_ok restore "$M" -- sh -c 'printf bar >&3; exec "$0"' "$HELPERS/got"
	same_inode
	[ "$(dd if="$DIR/b" bs=1 skip=100 count=3 status=none)" = bar ]
	[ "$(stat -c %h "$DIR/b")" -eq 1 ]
	no_new_names
}

@test "a file without any name keeps its bytes, flags and position" {
	hold h unlinked
	remember
	list_is_true
	listed_as '.nlink == 0 and (.holders[0].cloexec | not)'
	through "$(moved_method)" 4711
}

@test "a file of 64 MiB of which little is allocated stays sparse" {
	hold h ab "$DIR" 67108864 1048577
	remember
	list_is_true
	listed_as '.size == 67108864 and .allocated < 8388608'
	through link 1048577
}

@test "a copy of 64 MiB of which little is allocated stays sparse" {
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	hold h tmpfile "$DIR" 67108864
	remember
	checkpoint_ok --method copy
	preserved_by copy
	json_is '.entries[0].bytes_copied < 8388608'
	[ "$(stat -c %b "$(entry_file)")" -lt 16384 ]
	cgroup_empty "$CG"
	restore_ok
	given_back 17
	no_new_names
}

@test "a live O_TMPFILE keeps its own right to be linked" {
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	hold h tmpfile
	remember
	list_is_true
	listed_as '.tmpfile and .nlink == 0'
	checkpoint_ok
	preserved_by "$(moved_method)"
	hold_do h link linked-later
	[ "$REPLY" = ok ]
	[ -e "$DIR/linked-later" ]
	cgroup_empty "$CG"
	restore_ok
	given_back 17
	no_new_names
}

@test "an O_TMPFILE whose holders end (--stop) is linked" {
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	hold h tmpfile
	remember
	checkpoint_ok --stop
	preserved_by link
	cgroup_empty "$CG"
	restore_ok
	given_back 17
	no_new_names
}

@test "a file replaced by rename" {
	hold h rename-over
	remember
	list_is_true
	listed_as '.nlink == 0'
	json_is --arg path "$DIR/target" '.orphans[0].path == $path'
	through "$(moved_method)" 5
}

@test "two processes, fork and dup: descriptions are shared as before" {
	hold h two
	remember
	list_is_true
	listed_as '(.holders | length) == 4'
	# parent and child have fd 3 and the dup in common; the fourth was opened by itself
	json_is --argjson own "$(hold_value h independent)" '.orphans[0].holders |
		([.[] | select(.fd != $own) | .ofd] | unique | length) == 1 and
		([.[] | .ofd] | unique | length) == 2'
	checkpoint_ok
	cgroup_empty "$CG"
	rt_ok restore "$M" --keep --holder "$(hold_value h child)" -- "$HELPERS/got"
	json_is --argjson dup "$(hold_value h dup)" --argjson own "$(hold_value h independent)" '
		[.fds[] | {fd, pos, shares}] == ([{fd: 3, pos: 7, shares: 3},
			{fd: $own, pos: 3, shares: $own}, {fd: $dup, pos: 7, shares: 3}] | sort_by(.fd))'
	json_is --slurpfile was "$T/before" 'all(.fds[]; .sum == $was[0].sum)'
	json_is 'all(.fds[]; .ino == $ino)' --argjson ino "$(json '.fds[0].ino')"
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- "$HELPERS/got"
	json_is '[.fds[] | {fd, pos}] == [{fd: 3, pos: 7}]'
	no_new_names
}

@test "a file that is only mapped" {
	hold h mapped
	hold_do h poke
	[ "$REPLY" = ok ]
	remember "/proc/${HOLD_PID[h]}/map_files/$(hold_value h map)"
	# /proc, which is read where there is no iterator of mappings, does not tell it
	[[ $(uname -r) != 5.10.* ]] ||
		file_facts "/proc/${HOLD_PID[h]}/map_files/$(hold_value h map)" |
		jq '.generation = null' >"$T/before"
	list_is_true
	listed_as 'all(.holders[]; .kind == "map")'
	checkpoint_ok
	cgroup_empty "$CG"
	restore_ok
	json_is --slurpfile was "$T/before" '.fds[0].sum == $was[0].sum'
	no_new_names
}

@test "a removed directory as cwd" {
	hold h cwd
	remember "/proc/${HOLD_PID[h]}/cwd"
	list_is_true
	listed_as '.type == "directory" and .holders[0].kind == "cwd"'
	checkpoint_ok
	json_is '.entries[0].method == "recreate"'
	cgroup_empty "$CG"
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- "$HELPERS/got"
	json_is '.cwd | endswith(" (deleted)")'
	no_new_names
}

@test "a removed directory held by an fd" {
	hold h dirfd
	remember
	list_is_true
	listed_as '.type == "directory" and .holders[0].kind == "fd"'
	checkpoint_ok
	json_is '.entries[0].method == "recreate"'
	cgroup_empty "$CG"
	restore_ok
	json_is '.fds[0] | .type == "directory" and .nlink == 0 and .mode == 488'
	no_new_names
}

@test "a FIFO without any name is made again" {
	hold h fifo
	remember
	list_is_true
	listed_as '.type == "fifo" and .nlink == 0'
	checkpoint_ok
	json_is '.entries[0].method == "recreate"'
	cgroup_empty "$CG"
	restore_ok
	json_is '.fds[0] | .type == "fifo" and .mode == 400 and .nlink == 0'
	no_new_names
}

@test "a FIFO that has another name is relinked" {
	hold h fifo-linked
	remember
	list_is_true
	checkpoint_ok
	preserved_by link
	cgroup_empty "$CG"
	restore_ok
	same_inode
	no_new_names
}

@test "a removed executable that runs" {
	hold h exe
	remember "/proc/${HOLD_PID[h]}/exe"
	list_is_true
	listed_as '[.holders[].kind] | index("exe")'
	checkpoint_ok
	cgroup_empty "$CG"
	restore_ok
	json_is --slurpfile was "$T/before" '.fds[0].sum == $was[0].sum'
	no_new_names
}

@test "a thread with a table of its own" {
	hold h thread
	remember "/proc/${HOLD_PID[h]}/task/$(hold_value h tid)/fd/$(hold_value h threadfd)"
	list_is_true
	listed_as "(.holders | length) == 1 and .holders[0].tid == $(hold_value h tid)"
	through "$(moved_method)" 23
}

@test "a process whose main thread has exited" {
	hold h leader-exited
	remember "/proc/${HOLD_PID[h]}/task/$(hold_value h tid)/fd/$(hold_value h fd)"
	list_is_true
	listed_as "(.holders | length) == 1 and .holders[0].tid == $(hold_value h tid)"
	through "$(moved_method)" 29
}

@test "a file that a task of another cgroup removed" {
	hold h by-other
	list_is_true 0
	rm "$DIR/by-other"
	remember
	list_is_true
	listed_as '.nlink == 0'
	through "$(moved_method)" 31
}

@test "a holder in a mount namespace of its own: relinked below its own mount" {
	mkdir "$DIR/source" "$DIR/point"
	# shellcheck disable=SC2016 # for that shell
	HOLD_VIA=(unshare --mount sh -c 'mount --bind "$0/source" "$0/point" && exec "$@"' "$DIR")
	hold h ab "$DIR/point"
	remember
	list_is_true
	json_is --arg path "$DIR/point/a" --arg point "$DIR/point" \
		'.orphans[0] | .path == $path and .mount.point == $point'
	checkpoint_ok
	json_is '.entries[0] | .method == "link" and .same_inode'
	local file
	file=$DIR/source/$(jq -er '.entries[0].relink_path' "$M")
	[ "$(stat -c %i "$file")" = "$(jq .ino "$T/before")" ]
	cgroup_empty "$CG"
	restore_ok
	given_back 100
	same_inode
	[ ! -e "$DIR/source/lost+found" ]
	no_new_names
}

@test "names with newlines and control bytes, and names that are not UTF-8" {
	hold h unlinked "$DIR" $'new\nline \e[31m"\\'
	remember
	list_is_true
	json_is --arg path "$DIR/"$'new\nline \e[31m"\\' '.orphans[0].path == $path'
	hold g unlinked "$DIR" $'\xff\xfe'
	list_is_true 2
	json_is --arg b64 "$(printf '%s/\xff\xfe' "$DIR" | base64 -w 0)" \
		'[.orphans[] | select(.path_b64 == $b64 and (has("path") | not))] | length == 1'
	checkpoint_ok
	json_is '.entries | length == 2'
	cgroup_empty "$CG"
	restore_ok
	json_is '[.fds[].size] == [8192, 8192]'
	no_new_names
}

@test "a hundred files at once" {
	hold h many "$DIR" 100
	list_is_true 100
	checkpoint_ok
	json_is '(.entries | length) == 100 and ([.entries[].relink_path] | unique | length) == 100'
	cgroup_empty "$CG"
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- "$HELPERS/got"
	json_is '(.fds | length) == 100 and ([.fds[].sum] | unique | length) == 100 and
		([.fds[].ino] | unique | length) == 100'
	no_new_names
}

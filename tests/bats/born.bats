#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Every way to lose a name that somebody has open, and what only looks like one. Where
# hooks keep the map exact, it is compared after each step.

load lib

# now N M [SLOT]...: of actor h.
now() {
	now_is h "$@"
}

@test "each way to lose a name is one birth, and no other call is" {
	needs_hooks
	pin "$CG"
	actor h
	act h 'create a 1' 'link a a2' 'unlink a2'
	now 0 0
	act h 'unlink a'
	now 1 1 1
	act h 'create b 2' 'unlinkat b'
	now 2 2 1 2
	act h 'create c 3' 'create over 9' 'rename over c' 'close 9'
	now 3 3 1 2 3
	act h 'create d 4' 'create over 9' 'renameat2 over d' 'close 9'
	now 4 4 1 2 3 4
	act h 'mkdir e' 'open e 5' 'rmdir e' 'mkdir f' 'open f 6' 'rmdirat f'
	now 6 6 1 2 3 4 5 6
	act h 'mkdir g' 'open g 7' 'mkdir over' 'rename over g'
	now 7 7 1 2 3 4 5 6 7
	# exchanged, moved, moved onto another link of itself, closed before: none
	act h 'create x 8' 'create y 9' 'renameat2 x y exchange' 'rename y moved' 'link moved z' \
		'rename z moved' 'create w 10' 'close 10' 'unlink w' 'mkdir v' 'rmdir v'
	now 7 7 1 2 3 4 5 6 7
	list_is_true 7
	if has_function_hooks; then
		json_is --argjson pid "${HOLD_PID[h]}" --argjson id "$(stat -c %i "$CG")" 'all(
			.orphans[].unlinked; .pid == $pid and .comm == "act" and .cgroup_id == $id)'
	fi
	cgroup_empty "$CG"
	list_is_true 0
}

@test "O_TMPFILE is born without a name, with and without O_EXCL" {
	needs_hooks
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	pin "$CG"
	actor h
	act h 'tmpfile 1' 'tmpfile-excl 2'
	now 2 2 1 2
	list_is_true 2
	json_is 'all(.orphans[]; .tmpfile)'
	act_fails h ENOENT 'linkfd 2 excl'
	act h 'linkfd 1 linked'
	now 2 2 1 2
	act h 'close 1'
	now 1 1 2
	# by its name it is a file as any other
	act h 'open linked 3' 'unlink linked'
	now 2 2 2 3
	act h 'close 2' 'close 3'
	now 0 0
}

@test "names of one file: right after each step" {
	needs_hooks
	pin "$CG"
	actor h
	act h 'create a 1' 'link a b' 'unlink a'
	now 1 1 1
	act h 'link b a' # the fd's name stays lost: this is another
	now 1 1 1
	act h 'open a 2' 'unlink a'
	now 2 1 1 2
	act h 'close 1'
	now 1 1 2
	act h 'open b 3' 'unlink b'
	now 2 1 2 3
	list_is_true
	json_is '.orphans[0] | .nlink == 0 and (.holders | length) == 2'
	act h 'close 3'
	now 1 1 2
	act h 'close 2'
	now 0 0
	# the same name again and again, each file another
	act h 'create a 1' 'unlink a' 'create a 2' 'unlink a' 'create a 3'
	now 2 2 1 2
	act h 'rename a b' 'create a 4' 'rename b a'
	now 3 3 1 2 4
	list_is_true 3
}

@test "what fails is no birth" {
	needs_hooks
	pin "$CG"
	actor h
	mkdir "$DIR/full" "$DIR/full/inner" "$DIR/other" "$DIR/mine"
	echo >"$DIR/point"
	mount --bind "$DIR/other" "$DIR/full/inner"
	mount --bind /dev/null "$DIR/point"
	act h 'open full 1' 'open full/inner 2' 'open point 3' 'create mine/a 4' 'create b 5' \
		'open other 6'
	act_fails h ENOENT 'unlink nothing'
	act_fails h EBUSY 'unlink point'
	act_fails h EBUSY 'rename b point'
	act_fails h EBUSY 'rmdir full/inner'
	act_fails h ENOTEMPTY 'rmdir full'
	act_fails h EISDIR 'unlink full'
	act_fails h ENOTDIR 'rmdir b'
	act_fails h EEXIST 'renameat2 mine/a b noreplace'
	act_fails h ENOTDIR 'rename full b'
	act_fails h EISDIR 'rename b full'
	act h 'become 65534'
	act_fails h EACCES 'unlink mine/a'
	act_fails h EACCES 'rename mine/a b'
	act h 'become 0'
	now 0 0
	act h 'close 2' 'close 3'
	umount "$DIR/full/inner" "$DIR/point"
	act h 'unlink b'
	now 1 1 5
}

@test "unlinked by another cgroup, mount namespace, user: an orphan of who holds it" {
	needs_hooks
	mkdir "$CG/holds" "$CG/removes"
	pin "$CG/holds"
	chmod 777 "$DIR"
	HOLD_CGROUP=$CG/holds actor h
	act h 'create a 1' 'create b 2' 'create c 3' 'create d 4'
	now 0 0
	(in_cgroup "$CG/removes" rm "$DIR/a")
	now 1 1 1
	unshare --mount rm "$DIR/b"
	now 2 2 1 2
	# by where it stands: another user may not pass all folders above
	(cd "$DIR" && in_cgroup "$CG/removes" setpriv --reuid 65534 --clear-groups -- rm -f c)
	now 3 3 1 2 3
	(in_cgroup "$CG/removes" unshare --mount sh -c 'mount --bind "$1" /mnt && rm /mnt/d' - "$DIR")
	now 4 4 1 2 3 4
	rt_ok list --cgroup "$CG/removes" -j
	json_is '.orphans == []'
	list_is_true 4
	json_is --arg cgroup "$(cgroup_name "$CG/holds")" 'all(.orphans[]; .cgroup == $cgroup)'
	if has_function_hooks; then
		json_is --argjson id "$(stat -c %i "$CG/removes")" 'all(.orphans[]; .unlinked.comm == "rm")
			and ([.orphans[] | select(.unlinked.cgroup_id == $id)] | length) == 3'
	fi
}

@test "unlinked and renamed by io_uring, also from a worker of a polling ring" {
	needs_hooks
	[ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" -eq 0 ] ||
		skip "io_uring is disabled"
	pin "$CG"
	actor h
	act h 'create a 1' 'create b 2' 'create over 3' 'create c 4'
	hold_do h 'uring a'
	[ "$REPLY" != "failed EINVAL" ] || skip "io_uring cannot unlink"
	[ "$REPLY" = ok ]
	now 1 1 1
	act h 'uring-rename over b'
	now 2 2 1 2
	act h 'sqpoll c'
	now 3 3 1 2 4
	act_fails h ENOENT 'uring nothing'
	list_is_true 3
	if has_function_hooks; then
		json_is --argjson pid "${HOLD_PID[h]}" --argjson id "$(stat -c %i "$CG")" 'all(
			.orphans[].unlinked; .pid == $pid and .comm == "act" and .cgroup_id == $id)'
	fi
	act h 'close 1' 'close 2' 'close 4'
	now 0 0
}

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
		chmod 700 "$1${MOUNT%/}/${path%/*}"
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

@test "--root with a digest: what survives is not enough where the bytes are others" {
	local file
	hold h ab
	file_facts "$(hold_file h)" >"$T/h"
	checkpoint_ok --digest
	mkdir "$T/new"
	moved_to "$T/new"
	cgroup_empty "$CG"
	rt_ok restore "$M" --root "$T/new" --check
	file=$T/new$(entry_file)
	cp -p "$file" "$T/kept"
	printf X | dd of="$file" bs=1 seek=4000 conv=notrunc status=none
	touch -r "$T/kept" "$file"
	rt restore "$M" --root "$T/new" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	[[ $stderr == *"other bytes"* ]]
	[ ! -e "$T/ran" ]
	[ -e "$file" ]
	cp -p "$T/kept" "$file"
	restore_ok --root "$T/new"
	json_is --slurpfile h "$T/h" '.fds[0].sum == $h[0].sum'
	[ ! -e "$file" ]
}

@test "a command that cannot be executed costs nothing: the names are there" {
	hold h unlinked
	checkpoint_ok
	cgroup_empty "$CG"
	printf '\177ELF, and no more' >"$T/broken"
	chmod +x "$T/broken"
	# what would remove the names traces it, and LeakSanitizer does not work then
	ASAN_OPTIONS=detect_leaks=0 rt restore "$M" -- "$T/broken"
	[ "$status" -eq 126 ]
	[[ $stderr == *"$T/broken"* ]]
	[ -e "$(entry_file)" ]
	# shellcheck disable=SC2016 # for that shell: no process of ours is left to it
	rt_ok restore "$M" -- sh -c 'test ! -e "$0" && ! pgrep -P $$ relink-guard &&
		test "$(cat <&3 | wc -c)" -eq 3481' "$(entry_file)"
	no_new_names
}

@test "--to writes the files out, and never over another" {
	local d=$T/out
	hold h ab "$DIR" 67108864 1048577
	chown 12:34 "$DIR/b"
	chmod 4751 "$DIR/b"
	touch -d '2010-10-10 10:10:10.123456789 UTC' "$DIR/b"
	hold g unlinked "$DIR" $'new\nline'
	hold f fifo
	hold c dirfd
	file_facts "$(hold_file h)" >"$T/h"
	file_facts "$(hold_file g)" >"$T/g"
	checkpoint_ok
	local a u p q
	a=$d/orphan$(jq '.entries[] | select(.path | endswith("/a")) | .n' "$M")-a
	u=$d/orphan$(jq '.entries[] | select(.path | endswith("line")) | .n' "$M")-new_line
	p=$d/orphan$(jq '.entries[] | select(.type == "fifo") | .n' "$M")-fifo
	q=$d/orphan$(jq '.entries[] | select(.type == "directory") | .n' "$M")-directory
	cgroup_empty "$CG"

	# one that is taken: nothing is left of the others, and no name is gone
	mkdir "$d"
	echo theirs >"$u"
	rt restore "$M" --to "$d"
	[ "$status" -eq 1 ]
	[[ $stderr == *"$u"* || $stderr == *new_line* ]]
	[ "$(ls "$d")" = "${u##*/}" ]
	[ "$(<"$u")" = theirs ]
	rm -r "$d"

	rt_ok restore "$M" --to "$d" --keep
	[ "$(stat -c %a "$d")" = 700 ]
	[ "$(stat -c '%u:%g %a %.9Y' "$a")" = '12:34 4751 1286705410.123456789' ]
	[ "$(stat -c %b "$a")" -lt 16384 ]
	jq -en --argjson now "$(file_facts "$a")" --slurpfile was "$T/h" '$now |
		.sum == $was[0].sum and .size == $was[0].size and .nlink == 1'
	[ "$(file_facts "$u" | jq .sum)" = "$(jq .sum "$T/g")" ]
	[[ -p $p && $(stat -c %a "$p") == 620 ]]
	[[ -d $q && $(stat -c %a "$q") == 750 ]]
	rm -r "$d"
	rt_ok restore "$M" --to "$d"
	[ "$(find "$d" -type f | wc -l)" -eq 2 ]
	no_new_names
}

@test "--to tells what no file can have: the bytes in a FIFO" {
	mkfifo "$DIR/fifo" "$DIR/empty"
	keep h fifo=rw empty=rw
	rm "$DIR/fifo" "$DIR/empty"
	hold_do h write 0 hello
	checkpoint_ok
	cgroup_empty "$CG"
	rt_ok restore "$M" --to "$T/out"
	[ "$stderr" = "relinktrace: warning: orphan1: the 5 bytes that were in the FIFO are not written out, since no file has them: they stay in the manifest (pipe.data_b64)" ]
	[[ -p $T/out/orphan1-fifo && -p $T/out/orphan2-empty ]]
	[ "$(jq -r '.entries[0].pipe.data_b64' "$M" | base64 -d)" = hello ]
	no_new_names
}

# on_terminal ARG...: as rt, with a terminal; what it showed is in $T/shown.
on_terminal() {
	SHELL=/bin/bash script -qec "$(printf '%q ' "$RT" "$@")" "$T/shown" >/dev/null </dev/null
}

# A filesystem that is read at 20 MB/s, which is long work of 24 MB; in $SLOW.
slow() {
	SLOW=$T/slow
	mkdir "$SLOW" "$T/below" "$CG/daemon" "$CG/h"
	mount -t tmpfs below "$T/below"
	modprobe -q fuse 2>/dev/null || true
	(in_cgroup "$CG/daemon" bindfs --read-rate=20000000 "$T/below" "$SLOW")
}

@test "long work shows bytes, rate and time left on a terminal, and nothing elsewhere" {
	slow
	local line='MiB of 22.9 MiB, [0-9.]+ MiB/s, [0-9]+ s left' store="--store $T/store" more works
	head -c 24000000 /dev/urandom >"$T/below/file"
	HOLD_CGROUP=$CG/h
	DIR=$SLOW keep h file=rw
	rm "$SLOW/file"
	for more in '' '--freeze --precopy' '--deadline 1000'; do
		# shellcheck disable=SC2086 # words
		on_terminal checkpoint --cgroup "$CG/h" --manifest "$M" --method copy $store $more
		grep -qE "$line" "$T/shown"
		# taken away again, each time: there are two works with --precopy
		works=1
		[[ $more != *--precopy* ]] || works=2
		[ "$(tr '\r' '\n' <"$T/shown" | grep -c $'^\e\\[K')" -eq "$works" ]
		rt_ok clean "$M"
		rm "$M"
	done
	rt_ok checkpoint --cgroup "$CG/h" --manifest "$M" --method copy
	[ "$stderr" = "" ]
	on_terminal restore "$M" --keep --to "$T/out"
	grep -qE "$line" "$T/shown"
	rt_ok restore "$M" --keep --to "$T/other"
	[ "$stderr" = "" ]
	cgroup_empty "$CG/h"
	rt_ok clean "$M"
	umount "$SLOW"
	"$HELPERS/await" "$CG/daemon" populated 0
}

# listen_start [OPTION]...: waits until it listens on $T/socket.
listen_start() {
	listen_by "$RT" restore "$M" --listen "$T/socket" "$@"
}

@test "--listen hands the descriptions over, and removes the names when they are taken" {
	hold h two
	file_facts "$(hold_file h)" >"$T/h"
	checkpoint_ok
	cgroup_empty "$CG"
	listen_start
	[ "$(stat -c %a "$T/socket")" = 600 ]

	# another user, somebody who leaves, and somebody who says another word get nothing
	chmod 755 "$BATS_RUN_TMPDIR" "$T" && chmod 666 "$T/socket" && : >"$T/messages" && chmod 666 "$T/messages"
	run --separate-stderr setpriv --reuid 65534 --clear-groups "$HELPERS/taker" \
		"$T/socket" "$T/messages"
	[ "$status" -eq 3 ]
	[ ! -s "$T/messages" ]
	take ''
	take give
	[ -e "$(entry_file)" ]

	take
	[ "$status" -eq 0 ]
	json_is --slurpfile was "$T/h" '[.fds[] | .sum] == [$was[0].sum, $was[0].sum] and
		[.fds[] | .pos, .shares] == [7, 3, 3, 4]'
	output=$(jq -s . "$T/messages")
	json_is --slurpfile m "$M" 'length == 2 and .[0].schema == "relinktrace.handover/1" and
		.[0].manifest == $m[0].id and .[0].total == 2 and .[0].first == 0 and
		.[1] == {names: "removed"}'
	json_is --argjson pid "${HOLD_PID[h]}" --arg path "$DIR/shared" '.[0].files[0] |
		.n == 1 and .path == $path and .pid == $pid and .fd == 3 and .pos == 7 and
		.type == "regular" and .ofd == 1'
	listen_end
	[ "$status" -eq 0 ]
	grep -q 'user 65534 was sent away' "$T/listen.err"
	[ "$(grep -c 'has not taken' "$T/listen.err")" -eq 2 ]
	[ ! -e "$T/socket" ]
	no_new_names
}

@test "--listen --keep serves one after the other; a socket that exists is not taken" {
	hold h many "$DIR" 600
	checkpoint_ok
	cgroup_empty "$CG"
	echo theirs >"$T/socket"
	rt restore "$M" --listen "$T/socket"
	[ "$status" -eq 1 ]
	[ "$(<"$T/socket")" = theirs ]
	rm "$T/socket"
	listen_start --keep
	take
	[ "$status" -eq 0 ]
	take
	json_is '(.fds | length) == 600 and ([.fds[].sum] | unique | length) == 600'
	jq -es '[.[].files[]?.n] | length == 600 and . == sort' "$T/messages"
	jq -es '.[-1] == {names: "kept"} and length > 3' "$T/messages"
	listen_end TERM
	[ "$status" -eq 0 ]
	[ ! -e "$T/socket" ]
	rt_ok clean "$M"
	no_new_names
}

# locks_of FDINFO...: without what differs from one time to the next.
locks_of() {
	sed -n 's/^lock:\t[0-9]*: \(.*\) [0-9-]* [0-9a-f]*:[0-9a-f]*:[0-9]* \(.*\)/\1 \2/p' "$@"
}

@test "locks are seen among many orphans, most of which have none" {
	hold h locks
	hold m many "$DIR" 30
	checkpoint_ok
	json_is '(.entries | length) >= 32 and ([.entries[] | select(.locks != []).holders[].pid]
		| unique) == ['"${HOLD_PID[h]}"'] and
		([.entries[].locks[].type] | sort) == ["flock","lease","ofd","posix"]'
}

@test "locks come back: of the description, and for a command those of the process" {
	local kind locker
	mkfifo "$T/locker" "$T/locked"
	hold h locks
	locks_of "/proc/${HOLD_PID[h]}/fdinfo/"* | sort >"$T/locks"
	[ "$(wc -l <"$T/locks")" -eq 4 ]
	checkpoint_ok
	json_is '[.entries[].locks[] | [.type, .access, .start, .end]] | sort ==
		[["flock","write",0,null],["lease","read",0,null],["ofd","read",100,null],
		["posix","write",5,9]]'
	rt_ok restore "$M" --check
	[[ $output == *"posix write lock of bytes 5-9"*"taken for CMD only"* ]]

	# the holder lives, but a copy is another file: everything can be taken
	for options in "--holder ${HOLD_PID[h]}" ''; do
		# shellcheck disable=SC2086,SC2016 # words; for that shell
		rt_ok restore "$M" --keep $options -- sh -c 'cat /proc/$$/fdinfo/* 2>/dev/null; true'
		[ -z "$stderr" ]
		diff -u "$T/locks" <(locks_of - <<<"$output" | sort)
	done

	# what somebody has taken meanwhile is told, and the rest comes back
	exec 7<"$(entry_file 0)" 8<"$(entry_file 1)"
	flock -n -s 7
	flock -n -s 8
	# shellcheck disable=SC2016 # for that shell
	rt_ok restore "$M" --keep -- sh -c 'cat /proc/$$/fdinfo/* 2>/dev/null; true'
	[[ $stderr == *"flock write lock is not taken again: another has the file"* ]]
	diff -u <(grep -v FLOCK "$T/locks") <(locks_of - <<<"$output" | grep -v FLOCK | sort)
	exec 7<&- 8<&-
	# each kind: another's lock of all bytes, and an opener, who is in the way of a lease
	python3 -c 'import fcntl, sys
files = [open(name, "r+") for name in sys.argv[1:]]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()' "$(entry_file 0)" "$(entry_file 1)" <"$T/locker" >"$T/locked" 3>&- &
	exec {locker}>"$T/locker"
	read -r -t "$PATIENCE" <"$T/locked"
	# shellcheck disable=SC2016 # for that shell
	rt_ok restore "$M" --keep -- sh -c 'cat /proc/$$/fdinfo/* 2>/dev/null; true'
	for kind in 'posix write lock of bytes 5-9' 'ofd read lock of bytes 100 to the end' 'read lease'; do
		[[ $stderr == *"the ${kind/read lease/lease read} is not taken again: another has the file"* ]]
	done
	diff -u <(grep FLOCK "$T/locks") <(locks_of - <<<"$output" | sort) >&2
	exec {locker}>&-
	wait
	rt_ok restore "$M" --to "$T/out"
	no_new_names
}

@test "whom signals go to: named again for a command, else told" {
	hold h owned
	checkpoint_ok
	json_is --argjson pid "${HOLD_PID[h]}" --argjson parent "$(hold_value h parent)" \
		'[.entries[].owners[] | [.type, .owner, .signal, .async]] | sort == ([
			["process", $pid, 40, true], ["process", $pid, 41, true],
			["process", $parent, null, false]] | sort)'
	rt_ok restore "$M" --keep --to "$T/out"
	cgroup_empty "$CG"
	restore_ok --keep --holder "${HOLD_PID[h]}"
	[[ $stderr == *"F_SETOWN to process $(hold_value h parent)"*"nobody is in that one's place"* ]]
	json_is --argjson fd "$(hold_value h fd)" --argjson leased "$(hold_value h leased)" \
		--argjson other "$(hold_value h other)" '.pid as $pid | [.fds[] |
			select(.fd == ($fd, $leased, $other)) | [.owner, .signal, (.flags / 8192 | floor) % 2]] ==
		[[$pid, 40, 1], [0, 0, 0], [$pid, 41, 1]]'
	# without a command there is nobody to name
	"$RT" restore "$M" --listen "$T/socket" >"$T/listen.out" 2>"$T/listen.err" 3>&- &
	local listener=$!
	until [ -s "$T/listen.out" ]; do kill -0 $listener; done
	kill -TERM $listener
	wait $listener || true
	grep -q "without O_ASYNC to process ${HOLD_PID[h]} (signal 40): name it anew" "$T/listen.err"
	rt_ok clean "$M"
	no_new_names
}

# flags_at PID FD...: their numbers and flags, without O_CLOEXEC.
flags_at() {
	local pid=$1 fd flags
	for fd in "${@:2}"; do
		flags=$(awk '$1 == "flags:" { print $2 }' "/proc/$pid/fdinfo/$fd")
		printf '%d %o\n' "$fd" $((0$flags & ~02000000))
	done
}

@test "status flags come back: each, and all together" {
	local HOLD_VIA=("$HELPERS/keep") row rows=(file=r+direct file=r+sync file=w+dsync
		file=r+noatime file=rw+nonblock file=w+append file=rw+append+direct+noatime+nonblock+sync
		fifo=r+nonblock fifo=rw+direct fifo=rw+async fifo=r+direct+nonblock+async dir=dir+noatime)
	local fds=() i
	for i in "${!rows[@]}"; do fds+=($((40 + i))); done
	head -c 8192 /dev/urandom >"$DIR/file"
	mkfifo "$DIR/fifo"
	mkdir "$DIR/dir"
	hold h - "$DIR" "${rows[@]}"
	rm -r "$DIR/file" "$DIR/fifo" "$DIR/dir"
	flags_at "${HOLD_PID[h]}" "${fds[@]}" >"$T/was"
	# each of them was taken, where it is asked for
	[ "$(awk '{ print $2 }' "$T/was" | sort -u | wc -l)" -eq ${#rows[@]} ]
	checkpoint_ok
	cgroup_empty "$CG"
	export -f flags_at
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- bash -c 'flags_at $$ "$@"' - "${fds[@]}"
	diff -u "$T/was" - <<<"$output" >&2
	[ -z "$stderr" ]
	no_new_names
}

@test "status flags that the new place cannot have are told" {
	local HOLD_VIA=("$HELPERS/keep")
	mkdir -m 777 "$T/store"
	mount -t ramfs -o mode=777 ramfs "$T/store" # which has no O_DIRECT
	mkdir -m 700 "$T/store/s"
	head -c 8192 /dev/urandom >"$DIR/file"
	chown 1000 "$DIR/file"
	hold h - "$DIR" file=rw+direct file=r+noatime file=w+sync+append
	rm "$DIR/file"
	checkpoint_ok --store "$T/store/s"
	cgroup_empty "$CG"
	# shellcheck disable=SC2016 # the program's
	run --separate-stderr setpriv --bounding-set -fowner --inh-caps -fowner "$RT" restore "$M" \
		--holder "${HOLD_PID[h]}" -- bash -c 'grep flags: /proc/$$/fdinfo/4[012]'
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"fd 40 of process ${HOLD_PID[h]} comes back without O_DIRECT"* ]]
	[[ $stderr == *"fd 41 of process ${HOLD_PID[h]} comes back without O_NOATIME"* ]]
	[ "$(wc -l <<<"$stderr")" -eq 2 ]
	[[ ${lines[2]} == *4112001 || ${lines[2]} == *4012001 ]]
}

@test "whom signals go to: a process, a thread, a group, a signal alone" {
	local HOLD_VIA=(setsid "$HELPERS/keep") fifo
	local fifos=(self thread group none) theirs='map(select(.fd >= 40)) | sort_by(.fd)'
	mkfifo "$DIR/fifo"
	hold h - "$DIR" fifo={rw,rw,rw,rw}+async
	for fifo in 0 1 2 3; do
		hold_do h "own $fifo ${fifos[fifo]} $((40 + fifo))"
		[ "$REPLY" = ok ]
	done
	rm "$DIR/fifo"
	checkpoint_ok
	json_is --argjson pid "${HOLD_PID[h]}" '[.entries[].owners[] |
		[if .owner then .type else null end, .owner, .signal]] ==
		[["process", $pid, 40], ["thread", $pid, 41], ["group", $pid, 42], [null, null, 43]]'
	cgroup_empty "$CG"
	# who leads a group names it; O_ASYNC is 020000
	run --separate-stderr alone timeout --foreground "$PATIENCE" setsid -w "$RT" restore "$M" --keep \
		--holder "${HOLD_PID[h]}" -- "$HELPERS/got"
	json_is ".pid as \$pid | .fds | $theirs"' | [.[] | [if .owner == 0 then null else .owned_by end, .owner,
		.signal, (.flags / 8192 | floor) % 2]] ==
		[[1, $pid, 40, 1], [0, $pid, 41, 1], [2, $pid, 42, 1], [null, 0, 43, 1]]'
	[ -z "$stderr" ]
	# and who does not is told
	run --separate-stderr alone timeout "$PATIENCE" "$RT" restore "$M" \
		--holder "${HOLD_PID[h]}" -- "$HELPERS/got"
	json_is ".fds | $theirs"' | [.[] | .signal] == [40, 41, 0, 43]'
	[[ $stderr == *"fd 42 "*"O_ASYNC to group ${HOLD_PID[h]} (signal 42): nobody is in that one's place"* ]]
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	no_new_names
}

@test "a FIFO of packets: their bytes come back, and that they were packets is told" {
	local HOLD_VIA=("$HELPERS/keep")
	mkfifo "$DIR/fifo"
	hold h - "$DIR" fifo=rw+direct+nonblock
	hold_do h "write 0 first"
	hold_do h "write 0 second"
	rm "$DIR/fifo"
	checkpoint_ok
	json_is '.entries[0] | .not_carried == "where the packets in the FIFO end" and
		(.pipe.data_b64 | @base64d) == "firstsecond"'
	cgroup_empty "$CG"
	rt_ok restore "$M" -- dd bs=100 count=1 iflag=nonblock status=none if=/proc/self/fd/3
	[ "$output" = firstsecond ]
}

@test "flags and ways of opening come back" {
	hold e exe
	checkpoint_ok
	cgroup_empty "$CG"
	# shellcheck disable=SC2016 # open for writing it could not be executed
	rt_ok restore "$M" --holder "${HOLD_PID[e]}" -- sh -c '
		fd=${RELINKTRACE_ORPHANS#*=} && "/proc/self/fd/$fd" nonsense . || test $? -eq 2'
	[[ $stderr == *"no situation nonsense"* ]]
	no_new_names
}

@test "--holder: what it had as its root, or mapped, is open, and it is told" {
	local sum
	hold r root
	hold m mapped
	sum=$(file_facts "/proc/${HOLD_PID[m]}/map_files/$(hold_value m map)" | jq -r .sum)
	checkpoint_ok
	json_is '[.entries[] | .holders | map(.kind)] | sort == [["map"], ["root"]]'
	cgroup_empty "$CG"
	rt_ok restore "$M" --holder "${HOLD_PID[r]}" -- "$HELPERS/got"
	[[ $stderr == *"process ${HOLD_PID[r]} had it as its root directory; "*"has to go there by fchdir(2) and chroot(2)"* ]]
	json_is '(.fds | length) == 1 and (.fds[0] | .type == "directory" and .mode == 489) and
		(.fds[0].fd as $fd | .environment.RELINKTRACE_ORPHANS | endswith("=\($fd)"))'
	rt_ok restore "$M" --holder "${HOLD_PID[m]}" -- "$HELPERS/got"
	[[ $stderr == *"process ${HOLD_PID[m]} had it mapped and not open; "*"has to map it itself"* ]]
	json_is --arg sum "$sum" '(.fds | length) == 1 and .fds[0].sum == $sum and
		.fds[0].flags % 4 == 2'
	no_new_names
}

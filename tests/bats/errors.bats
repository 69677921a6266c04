#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What a filesystem can answer instead of doing it, each provoked for real: the next step
# of the ladder is taken with the reason recorded, or the entry failed and says why and what
# to do. Nothing half made is left, clean finds the rest, and all other orphans are
# preserved all the same.
#
# RELINKTRACE_KILL_STEP says at how many calls once a filesystem shuts down (1: at each); with
# more than 6 limits of open files are left out, too.

load lib
load errors

STEP=${RELINKTRACE_KILL_STEP:-1}

@test "ENOSPC: there is no room for the journal, or for the manifest" {
	in_memory 4M
	hold h many "$SMALL" 40
	mkdir "$T/room"
	local pages left
	for pages in 1 2 3 5 9 64; do
		mount -t tmpfs -o "size=$((pages * 4096))" room "$T/room"
		rt checkpoint --cgroup "$CG" --manifest "$T/room/manifest.json"
		[ "$status" -ne 0 ] || break
		[ "$status" -eq 1 ]
		[[ $stderr == *"manifest.json"*"No space left on device"*"free some"* ]]
		left=$(ls -A "$T/room")
		umount "$T/room"
		[ -z "$left" ]
		[ -z "$(ls -A "$SMALL")" ]
		[ -z "$(ls -A "$RELINKTRACE_STATE")" ]
	done
	[ "$pages" -eq 64 ]
	rt_ok clean "$T/room/manifest.json"
	umount "$T/room"
}

@test "ENOSPC: there is no room for the index: said, and it goes on" {
	mkdir -m 700 "$RELINKTRACE_STATE"
	mount -t tmpfs -o size=4k,nr_inodes=1,mode=700 state "$RELINKTRACE_STATE"
	good_one
	checkpoint_ok
	rt_ok clean "$M"
	umount "$RELINKTRACE_STATE"
	rm "$M"
	no_new_names
}

@test "ENOSPC: halfway through a copy; what fits is copied all the same" {
	in_memory 1M
	good_one
	hold big unlinked "$SMALL" big
	truncate -s 600K "$(hold_file big)"
	head -c 600K /dev/urandom >"$(hold_file big)"
	hold many many "$SMALL" 30
	checkpoint
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '(.entries | length) == 31 and (.failed | length) == 1'
	json_is '.failed[0] | (.path | endswith("/big")) and .errno == 28 and
		(.error | contains("copy: No space left on device") and contains("free some"))'
	# no page of the half copy is kept
	[ "$(df --output=avail -B1 "$SMALL" | tail -n 1)" -gt $((100 << 10)) ]
	rt_ok clean "$M"
	no_half_copy
}

@test "ENOSPC: two copies of which either fits, but not both: one is made" {
	in_memory 1M
	local name
	for name in one two; do
		hold "$name" unlinked "$SMALL" "$name"
		head -c 300K /dev/urandom >"$(hold_file "$name")"
	done
	checkpoint
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '(.entries | length) == 1 and (.failed | length) == 1 and .failed[0].errno == 28'
	rt_ok clean "$M"
	no_half_copy
}

@test "ENOSPC: there is no inode for the folder" {
	small ext4 2M -N 16 -O ^has_journal
	hold h ab "$SMALL"
	good_one
	rmdir "$SMALL/lost+found"
	local n=0
	while : 2>/dev/null >"$SMALL/full$((n += 1))"; do :; done
	tree >"$T/tree"
	one_failed 28 'cannot make folder lost+found' 'No space left on device' 'free some'
	clean_leaves_nothing
}

@test "ENOSPC at the restore: nothing is removed, and it goes when there is room" {
	in_memory 1M
	hold h tmpfile "$SMALL" $((300 << 10))
	checkpoint_ok --stop --method copy
	cgroup_empty "$CG"
	head -c 600K /dev/zero >"$SMALL/other"
	rt restore "$M" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	[[ $stderr == *'No space left on device'* ]]
	[ ! -e "$T/ran" ]
	rm "$SMALL/other"
	restore_ok
	json_is '.fds[0].size == 307200'
	no_half_copy
}

@test "EDQUOT: a btrfs quota group that is full" {
	small btrfs 256M
	btrfs quota enable "$SMALL" || skip "no quotas of btrfs on this kernel"
	hold h ab "$SMALL"
	head -c 4M /dev/urandom >"$SMALL/other"
	good_one
	tree >"$T/tree"
	sync -f "$SMALL"
	btrfs quota rescan -w "$SMALL"
	btrfs qgroup limit 1M 0/5 "$SMALL"
	one_failed 122 'cannot make folder lost+found' 'Disk quota exceeded' 'raise the quota'
	clean_leaves_nothing
}

# cut_off: an ext4 at $SMALL whose device ends in the middle of its file.
cut_off() {
	local last
	small ext4 64M -b 4096 -O ^has_journal
	head -c 20M /dev/urandom >"$SMALL/file"
	sync -f "$SMALL"
	last=$(filefrag -v "$SMALL/file" | awk '/last/ { print $5 + 0 }')
	# so that no page of it is in memory
	umount "$SMALL"
	mount -o loop "$T/small.image" "$SMALL"
	truncate -s $((last * 4096 - (4 << 20))) "$T/small.image"
	! tail -c 1M "$SMALL/file" >/dev/null 2>&1 ||
		skip "a loop device reads what is cut off as zeros on this kernel"
}

@test "EIO: the file cannot be read to its end" {
	cut_off
	good_one
	actor h "$SMALL"
	act h 'open file 1' 'unlink file'
	one_failed 5 'copy: Input/output error' 'kernel log'
	rt_ok clean "$M"
}

@test "EIO: the filesystem has shut itself down, before and after the checkpoint" {
	small xfs 300M
	hold h unlinked "$SMALL" there
	good_one
	checkpoint_ok
	xfs_io -x -c shutdown "$SMALL"
	# what is there cannot be removed, and is not forgotten
	rt clean "$M"
	[ "$status" -eq 3 ]
	[[ $output == '1 removed, 0 gone already, 1 left' ]]
	[[ $stderr == *'Input/output error'* ]]
	mv "$M" "$M.first"
	one_failed 5 'Input/output error' 'kernel log'
	rt_ok clean "$M"
	mv "$M.first" "$M"
	cgroup_empty "$CG"
	umount "$SMALL"
	mount -o loop "$T/small.image" "$SMALL"
	rt_ok clean --expired 0s
	[[ $output == '1 removed, '* ]]
	no_half_copy
}

# refusing WORDS [OPTION]...: as checkpoint, while the kernel refuses what WORDS say
# (tests/helpers/killer.c); in $ended is how it ended.
refusing() {
	KILLER_REFUSE=$1 run --separate-stderr timeout "$PATIENCE" "$HELPERS/killer" kill 0 \
		"$RT" checkpoint --cgroup "$CG" --manifest "$M" "${@:2}"
	echo "$output $stderr"
	[[ ${lines[-1]} =~ ^ended\ ([0-9]+)\  ]]
	ended=${BASH_REMATCH[1]}
}

# What was to be removed is there, is told of, and is found.
left_and_found() {
	[[ $stderr == *"$1"*"Input/output error"*"relinktrace clean $M"* ]]
	[ -e "$M.journal" ]
	rt_ok clean "$M"
	[[ $output == "$2 removed, 0 gone already, 0 left" ]]
	[ ! -e "$M.journal" ]
	[ -z "$(ls -A "$RELINKTRACE_STATE")" ]
	no_new_names
}

@test "EIO: what is half made cannot be removed: clean finds it" {
	in_memory 1M
	good_one
	hold big unlinked "$SMALL" big
	head -c 600K /dev/urandom >"$(hold_file big)"
	local more
	for more in '' '--deadline 1000'; do
		# shellcheck disable=SC2086 # words
		refusing 'tmpfile unlink' $more
		[ "$ended" -eq 3 ]
		output=$(<"$M")
		json_is '(.entries | length) == 1 and .failed[0].errno == 28'
		[ -n "$(find "$SMALL" -type f -name '.relinktrace-*')" ]
		left_and_found .relinktrace- 2
		no_half_copy
		rm "$M"
	done
}

@test "EIO, EROFS: clean by the index finds it too, and tries again" {
	in_memory 1M
	good_one
	hold big unlinked "$SMALL" big
	head -c 600K /dev/urandom >"$(hold_file big)"
	refusing 'tmpfile unlink'
	hold_do big close
	mount -o remount,ro "$SMALL"
	rt clean --expired 0s
	[ "$status" -eq 3 ]
	[[ $output == '1 removed, 0 gone already, 3 left' ]]
	[[ $stderr == *'Read-only file system'* ]]
	mount -o remount,rw "$SMALL"
	rt_ok clean --expired 0s
	[[ $output == '1 removed, 1 gone already, 0 left' ]]
	[ -z "$(ls -A "$RELINKTRACE_STATE")" ]
	no_half_copy
}

@test "EIO: the name that a file had first cannot be removed: clean finds it" {
	good_one
	refusing 'tmpfile noreplace unlink'
	[ "$ended" -eq 0 ]
	output=$(<"$M")
	json_is '.complete and (.entries | length) == 1'
	"$RT" restore "$M" --check
	left_and_found .relinktrace- 2
}

@test "EIO: a folder that is not needed cannot be removed: clean finds it" {
	in_memory 1M
	hold h many "$SMALL" 40
	# there is room for the journal, and none for the manifest
	mkdir "$T/room"
	mount -t tmpfs -o size=32k room "$T/room"
	M=$T/room/manifest.json
	refusing rmdir
	[ "$ended" -eq 1 ]
	[ ! -e "$M" ]
	[ -d "$SMALL/lost+found/checkpoint" ]
	left_and_found lost+found/checkpoint 0
	[ ! -e "$SMALL/lost+found" ]
}

@test "EIO: a dump that fails takes back what could not be removed before; what stays clean finds" {
	good_one
	mkdir "$T/images"
	M=$T/images/relinktrace.json
	local words
	for words in 'tmpfile noreplace unlink first' 'tmpfile noreplace unlink'; do
		CRIU=/bin/false KILLER_REFUSE=$words run --separate-stderr timeout "$PATIENCE" \
			"$HELPERS/killer" kill 0 "$RT" criu dump --tree "${HOLD_PID[good]}" --images-dir "$T/images"
		echo "$output $stderr"
		[[ ${lines[-1]} == 'ended 1 '* ]]
		[[ $stderr == *'cannot remove .relinktrace-'*'what was preserved is removed again'* ]]
		[[ $words == *first ]] || break
		[ ! -e "$M" ]
		[ ! -e "$M.journal" ]
		[ -z "$(ls -A "$RELINKTRACE_STATE")" ]
		no_new_names
	done
	[[ $stderr == *"names are left: \`relinktrace clean $M"* ]]
	[ -e "$M" ]
	[ -e "$M.journal" ]
	rt_ok clean "$M"
	[[ $output == '1 removed, '*' 0 left' ]]
	[ ! -e "$M.journal" ]
	[ -z "$(ls -A "$RELINKTRACE_STATE")" ]
	no_new_names
}

# denied WORDS REFUSED [OPTION]...: as refusing, while the kernel does what WORDS say, and answers
# that it failed.
denied() {
	KILLER_DENY=$1 refusing "${@:2}"
}

# Whether nothing but what the manifest tells of was made, or is known of.
nothing_forgotten() {
	rt_ok clean "$M"
	[ ! -e "$M.journal" ]
	[ -z "$(ls -A "$RELINKTRACE_STATE")" ]
	tree | diff "$T/tree" - >&2
	no_new_names
	rm -f "$M"
}

# Of two orphans one is linked and one copied, first under a name of its own.
setup_denied() {
	in_memory 4M
	hold link ab "$SMALL"
	hold copy unlinked "$SMALL"
	tree >"$T/tree"
}

# made_all_the_same WORDS ERROR: both are preserved, or where that could not be the rest is gone.
made_all_the_same() {
	local more
	for more in 'tmpfile noreplace' tmpfile; do
		((STEP <= 13)) || [[ $more == *noreplace ]] || continue
		echo "# $1 $2 $more"
		KILLER_ERRNO=$2 denied "$1" "$more" --freeze
		[ "$ended" -eq 0 ]
		output=$(<"$M")
		json_is '.complete and (.entries | length) == 2 and
			([.entries[].method] | sort) == ["copy", "link"]'
		[ ! -e "$M.journal" ]
		rt_ok restore "$M" --check
		nothing_forgotten
	done
}

@test "EIO, EEXIST: what a call was to do is done, but its answer is lost: it counts" {
	setup_denied
	local words
	for words in link mkdir rename commit; do
		made_all_the_same "$words" 5
		made_all_the_same "$words" 17
	done
	# no other has the name, and so the next one will do
	made_all_the_same 'create once' 17
}

@test "EINTR, ESTALE, ETIMEDOUT: so it is with them" {
	setup_denied
	local error
	for error in 4 116 110; do
		made_all_the_same link "$error"
	done
}

@test "EIO: what a restore makes again is there, but its answer is lost: it is given back" {
	in_memory 4M
	tree >"$T/tree"
	hold d dirfd "$SMALL"
	hold f fifo "$SMALL"
	checkpoint_ok
	cgroup_empty "$CG"
	KILLER_DENY='mkdir node' "$HELPERS/killer" kill 0 "$RT" restore "$M" -- touch "$T/ran" || [ $? -eq 1 ]
	[ -e "$T/ran" ]
	rm "$M"
	tree | diff "$T/tree" - >&2
}

@test "EIO: a file whose answer was lost is gone, and what it was for has failed" {
	setup_denied
	denied create tmpfile
	[ "$ended" -eq 3 ]
	output=$(<"$M")
	json_is '(.entries | length) == 1 and .failed[0].errno == 5'
	[ ! -e "$M.journal" ]
	nothing_forgotten
}

@test "EEXIST: without %t in the template it may be another checkpoint's name" {
	SMALL=$T/small
	# 5.10 counts links down by itself, and the file has two inodes there
	fuse_over "$DIR/source" "$SMALL" -o attr_timeout=0
	mkdir "$CG/h"
	HOLD_CGROUP=$CG/h hold link ab "$SMALL"
	tree >"$T/tree"
	CG=$CG/h KILLER_ERRNO=17 denied 'link once' tmpfile --template 'names/%n'
	[ "$ended" -eq 0 ]
	output=$(<"$M")
	json_is '.complete and (.entries | length) == 1 and .entries[0].method == "link"'
	[[ $stderr == *"may be there"*"relinktrace clean $M"* ]]
	nothing_forgotten
}

@test "EIO: what a call that failed has done cannot be found out: clean finds it" {
	setup_denied
	local words more
	for words in link mkdir create rename; do
		for more in 'tmpfile look' 'tmpfile noreplace look'; do
			echo "# $words $more"
			denied "$words" "$more"
			[ -e "$M.journal" ]
			[[ $stderr == *'may be there'*"relinktrace clean $M"* ]]
			nothing_forgotten
		done
	done
}

# An ext4 at $SMALL on a device that takes no block that it does not have already.
full_below() {
	mkdir "$T/below"
	mount -t tmpfs -o size=16M below "$T/below"
	truncate -s 64M "$T/below/image"
	mkfs.ext4 -q -b 4096 -O ^has_journal -E nodiscard "$T/below/image"
	SMALL=$T/small
	mkdir "$SMALL"
	mount -o loop "$T/below/image" "$SMALL"
	"$@"
	sync -f "$SMALL"
	cat /dev/zero >"$T/below/rest" 2>/dev/null || true
}

# copy_lost TEXT [OPTION]...: what a checkpoint says of it.
copy_lost() {
	full_below hold h unlinked "$T/small"
	good_one
	head -c 4M /dev/urandom >"$(hold_file h)"
	checkpoint "${@:2}"
	[ "$status" -eq 3 ]
	output=$(<"$M")
	# a loop device says ENOSPC where what is below it did, on 6.1 EIO
	json_is --arg text "$1" '(.entries | length) == 1 and .complete == false and
		(.entries[0].path | endswith("/good")) and
		(.failed[0] | (.errno | IN(5, 28)) and (.error | contains($text)))'
	no_half_copy
	cgroup_empty "$CG"
	rt clean "$M"
	umount -l "$SMALL"
}

@test "EIO: the copy cannot be brought to the disk" {
	copy_lost '; copy: '
}

@test "EIO: the copy cannot be brought to the disk, when the freeze is over" {
	copy_lost 'its copy may not be on the disk' --freeze
}

# The filesystem as it comes back after that.
small_again() {
	umount "$SMALL"
	mount -o loop "$T/small.image" "$SMALL"
}

@test "EIO: the filesystem shuts itself down at any moment of a checkpoint" {
	local n=0
	good_one
	small xfs 300M
	cp --sparse=always "$T/small.image" "$T/empty.image"
	export SMALL
	while
		HOLD_CGROUP=$CG/$n
		mkdir "$HOLD_CGROUP"
		hold "link$n" ab "$SMALL"
		hold "copy$n" unlinked "$SMALL"
		# shellcheck disable=SC2016 # for that shell
		run --separate-stderr "$HELPERS/stopat" $((n += STEP)) 'xfs_io -x -c shutdown "$SMALL"' \
			"$RT" checkpoint --cgroup "$CG" --manifest "$M"
		echo "# $n: $status $output $stderr"
		cgroup_remove "$HOLD_CGROUP"
		((status != 100))
	do
		# what has come about is written down; where something is left, the journal too
		if [ -e "$M.journal" ]; then
			[[ $stderr == *"relinktrace clean $M"* ]]
		fi
		[ "$status" -eq 3 ] || [ "$status" -eq 0 ]
		[ "$(jq '[.entries[] | select(.path | endswith("/good"))] | length' "$M")" -eq 1 ]
		small_again
		rt_ok clean "$M"
		[ ! -e "$M.journal" ]
		no_half_copy
		rm "$M"
		umount "$SMALL"
		cp --sparse=always "$T/empty.image" "$T/small.image"
		mount -o loop "$T/small.image" "$SMALL"
	done
	echo "# $n calls" >&3
	((n > 20))
	rt_ok clean "$M"
	no_new_names
}

@test "EROFS: the filesystem made itself read-only after an error" {
	OPTIONS=errors=remount-ro small ext4 16M
	hold h ab "$SMALL"
	good_one
	checkpoint_ok
	local trigger number=30 says='Read-only file system' why='ead-only'
	trigger=/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$SMALL")")/trigger_fs_error
	echo provoked >"$trigger"
	# 6.12 answers as if the device was gone
	touch "$SMALL/probe" 2>"$T/said" || ! grep -q 'Input/output error' "$T/said" ||
		number=5 says='Input/output error' why=$says
	rt clean "$M"
	[ "$status" -eq 3 ]
	[[ $output == *'1 left' && $stderr == *"$says"* ]]
	mv "$M" "$M.first"
	one_failed "$number" "$why" 'kernel log'
	rt_ok clean "$M"
	rt restore "$M.first" --holder "${HOLD_PID[h]}" -- touch "$T/ran"
	if (: <>"$SMALL/b") 2>/dev/null; then
		# 6.1 still opens for writing: it is given back, and the name stays
		[ "$status" -eq 0 ]
		[[ $stderr == *'orphan2 is left: cannot remove'*"$says"* ]]
		[ -e "$T/ran" ]
	else
		# for reading it could be; for writing it cannot
		[ "$status" -eq 1 ]
		[[ $stderr == *"$says"*'nothing was removed'* ]]
		[ ! -e "$T/ran" ]
	fi
	cgroup_empty "$CG"
	umount "$SMALL"
	e2fsck -fp "$T/small.image" >&2 || true
	mount -o loop "$T/small.image" "$SMALL"
	mv "$M.first" "$M"
	rt_ok clean --expired 0s
	no_half_copy
}

@test "EMFILE: many orphans under a low limit of open files" {
	hold h many "$DIR" 150
	run --separate-stderr prlimit --nofile=40:40 timeout "$PATIENCE" "$RT" checkpoint \
		--cgroup "$CG" --manifest "$M"
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	output=$(<"$M")
	json_is '.complete and (.entries | length) == 150'
	cgroup_empty "$CG"
	run --separate-stderr prlimit --nofile=60:60 timeout "$PATIENCE" "$RT" restore "$M" -- \
		touch "$T/ran"
	[ "$status" -eq 1 ]
	[[ $stderr == *'Too many open files'*'limit of open files'*'nothing was removed'* ]]
	[ ! -e "$T/ran" ]
	# what may be raised is, and the program has so many more as it had without them
	run --separate-stderr prlimit --nofile=60:400 timeout "$PATIENCE" "$RT" restore "$M" -- \
		sh -c 'ulimit -n; test -e "/proc/$$/fd/152" && echo all'
	[ "$output" = $'213\nall' ]
	no_new_names
}

# under_limits LOW HIGH OPTION...: checkpoints with each number of open files allowed from LOW to
# HIGH. Each either preserves all, or fails with nothing left; none that is higher than one that
# works fails. The lowest one that works is in $LOWEST.
under_limits() {
	local limit options=("${@:3}")
	LOWEST=''
	for limit in $(seq "$1" $((1 + STEP / 4)) $(($2 - 1))) "$2"; do
		run --separate-stderr alone prlimit --nofile="$limit:$limit" timeout "$PATIENCE" "$RT" \
			checkpoint --cgroup "$CG" --manifest "$M" "${options[@]}"
		printf '%d %s: %d\n%s\n' "$limit" "${options[*]}" "$status" "$stderr"
		if [[ $status -eq 0 ]]; then
			LOWEST=${LOWEST:-$limit}
			jq -e '.complete and .failed == [] and (.entries | length) == 3' "$M"
			rt_ok clean "$M"
			rm "$M"
		else
			[ "$status" -eq 1 ]
			[ -z "$LOWEST" ]
			[[ $stderr == *'Too many open files'* ]]
			rt_ok clean --expired 0s
			[ "$output" = '0 removed, 0 gone already, 0 left' ]
		fi
		[ ! -e "$M" ]
		[ ! -e "$M.journal" ]
		[ -z "$(find "$T" -name '.relinktrace*' -o -path "$RELINKTRACE_STATE/*" -o -path "$T/store/*")" ]
		[ "$(<"$CG/cgroup.freeze")" -eq 0 ]
		no_new_names
	done
	[ -n "$LOWEST" ]
}

@test "EMFILE: from the lowest limit of open files that is enough, every one is" {
	hold a ab
	hold u unlinked
	hold p fifo
	local options highest=64
	for options in '' --freeze '--freeze --precopy --digest' "--store $T/store" '--freeze --deadline 100'; do
		# shellcheck disable=SC2086 # words
		under_limits 8 "$highest" $options
		highest=34 # where there is enough for all, see load_iterators()
		[ "$LOWEST" -gt 8 ]
	done
}

@test "EMFILE: a program has the limit that was there before" {
	good_one
	run --separate-stderr prlimit --nofile=60:400 "$RT" checkpoint --cgroup "$CG" \
		--manifest "$M" --exec "ulimit -n >$T/limit"
	[ "$status" -eq 0 ]
	[ "$(<"$T/limit")" -eq 60 ]
	run --separate-stderr prlimit --nofile=60:400 "$RT" restore "$M" -- sh -c 'ulimit -n'
	[ "$output" -eq 60 ]
	no_new_names
}

@test "EMLINK: a file that has all the links it can have" {
	local reason='Too many links'
	small ext4 16M
	echo contents >"$SMALL/a"
	umount "$SMALL"
	debugfs -w -R 'set_inode_field /a links_count 65001' "$T/small.image" 2>/dev/null
	mount -o loop "$T/small.image" "$SMALL"
	actor h "$SMALL"
	act h 'open a 1' 'unlink a'
	good_one
	checkpoint_ok
	json_is --arg reason "$reason" '.entries[] | select(.path | endswith("/a")) |
		.method == "copy" and .nlink == 65000 and (.steps[0] |
			.method == "link" and .errno == 31 and (.error | contains($reason)))'
	rt_ok clean "$M"
	rm "$M"
	hold_do good close
	ARGS=(--method link)
	failed_alone 31 "$reason"
}

@test "EXDEV: nothing but a link, where the mount is covered" {
	mkdir "$DIR/in" "$T/point"
	mount --bind "$DIR/in" "$T/point"
	hold h ab "$T/point"
	mount -t tmpfs cover "$T/point"
	SMALL=$DIR
	ARGS=(--method link)
	failed_alone 18 'covers' 'no link through another one'
}

@test "EPERM: the file is immutable, or append-only" {
	small ext4 16M
	actor h "$SMALL"
	act h 'create i 1' 'link i i2' 'create a 2' 'link a a2'
	chattr +i "$SMALL/i2"
	chattr +a "$SMALL/a2"
	act_fails h EPERM 'unlink i'
	act_fails h EPERM 'unlink a'
	chattr -i "$SMALL/i2"
	chattr -a "$SMALL/a2"
	act h 'unlink i' 'unlink a'
	chattr +i "$SMALL/i2"
	chattr +a "$SMALL/a2"
	tree >"$T/tree"
	checkpoint_ok
	json_is 'all(.entries[]; .method == "copy" and (.steps[0] | .method == "link" and .errno == 1))'
	json_is '.entries[0].steps[0].error | contains("immutable")'
	json_is '.entries[1].steps[0].error | contains("append-only")'
	clean_leaves_nothing
	# what was linked and became so afterwards
	chattr -i "$SMALL/i2"
	checkpoint_ok
	chattr +i "$SMALL/i2"
	rt clean "$M"
	[ "$status" -eq 3 ]
	[[ $stderr == *'cannot remove'*'it is immutable'*'chattr -i'* ]]
	chattr -i "$SMALL/i2"
	clean_leaves_nothing
	chattr -a "$SMALL/a2"
}

@test "EPERM: the folder is immutable, or append-only" {
	small ext4 16M
	hold h ab "$SMALL"
	good_one
	rmdir "$SMALL/lost+found"
	local flag word
	for flag in i a; do
		word=immutable
		[ $flag = i ] || word=append-only
		tree >"$T/tree"
		chattr +$flag "$SMALL"
		one_failed 1 "$word" "chattr -$flag"
		chattr -$flag "$SMALL"
		clean_leaves_nothing
		# the folder of the names itself
		mkdir -m 700 -p "$SMALL/lost+found/checkpoint"
		tree >"$T/tree"
		chattr +$flag "$SMALL/lost+found/checkpoint"
		one_failed 1 "$word" "chattr -$flag"
		chattr -$flag "$SMALL/lost+found/checkpoint"
		clean_leaves_nothing
		# from the checkpoint on
		checkpoint_ok
		chattr +$flag "$SMALL/lost+found/checkpoint"
		rt clean "$M"
		[ "$status" -eq 3 ]
		[[ $stderr == *"$word"*"chattr -$flag"* ]]
		chattr -$flag "$SMALL/lost+found/checkpoint"
		clean_leaves_nothing
		rmdir "$SMALL/lost+found/checkpoint" "$SMALL/lost+found"
	done
}

@test "ESTALE: its server knows the file no more" {
	mkdir "$CG/h"
	SMALL=$T/small
	fuse_over "$DIR/source" "$SMALL" -o hard_remove,attr_timeout=0,entry_timeout=0
	HOLD_CGROUP=$CG/h actor h "$SMALL"
	act h 'create a 1' 'unlink a'
	HOLD_CGROUP=$CG/h good_one
	# what FUSE's library says to it
	CG=$CG/h one_failed 2 'its server knows the file no more'
	rt_ok clean "$M"
	cgroup_empty "$CG/h"
	umount "$SMALL"
	"$HELPERS/await" "$CG/daemon" populated 0
}

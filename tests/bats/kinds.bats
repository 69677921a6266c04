#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What a copy, a clone and a file that is made again have of the one that was held:
# everything. Compared with what other tools say of both.

load lib

# attributes_of PATH: what stat, getfattr (ACLs are among it) and lsattr tell.
attributes_of() {
	stat -L -c '%a %u:%g %s %.9X %.9Y %F %t:%T' "$1"
	getfattr -d -m - -e hex --absolute-names "$1" 2>/dev/null | grep -v '^# file' || true
	[ ! -L "$1" ] || return 0
	lsattr -d "$1" 2>/dev/null | cut -d ' ' -f 1 | tr -d 'eINE' || true
	lsattr -pd "$1" 2>/dev/null | awk '{print "project", $1}' || true
}

# Where data is, and what of the rest is allocated: logical start, length, unwritten.
extents_of() {
	sync "$1"
	filefrag -v -b512 "$1" 2>/dev/null | sed -n 's/^ *[0-9]*: *\([0-9]*\)\.\. *\([0-9]*\):.*:\(.*\)$/\1 \2 \3/p' |
		awk '{ what = /unwritten/ ? "unwritten" : "data"
			if (what == last && $1 == end + 1) end = $2
			else { if (last) print start, end, last; start = $1; end = $2; last = what } }
			END { if (last) print start, end, last }'
}

# rich_file NAME: a file with everything that this filesystem can give it.
rich_file() {
	local file=$DIR/$1
	head -c 100000 /dev/urandom >"$file"
	chown 12:34 "$file"
	chmod 4751 "$file"
	setfattr -n user.test -v value "$file" 2>/dev/null || true
	setfattr -n user.empty "$file" 2>/dev/null || true
	setfattr -n trusted.big -v "$(head -c 3000 /dev/zero | tr '\0' x)" "$file" 2>/dev/null || true
	setfacl -m u:77:rx,g:88:r "$file" 2>/dev/null || true
	chattr +Ad "$file" 2>/dev/null || true
	chattr -p 4711 "$file" 2>/dev/null || true
	touch -a -d '2009-09-09 09:09:09.987654321 UTC' "$file"
	touch -m -d '2010-10-10 10:10:10.123456789 UTC' "$file"
}

@test "copies and clones have all attributes" {
	local method methods=(copy)
	! can_clone || methods+=(clone)
	for method in "${methods[@]}"; do
		rich_file rich
		keep "h-$method" rich=rw
		attributes_of "$DIR/rich" >"$T/was"
		sum=$(sum_of "$DIR/rich")
		rm "$DIR/rich"
		checkpoint_ok --method "$method"
		json_is --arg method "$method" '.entries[0] | .method == $method and .not_carried == null'
		attributes_of "$(entry_file)" >"$T/is"
		diff -u "$T/was" "$T/is"
		[ "$(sum_of "$(entry_file)")" = "$sum" ]
		rt_ok clean "$M"
		rm "$M"
		cgroup_empty "$CG"
	done
	no_new_names
}

sum_of() {
	sha256sum <"$1"
}

@test "holes and preallocated space are where they were, and no more is allocated" {
	local method methods=(copy) file=$DIR/holes
	! can_clone || methods+=(clone)
	for method in "${methods[@]}"; do
		truncate -s 8M "$file"
		fallocate -o 1M -l 1M "$file" || skip "no fallocate on $FSTYPE"
		dd if=/dev/urandom of="$file" bs=64k seek=16 count=2 conv=notrunc status=none
		dd if=/dev/urandom of="$file" bs=64k seek=64 count=3 conv=notrunc status=none
		fallocate -n -o 16M -l 2M "$file"
		sync "$file"
		keep "h-$method" holes=rw
		stat -c '%s' "$file" >"$T/was"
		extents_of "$file" >>"$T/was"
		local allocated sum
		allocated=$(stat -c %b "$file")
		rm "$file"
		checkpoint_ok --method "$method"
		sync "$(entry_file)"
		# not before: what was read of preallocated space is data to SEEK_DATA
		# while it is cached
		sum=$(sum_of "$(hold_file "h-$method")")
		[ "$(stat -c %b "$(entry_file)")" -le "$allocated" ]
		[ "$(sum_of "$(entry_file)")" = "$sum" ]
		if [ "$FSTYPE" != tmpfs ]; then
			stat -c '%s' "$(entry_file)" >"$T/is"
			extents_of "$(entry_file)" >>"$T/is"
			diff -u "$T/was" "$T/is"
			[ "$(stat -c %b "$(entry_file)")" -eq "$allocated" ]
			json_is '.entries[0].not_carried == null'
		elif "$HELPERS/pages" "$(entry_file)" >"$T/is"; then
			# before it was read for its sum, which is the same for both by now
			"$HELPERS/pages" "$(hold_file "h-$method")" | diff -u - "$T/is"
			[ "$(stat -c %b "$(entry_file)")" -eq "$allocated" ]
			json_is '.entries[0].not_carried == null'
		else
			# nobody is told where it is
			[ "$(json '.entries[0].not_carried')" = "$(((allocated -
				$(stat -c %b "$(entry_file)")) * 512)) bytes of preallocated space" ]
		fi
		rt_ok clean "$M"
		rm "$M"
		cgroup_empty "$CG"
	done
}

@test "an immutable or append-only file is copied, cleaned, and is so again when restored" {
	local flag name
	for flag in i a; do
		name=immutable
		[ $flag = i ] || name=append
		echo content >"$DIR/sealed"
		keep "h$flag" sealed=rw
		rm "$DIR/sealed"
		hold_do "h$flag" flag 0 $flag
		[ "$REPLY" = ok ] || skip "no chattr on $FSTYPE: $REPLY"
		checkpoint_ok
		json_is '.entries[0] | .method != "link" and .steps[0].method == "link"'
		json_is --arg flag "$name" '.entries[0].attributes.inode_flags == [$flag]'
		[[ $(lsattr "$(entry_file)") != *"$flag"*- ]]
		cgroup_empty "$CG"
		rt_ok restore "$M" --check
		rt_ok restore "$M" -- "$HELPERS/keep" --flags 3
		[ "$output" = "$name content" ]
		no_new_names
		rm "$M"
	done
}

@test "an O_TMPFILE can be linked by its program after a restore, however it was preserved" {
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	local option
	for option in --stop --json; do
		hold "h$option" tmpfile
		sum=$(sum_of "$(hold_file "h$option")")
		attributes_of "$(hold_file "h$option")" >"$T/was"
		checkpoint_ok "$option"
		cgroup_empty "$CG"
		rt_ok restore "$M" -- ln -L /proc/self/fd/3 "$DIR/linked"
		ln -sf "$DIR/linked" "$T/is-it"
		attributes_of "$T/is-it" >"$T/is"
		[ "$(sum_of "$DIR/linked")" = "$sum" ]
		diff -u "$T/was" "$T/is"
		[ "$(stat -c %h "$DIR/linked")" -eq 1 ]
		rm "$DIR/linked" "$M"
		no_new_names
	done
}

@test "an O_TMPFILE with O_EXCL stays one that cannot be linked" {
	can_tmpfile || skip "no O_TMPFILE on $FSTYPE"
	keep h .=excl
	hold_do h write 0 hello
	checkpoint_ok --stop
	json_is '.entries[0] | .method != "link" and .steps[0].errno == 2'
	cgroup_empty "$CG"
	rt restore "$M" -- ln -L /proc/self/fd/3 "$DIR/linked"
	[ "$status" -ne 0 ]
	[[ $stderr == *"No such file"* ]]
	no_new_names
}

# plain PATH: what stat and getfattr tell of what must not be opened.
plain() {
	stat -L -c '%F %a %u:%g %t:%T %.9X %.9Y' "$1"
	getfattr -d -m - -e hex --absolute-names "$1" 2>/dev/null | grep -v '^# file' || true
}

@test "what is in a FIFO stays there, and is in it again when restored" {
	local method
	for method in recreate link; do
		mkfifo -m 640 "$DIR/fifo"
		[ $method = recreate ] || ln "$DIR/fifo" "$DIR/other"
		keep "h$method" fifo=rw fifo=w fifo=path
		rm "$DIR/fifo"
		# 300000 bytes that are no text, in a pipe that was made larger for them
		"$HELPERS/keep" --fill "$(hold_file "h$method")" 1048576 300000 >"$T/sum"
		hold_do "h$method" write 1 tail
		checkpoint_ok
		json_is --arg method $method '.entries[0] | .method == $method and
			.pipe.capacity == 1048576 and .not_carried == null'
		[ "$(json '.entries[0].pipe.data_b64' | base64 -d | tail -c 4)" = tail ]
		hold_do "h$method" unread 0
		[ "$REPLY" -eq 300004 ]
		cgroup_empty "$CG"
		rt_ok restore "$M" -- "$HELPERS/keep" --drain 3
		[ "$output" = "capacity 1048576 bytes 300004 sum $(<"$T/sum")" ]
		rm -f "$M" "$DIR/other"
		no_new_names
	done
}

@test "sockets, devices, symbolic links and directories are made again as they were" {
	local name
	# the second of a nested tree, of which both are held
	mkdir -m 2750 "$DIR/tree" "$DIR/tree/inner"
	ln -s 'to nowhere' "$DIR/link"
	mknod -m 621 "$DIR/device" c 1 3
	mkfifo -m 601 "$DIR/fifo"
	perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die' "$DIR/socket"
	chmod 4701 "$DIR/socket"
	for name in tree tree/inner link device fifo socket; do
		chown -h 12:34 "$DIR/$name"
		setfattr -h -n trusted.of -v "$name" "$DIR/$name" 2>/dev/null || true
		touch -h -a -d '2009-09-09 09:09:09.987654321 UTC' "$DIR/$name"
		touch -h -m -d '2010-10-10 10:10:10.123456789 UTC' "$DIR/$name"
	done
	setfattr -n user.x -v y "$DIR/tree" 2>/dev/null || true
	setfacl -d -m u:77:rx "$DIR/tree" 2>/dev/null || true
	chattr +d "$DIR/tree" 2>/dev/null || true
	touch -a -d '2009-09-09 09:09:09.987654321 UTC' "$DIR/tree/inner" "$DIR/tree"
	touch -m -d '2010-10-10 10:10:10.123456789 UTC' "$DIR/tree/inner" "$DIR/tree"
	keep h tree=dir tree/inner=path link=path device=path fifo=path socket=path
	local fd
	for fd in 40 41 42 43 44 45; do
		plain "/proc/${HOLD_PID[h]}/fd/$fd" >"$T/was$fd"
	done
	rm -r "$DIR/tree" "$DIR/link" "$DIR/device" "$DIR/fifo" "$DIR/socket"
	checkpoint_ok
	json_is '(.entries | length) == 6 and all(.entries[]; .method == "recreate") and
		[.entries[].target | values] == ["to nowhere"]'
	for fd in 40 41; do # removing what was in it changed its times
		plain "/proc/${HOLD_PID[h]}/fd/$fd" >"$T/was$fd"
	done
	cgroup_empty "$CG"
	# the shell's own plain(), in the restored program
	export -f plain
	export T
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- bash -c 'for fd in 40 41 42 43 44 45; do
		plain "/proc/$$/fd/$fd" >"$T/is$fd"; done; stat -L -c %s /proc/$$/fd/42 >"$T/length"'
	for fd in 40 41 42 43 44 45; do
		diff -u "$T/was$fd" "$T/is$fd"
	done
	[ "$(<"$T/length")" -eq 10 ] # of the target
	no_new_names
}

@test "times long ago and far ahead are given back, as far as the filesystem has them" {
	local fd
	mkdir "$DIR/ago" "$DIR/ahead"
	echo x >"$DIR/file"
	keep h ago=dir ahead=dir file=path
	rm -r "$DIR/ago" "$DIR/ahead" "$DIR/file"
	# ext4 ends in 2446, xfs in 2486, and both begin in 1901
	touch -d '1960-01-02 03:04:05.123456789 UTC' "/proc/${HOLD_PID[h]}/fd/40" "/proc/${HOLD_PID[h]}/fd/42"
	touch -d '3000-01-02 03:04:05.123456789 UTC' "/proc/${HOLD_PID[h]}/fd/41"
	for fd in 40 41 42; do
		plain "/proc/${HOLD_PID[h]}/fd/$fd"
	done >"$T/was"
	grep -q -- '-315521754.876543211 -315521754.876543211' "$T/was"
	checkpoint_ok --method copy
	cgroup_empty "$CG"
	export -f plain
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- bash -c 'for fd in 40 41 42; do
		plain "/proc/$$/fd/$fd"; done'
	diff -u "$T/was" - <<<"$output" >&2
	no_new_names
}

@test "devices are opened again as they were, a block device at its position" {
	truncate -s 1M "$T/image"
	LOOP=$(losetup -f --show "$T/image") || skip "no loop device"
	mknod -m 600 "$DIR/null" c 1 3
	mknod -m 640 "$DIR/block" b "$(stat -c %Hr "$LOOP")" "$(stat -c %Lr "$LOOP")"
	keep h null=w block=rw
	hold_do h write 1 hello
	rm "$DIR/null" "$DIR/block"
	checkpoint_ok
	json_is '[.entries[] | [.type, .method]] == [["chr", "recreate"], ["blk", "recreate"]]'
	cgroup_empty "$CG"
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- bash -c 'echo gone >&40 && printf , >&41 &&
		stat -L -c "%F %a %t:%T" /proc/self/fd/40 /proc/self/fd/41'
	[ "$output" = "character special file 600 1:3
block special file 640 $(stat -c %t:%T "$LOOP")" ]
	sync "$LOOP"
	[ "$(head -c 6 "$T/image")" = hello, ]
	no_new_names
}

@test "one name an inode, though all of its names are gone and several are held" {
	local method=link
	echo content >"$DIR/a"
	ln "$DIR/a" "$DIR/b"
	ln "$DIR/a" "$DIR/c"
	keep h a=rw a=r b=rw b=path
	rm "$DIR/a" "$DIR/b"
	for method in link "$(moved_method)"; do
		checkpoint_ok
		json_is --arg method "$method" '(.entries | length) == 1 and .entries[0].method == $method and
			[.entries[0].holders[].fd] == [40, 41, 42, 43] and
			(.entries[0].holders | map(.ofd) | unique | length) == 4'
		# shellcheck disable=SC2016 # the program's
		rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- sh -c 'for fd in 40 41 42 43; do
			stat -L -c %i /proc/$$/fd/$fd; done | uniq | wc -l'
		[ "$output" = 1 ]
		rm -f "$M" "$DIR/c"
		no_new_names
	done
}

@test "each step down tells why; where only the method that cannot is allowed, it has failed" {
	echo content >"$DIR/a"
	keep h a=rw
	rm "$DIR/a"
	checkpoint_ok
	if can_clone; then
		json_is '.entries[0] | .method == "clone" and [.steps[] | [.method, .errno]] == [["link", 2]]'
	else
		json_is '.entries[0] | .method == "copy" and
			[.steps[] | [.method, .errno]] == [["link", 2], ["clone", 95]]'
	fi
	json_is 'all(.entries[0].steps[]; .error | length > 0)'
	rt_ok clean "$M"
	rm "$M"
	if ! can_clone; then
		checkpoint --method clone
		[ "$status" -eq 3 ]
		output=$(<"$M")
		json_is '.entries == [] and (.failed[0] | .errno == 95 and (.error | contains("clone")))'
		rt_ok clean "$M"
	fi
	no_new_names
}

@test "each of many copies has the bytes of its own file" {
	local fd file n=0
	hold h many "$DIR" 150
	checkpoint_ok --method copy
	while read -r fd file; do
		cmp "/proc/${HOLD_PID[h]}/fd/$fd" "${MOUNT%/}/$file"
		n=$((n + 1))
	done < <(jq -r '.entries[] | "\(.holders[0].fd) \(.relink_path)"' "$M")
	[ "$n" -eq 150 ]
	rt_ok clean "$M"
	no_new_names
}

@test "--digest: what is not byte for byte what was preserved is refused" {
	local file
	hold h ab
	hold g unlinked
	checkpoint_ok --digest
	for n in 0 1; do
		file=$(entry_file $n)
		[ "$(json ".entries[$n].relinked.sha256")" = "$(sum_of "$file" | cut -d ' ' -f 1)" ]
	done
	rt_ok restore "$M" --check
	# one byte, and nothing else: the size and the times are as before
	touch -r "$file" "$T/times"
	printf X | dd of="$file" bs=1 seek=4000 conv=notrunc status=none
	touch -r "$T/times" "$file"
	rt restore "$M" -- touch "$T/ran"
	[ "$status" -eq 1 ]
	[ ! -e "$T/ran" ]
	[[ $stderr == *"other bytes"* ]]
	rt_ok clean "$M"
	no_new_names
}

@test "--precopy: what is preserved is what the file is at the freeze, whoever writes how" {
	local HOLD_VIA=("$HELPERS/scribble")
	hold h - "$DIR" 16777216
	# run in the freeze: what was preserved is what the program has
	cat >"$T/compare" <<-END
		set -e
		jq -r '.entries[] | "\\(.holders[0].fd) \\(.relink_path)"' "$M" >"$T/pairs"
		while read -r fd file; do
			cmp "/proc/${HOLD_PID[h]}/fd/\$fd" "${MOUNT%/}/\$file"
		done <"$T/pairs"
	END
	# Right in each round; again only where no writer had its turn before the freeze.
	for ((round = 0; round < 10; round++)); do
		checkpoint_ok --freeze --precopy --method copy --exec "sh $T/compare"
		[ "$(wc -l <"$T/pairs")" -eq 3 ]
		output=$(jq '.entries |= sort_by(.holders[] | select(.kind == "fd").fd)' "$M")
		json_is '[.entries[].holders[] | select(.kind == "fd").fd] == [50, 51, 52]'
		[[ $FSTYPE == overlay ]] && ! can_tmpfile && break
		json_is 'all(.entries[]; .precopy.bytes == 16777216)'
		# where nobody wrote, nothing is read again; see precopy.h for where that is known
		[[ $FSTYPE != @(ext4|xfs|btrfs) ]] ||
			json_is '.entries[0] | .precopy.unchanged and .bytes_copied == 16777216'
		jq -e 'any(.entries[1, 2]; .precopy.unchanged)' <<<"$output" >/dev/null || break
		rt_ok clean "$M"
	done
	((round < 10))
	rt_ok clean "$M"
	no_new_names
}

# early_holder: a program that holds small files as fds 50 to 58, of which nothing has changed for
# longer than is told by the clock that files are stamped by; at a word it changes them, each in
# another way, but for 50.
early_holder() {
	cat >"$T/holder" <<-'EOF'
		import mmap, os, sys, time

		def make(fd, what):
		    name = sys.argv[3] + "/early"
		    new = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
		    os.unlink(name)
		    os.pwrite(new, what * 5000, 0)
		    os.dup2(new, fd)
		    os.close(new)

		for fd in range(50, 59):
		    make(fd, b"%c" % (fd + 47))
		while time.time() < os.fstat(58).st_ctime + 4:
		    time.sleep(0.1)
		print("ready", os.getpid(), flush=True)
		sys.stdin.readline()
		was = os.fstat(51)
		os.pwrite(51, b"written", 4000)
		os.utime(51, ns=(was.st_atime_ns, was.st_mtime_ns))
		os.ftruncate(52, 10)
		os.pwrite(52, b"y" * 4990, 10)
		mapped = mmap.mmap(53, 5000)
		mapped[7:13] = b"stored"
		kept = os.dup(54)
		os.dup2(55, 54)
		os.dup2(kept, 55)
		os.close(kept)
		make(56, b"replaced")
		os.ftruncate(57, 4000)
		os.pwrite(os.open("/proc/self/fd/58", os.O_WRONLY | os.O_CLOEXEC), b"more", 5000)
		print("changed", flush=True)
		sys.stdin.read()
	EOF
	HOLD_VIA=(python3 "$T/holder")
	hold h - "$DIR"
	HOLD_VIA=()
}

# A hook of stopat: before the freeze that the files are taken in, which is the second; the first
# is the moment that they are not to have changed since.
early_change() {
	[[ $STOPAT_N -ne 3 ]] || {
		echo >"$T/h.in"
		read -r REPLY <"$T/h.out" && [[ $REPLY == changed ]]
	}
}

@test "a small file that changes between its early copy and the freeze is what it is at the freeze" {
	local fd file n=0
	early_holder
	mkdir "$T/images"
	M=$T/images/relinktrace.json
	export -f early_change
	export T
	# in place of criu, which does not work on every kernel; with a word, it is executed
	CRIU=true run --separate-stderr alone timeout "$PATIENCE" "$HELPERS/stopat" freezes early_change \
		"$RT" criu dump --tree "${HOLD_PID[h]}" --images-dir "$T/images" --leave-running -- --log-pid
	echo "$output; $stderr"
	[ "$status" -eq 0 ]
	while read -r fd file; do
		cmp "/proc/${HOLD_PID[h]}/fd/$fd" "${MOUNT%/}/$file"
		n=$((n + 1))
	done < <(jq -r '.entries[] | "\(.holders[] | select(.kind == "fd").fd) \(.relink_path)"' "$M")
	[ "$(jq '.entries | length' "$M")" -eq 9 ]
	[ "$n" -eq 11 ] # two of them by two fds
	# what nobody wrote to was not read again
	jq -c '.entries[] | [.holders[0].fd, .method, .precopy]' "$M"
	[[ $FSTYPE != ext4 ]] ||
		jq -e '[.entries[] | select(.precopy.unchanged).holders[].fd] | sort == [50, 54, 55]' "$M"
	rt_ok clean "$M"
	no_new_names
}

# acls_of PATH...: without the names, which are others.
acls_of() {
	getfacl -cnp -- "$@"
}

@test "ACLs: access and default ones are those that were, and no other is inherited" {
	local method methods=(copy) point=$T/point
	! can_clone || methods+=(clone)
	# a mount whose root gives what is made in it ACLs
	mkdir "$point" "$DIR/point"
	mount --bind "$DIR/point" "$point"
	mkdir "$point/in"
	for method in "${methods[@]}"; do
		echo one >"$point/in/one"
		echo two >"$point/in/two"
		setfacl -m u:77:rwx,g:88:r,m::rx "$point/in/one" || skip "no ACLs on $FSTYPE"
		mkdir -m 2750 "$point/in/dir"
		setfacl -m u:78:r,g:89:rwx,m::rw "$point/in/dir"
		setfacl -d -m u:79:rwx,g::-,o::r,m::r "$point/in/dir"
		setfacl -d -m u:99:rwx,g:99:rwx "$point"
		DIR=$point/in keep "h-$method" one=rw two=rw dir=path
		acls_of "$point/in/one" "$point/in/two" "$point/in/dir" >"$T/was"
		[ "$(grep -c '^mask::\|^default:' "$T/was")" -eq 7 ]
		rm -r "$point/in"/*
		checkpoint_ok --method "$method"
		json_is --arg method "$method" '[.entries[] | [.method, .not_carried]] | sort ==
			[[$method, null], [$method, null], ["recreate", null]]'
		# nobody of the ACLs that the folders inherit
		[ "$(stat -c %a "$point/lost+found" "$point/lost+found/checkpoint")" = $'700\n700' ]
		cgroup_empty "$CG"
		rt_ok restore "$M" --holder "${HOLD_PID[h-$method]}" -- \
			getfacl -cnp /proc/self/fd/40 /proc/self/fd/41 /proc/self/fd/42
		[ "$stderr" = "" ]
		diff -u "$T/was" <(printf '%s\n\n' "$output") >&2
		setfacl -k "$point"
		rm "$M"
	done
	umount "$point"
}

@test "removed directories one inside the other: the way up from one leads to the other" {
	mkdir -p -m 755 "$DIR/outer" "$DIR/outer/middle" "$DIR/outer/middle/inner" "$DIR/outer/beside"
	chmod 500 "$DIR/outer/middle"
	# one holds two of them, and stands in the innermost; another one stands in the fourth
	HOLD_VIA=(env -C "$DIR/outer/middle/inner" "$HELPERS/keep")
	hold h - "$DIR" outer=dir outer/middle=path
	HOLD_VIA=(env -C "$DIR/outer/beside" "$HELPERS/keep")
	hold g - "$DIR" outer/beside=path
	rm -r "$DIR/outer"
	checkpoint_ok
	json_is '(.entries | length) == 4 and all(.entries[]; .parent.ino) and
		(.entries | map({(.path / "/" | last): .}) | add |
			.inner.parent.ino == .middle.ino and .middle.parent.ino == .outer.ino and
			.beside.parent.ino == .outer.ino)'
	cgroup_empty "$CG"
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --keep --holder "${HOLD_PID[h]}" -- sh -c '
		stat -L -c "%i %a" .. /proc/self/fd/41 ../.. /proc/self/fd/40 ../../../nowhere; ls -a . | wc -l'
	[[ $stderr == *"nowhere"* ]]
	[ "${lines[0]}" = "${lines[1]}" ]
	[ "${lines[2]}" = "${lines[3]}" ]
	[ "${lines[0]}" != "${lines[2]}" ]
	[[ ${lines[0]} == *" 500" && ${lines[2]} == *" 755" && ${lines[4]} = 0 ]]
	# all at once, in the order of their inode numbers
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" -- sh -c 'for fd in 3 4 5 6; do stat -L -c %i /proc/self/fd/$fd /proc/self/fd/$fd/..; done'
	[ "$(sort <<<"$output" | uniq -c | awk '{ print $1 }' | sort | tr '\n' ' ')" = "1 1 1 2 3 " ]
	no_new_names
	[ -z "$(find "${MOUNT%/}/" -maxdepth 1 -name '.relinktrace-*')" ]
}

@test "a removed directory in a removed one that nobody holds: said in the entry, and at the restore" {
	mkdir -p -m 755 "$DIR/outer/inner" "$DIR/there/inner"
	keep h outer/inner=dir there/inner=path
	plain "/proc/${HOLD_PID[h]}/fd/40" >"$T/was"
	rm -r "$DIR/outer" "$DIR/there/inner"
	checkpoint_ok
	# with hooks the outer one is known, if it is of the cgroup
	json_is 'any(.entries[]; (.path | endswith("/outer/inner")) and .parent.removed) and
		any(.entries[]; (.path | endswith("/there/inner")) and .parent.removed == false) and
		(.entries | length) == 2'
	cgroup_empty "$CG"
	# shellcheck disable=SC2016 # the program's
	rt_ok restore "$M" --holder "${HOLD_PID[h]}" -- sh -c '
		cd -P /proc/self/fd/40 && stat -c "%a %h" . .. && ls -A .. && ls -A . && stat -L -c %h /proc/self/fd/41/..'
	[[ $stderr == *orphan1*'nobody held it'* || $stderr == *orphan2*'nobody held it'* ]]
	[[ $(grep -c 'nobody held it' <<<"$stderr") -eq 1 ]]
	[ "${lines[0]}" = '755 0' ]
	[ "${lines[1]}" = '700 0' ]
	[ "${lines[2]}" = 0 ]
	[ "${#lines[@]}" -eq 3 ]
	no_new_names
}

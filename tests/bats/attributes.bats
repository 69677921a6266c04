#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# As kinds.bats, of what one filesystem alone has: each test makes its own.

load lib
load errors

@test "where a tmpfs takes large pages, a copy has no more of them than the file" {
	mkdir "$T/huge"
	mount -t tmpfs -o huge=always huge "$T/huge" || skip "no large pages of tmpfs"
	local allocated
	head -c 6M /dev/urandom >"$T/huge/file"
	fallocate -p -o 64K -l 1M "$T/huge/file"
	fallocate -p -o 2052K -l 2044K "$T/huge/file"
	fallocate -p -o 5M -l 1020K "$T/huge/file"
	DIR=$T/huge keep h file=rw
	rm "$T/huge/file"
	allocated=$(stat -L -c %b "$(hold_file h)")
	# else it shows nothing
	((allocated < 12288 - 4096))
	checkpoint_ok
	MOUNT=$T/huge
	[ "$(stat -c %b "$(entry_file)")" -le "$allocated" ]
	json_is '.entries[0] | .method == "copy" and .not_carried == null'
	cmp "$(hold_file h)" "$(entry_file)"
}

@test "xfs: hints of allocation are those of the file, not of the folder" {
	small xfs 300M
	local method
	hints() {
		# X is not set: it has extended attributes, or had
		xfs_io -r -c extsize -c cowextsize -c lsattr "$1" | sed 's/ .*//; s/X$/-/'
	}
	for method in clone copy; do
		mkdir "$SMALL/dir"
		touch "$SMALL/with" "$SMALL/without"
		xfs_io -c 'extsize 1m' -c 'cowextsize 512k' "$SMALL/with"
		xfs_io -r -c 'extsize 2m' "$SMALL/dir"
		head -c 100K /dev/urandom | tee "$SMALL/with" >"$SMALL/without"
		sync -f "$SMALL"
		DIR=$SMALL keep "h$method" with=rw without=rw dir=dir
		xfs_io -r -c 'extsize 4m' "$SMALL" # inherited from now on
		for fd in 40 41 42; do
			hints "/proc/${HOLD_PID[h$method]}/fd/$fd"
		done >"$T/was"
		grep -q '^.1048576.$' "$T/was" && grep -q '^.2097152.$' "$T/was"
		rm -r "$SMALL/with" "$SMALL/without" "$SMALL/dir"
		checkpoint_ok --method "$method"
		# in the order of their numbers, which is another each time
		json_is --arg method "$method" '[.entries[] | .not_carried] == [null, null, null] and
			([.entries[] | select(.type == "regular").method] == [$method, $method]) and
			([.entries[] | select(.type == "directory").method] == ["recreate"])'
		sync -f "$SMALL"
		MOUNT=$SMALL
		for fd in 0 1; do
			[ "$(stat -c %b "$(entry_file $fd)")" -le "$(json "[.entries[] | select(.type == \"regular\")][$fd].allocated / 512")" ]
		done
		cgroup_empty "$CG"
		export -f hints
		# shellcheck disable=SC2016 # the program's
		rt_ok restore "$M" --holder "${HOLD_PID[h$method]}" -- bash -c \
			'for fd in 40 41 42; do hints "/proc/$$/fd/$fd"; done'
		[ "$stderr" = "" ]
		diff -u "$T/was" - <<<"$output" >&2
		xfs_io -r -c 'extsize 0' "$SMALL"
		rm "$M"
	done
}

# encrypt DIR: with a key that is made up (Documentation/filesystems/fscrypt.rst).
encrypt() {
	python3 -c 'import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
key = bytearray(struct.pack("<II32sII32x", 2, 0, bytes(32), 64, 0) + bytes(range(64)))
fcntl.ioctl(fd, 0xc0506617, key)
policy = struct.pack("<BBBB4s16s", 2, 1, 4, 0, bytes(4), bytes(key[8:24]))
fcntl.ioctl(fd, 0x800c6613, policy)' "$1"
}

@test "that a copy is not encrypted, as the file was, is told" {
	small ext4 64M -O encrypt
	mkdir "$SMALL/secret"
	encrypt "$SMALL/secret" || skip "no encryption of ext4 on this kernel"
	echo secret >"$SMALL/secret/linked"
	ln "$SMALL/secret/linked" "$SMALL/secret/other"
	echo secret >"$SMALL/secret/copied"
	DIR=$SMALL/secret keep h linked=rw copied=rw
	rm "$SMALL/secret/linked" "$SMALL/secret/copied"
	checkpoint_ok
	json_is '[.entries[] | [.method, .not_carried]] | sort == [
		["copy", "encryption: its data is in plain text here"], ["link", null]]'
	cgroup_empty "$CG"
}

# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of container runtimes share, after lib.bash. Their containers have
# helpers/tenant.c, and nothing else.

setup_file() {
	criu_modules
	modprobe -q overlay 2>/dev/null || true
}

needs_runtime() {
	# a test may have a function of that name
	type -P "$1" >/dev/null || skip "$1 is not installed (tools/setup runtimes)"
	# 3.17 knows of kernels up to 6.1 or so.
	[[ $(uname -r) == 6.1.* ]] || skip "criu does not work on this kernel"
}

# rootfs_make DIR
rootfs_make() {
	mkdir -p "$1"/{tmp,dev,proc,sys,run,etc,out}
	cp "$HELPERS/tenant" "$1/tenant"
}

# tenant_ready LOG: all that it holds is made, as it says in its log.
tenant_ready() {
	local tail
	exec {FROM}< <(alone tail -n +1 -F "$1" 2>/dev/null)
	tail=$!
	until_said '*ready*'
	kill "$tail"
	exec {FROM}<&-
}

# tenant_sees PID REPORT: what it says of its files.
tenant_sees() {
	kill -USR1 "$1"
	timeout "$PATIENCE" cat "$2"
}

# The same of one whose /dev/shm is not the one of the checkpoint. glibc knows a semaphore by
# its inode, and takes the name for another one there; what is posted by the name is what is
# held counts, though.
tenant_moved_sees() {
	tenant_sees "$@" | sed 's/^\(semaphore .*\) [01]$/\1/'
}

# Of what we make, nothing is in these folders.
nothing_of_ours_in() {
	[ -z "$(find "$@" -xdev -name 'ile*' -o -name 'lost+found' -o \
		-name 'unlink-at*' -o -name '.relinktrace-store')" ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What the DaemonSet's container does not have mounted, and reaches by the mounts of the node's first
# process. (tests/bats/podman.bats has such a container.)

load lib

# without_mounts_of DIR: what in_pod() runs does not see DIR, as the first process does.
without_mounts_of() {
	[ -e "/proc/1/root$1" ] || skip "what the first process sees is not to be looked at"
	# shellcheck disable=SC2016 # sh expands it
	IN=(unshare --mount --propagation private sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$1")
}

# The container's root is where the first process sees it, and the DaemonSet does not.
@test "from the DaemonSet's mounts: what is on a volume goes into the container's root, and away" {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	# not on what is mounted for the tests alone
	DIR=$T rooted_begin
	without_mounts_of "$ROOTFS"
	in_pod '' hook prepare --id pod --tree "$PID" --config "$T/criu.conf" --wait 0
	json_is '.store == null and ([.messages[].text] | any(contains("old by the dump")))'
	in_pod '' hook abort --id pod
	echo 1 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 1
	in_pod '' hook prepare --id pod --tree "$PID" --config "$T/criu.conf"
	[ "$status" -eq 0 ]
	json_is '.messages == [] and ([.names[] | select(.store) | .mount_point] == ["/vol", "/vol", "/vol"])'
	json_is --arg store "/proc/1/root$(realpath "$ROOTFS")/.relinktrace-store" '.store.path == $store'
	[ "$(find "$ROOTFS/.relinktrace-store" -type f | wc -l)" -eq 3 ]
	[ "$(cd "$ROOTFS" && readlink -e ile* | grep -c relinktrace-store)" -eq 3 ]
	# on the node it is found as well
	rt_ok hook post-dump --id pod
	json_is '.messages == [] and ([.names[] | select(.store)] | length == 3)'
	in_pod '' hook clean --id pod
	[ "$status" -eq 0 ]
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'ile*' -o -name '.relinktrace*' -o -name 'unlink-at*')" ]
	[ ! -e "$T/criu.conf" ]
	# what was stored from there, and is cleaned on the node
	in_pod '' hook prepare --id pod --tree "$PID" --config "$T/criu.conf"
	[ "$status" -eq 0 ]
	rt_ok hook clean --id pod
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'ile*' -o -name '.relinktrace*' -o -name 'unlink-at*')" ]
}

@test "from the DaemonSet's mounts: what is read-only for its holder is copied through the node's" {
	mkdir "$T/in" "$T/point"
	mount --bind "$T/in" "$T/point"
	echo contents >"$T/in/file"
	in_cgroup "$CG" sleep 1000 <"$T/point/file" >/dev/null 2>&1 3>&- &
	disown
	"$HELPERS/await" "$CG" populated 1
	rm "$T/in/file"
	mount -o remount,bind,ro "$T/point"
	without_mounts_of "$T/in"
	in_pod '' checkpoint --cgroup "$CG" --manifest "$M"
	[ "$status" -eq 0 ]
	[ "$(<"$T/in/$(jq -r '.entries[0].relink_path' "$M")")" = contents ]
	in_pod '' clean "$M"
	[ "$status" -eq 0 ]
	[ -z "$(ls -A "$T/in")" ]
}

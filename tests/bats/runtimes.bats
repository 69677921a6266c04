#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Checkpoints that a container runtime has CRIU make of a container that goes on running,
# and restores from the archive of its root. The container is helpers/tenant.c alone.

load lib
load tenant

teardown() {
	local id
	for id in $(runc list -q 2>/dev/null); do
		runc delete -f "$id" >&2 || true
	done
	place_remove
}

runc() {
	command runc --root "$T/runc" "$@"
}

pid_of() {
	runc state "$1" | jq -er .pid
}

# bundle_make NAME DIR MIB: a container whose /dev/shm is not its own, as in a pod.
bundle_make() {
	rootfs_make "$2/rootfs"
	mkdir -p "$T/shm"
	mkfifo "$2/rootfs/report"
	command runc spec --bundle "$2"
	jq --arg mib "$3" --arg cgroup "$(cgroup_name "$CG")/$1" --arg shm "$T/shm" \
		--arg conf "$T/runc.conf" '
		.process.args = ["/tenant", "/tmp", "/report", $mib] |
		.process.terminal = false | .root.readonly = false |
		.linux.namespaces |= map(select(.type != "network" and .type != "cgroup")) |
		.linux.cgroupsPath = $cgroup | .annotations["org.criu.config"] = $conf |
		.mounts |= map(if .destination == "/dev/shm" then {destination: "/dev/shm",
			type: "bind", source: $shm, options: ["bind", "rw"]} else . end)
		' "$2/config.json" >"$T/config.json"
	mv "$T/config.json" "$2/config.json"
}

# container_begin NAME BUNDLE MIB
container_begin() {
	bundle_make "$@"
	container_run "$1" "$2"
}

# container_run NAME BUNDLE
container_run() {
	mkfifo "$T/said"
	runc run --detach --bundle "$2" "$1" </dev/null >"$T/said" 2>"$T/stderr" 3>&- &
	read -r -t "$PATIENCE" _ <"$T/said" || cat "$T/stderr" >&2
	wait $!
}

# seen_by NAME BUNDLE: what its program sees of its files.
seen_by() {
	tenant_sees "$(pid_of "$1")" "$2/rootfs/report"
}

# semaphore_of NAME: device and inode of what is mapped. Its program finds it by the name in
# any case: glibc knows it by these, and they are what they were.
semaphore_of() {
	awk '$2 == "rw-s" { print $4, $5 }' "/proc/$(pid_of "$1")/maps"
}

# checkpointed NAME IMAGES: it stays as it is.
checkpointed() {
	runc checkpoint --leave-running --image-path "$2" --work-path "$2.log" "$1" 2>/dev/null
}

# restored NAME FROM IMAGES: a new container in its folder, of archive FROM.
restored() {
	mkdir "$T/$1"
	tar -C "$T/$1" -xf "$2"
	jq --arg cgroup "$(cgroup_name "$CG")/$1" '.linux.cgroupsPath = $cgroup' \
		"$T/$1/config.json" >"$T/config.json"
	mv "$T/config.json" "$T/$1/config.json"
	runc restore --detach --bundle "$T/$1" --image-path "$3" --work-path "$T/$1.log" "$1" \
		</dev/null >/dev/null 2>&1 3>&- || {
		grep Error "$T/$1.log/restore.log" >&2
		return 1
	}
}

archive() {
	tar -C "$1" -cf "$2" rootfs config.json
}

@test "runc alone: a checkpoint aborts, and with link-remap its archive cannot be restored" {
	needs_runtime runc
	container_begin c1 "$DIR/c1" 100
	seen_by c1 "$DIR/c1" >"$T/before"
	[ "$(wc -l <"$T/before")" -eq 4 ]
	run ! checkpointed c1 "$T/one"
	grep -q "Can't create link remap for" "$T/one.log/dump.log"
	echo link-remap >"$T/runc.conf"
	run ! checkpointed c1 "$T/two"
	grep -q "Can't dump ghost file /tmp/large of 104857600 size" "$T/two.log/dump.log"
	# a limit for its size, and then it says that all is well
	echo "ghost-limit $((128 << 20))" >>"$T/runc.conf"
	runc pause c1
	checkpointed c1 "$T/three"
	archive "$DIR/c1" "$T/archive.tar"
	runc resume c1
	run ! restored c2 "$T/archive.tar" "$T/three"
	grep -q "Can't link .*link_remap" "$T/c2.log/restore.log"
}

@test "runc with relinktrace: pause, checkpoint --leave-running, archive, resume, restore" {
	needs_runtime runc
	container_begin c1 "$DIR/c1" 100
	seen_by c1 "$DIR/c1" >"$T/before"
	mkdir "$T/images"
	echo tcp-close >"$T/runc.conf"
	runc pause c1
	rt_ok criu prepare --tree "$(pid_of c1)" --images-dir "$T/images" --config "$T/runc.conf"
	[[ $output == *"4 orphans preserved, 0 left to CRIU"* ]]
	checkpointed c1 "$T/images"
	archive "$DIR/c1" "$T/archive.tar"
	runc resume c1
	seen_by c1 "$DIR/c1" | diff "$T/before" - >&2
	local name
	for name in c2 c3; do
		restored "$name" "$T/archive.tar" "$T/images"
		seen_by "$name" "$T/$name" | diff "$T/before" - >&2
		# its /dev/shm is not in the archive, but the semaphore is
		grep -q '/\.relinktrace-store/.*/orphan' "/proc/$(pid_of "$name")/maps"
	done
	for name in c2 c3; do
		rt_ok criu clean --images-dir "$T/images" --root "/proc/$(pid_of "$name")/root"
		nothing_of_ours_in "$T/$name"
		# all of it is unlinked again, and still the same
		seen_by "$name" "$T/$name" | diff "$T/before" - >&2
	done
	rt_ok criu clean --images-dir "$T/images"
	nothing_of_ours_in "$DIR/c1" "$T/shm"
	[ "$(<"$T/runc.conf")" = tcp-close ]
	seen_by c1 "$DIR/c1" | diff "$T/before" - >&2
}

@test "the recipe for agents with runc: restored from the archive while the first goes on" {
	needs_runtime runc
	local ID=c1 BUNDLE=$DIR/c1 IMAGES=$T/images ARCHIVE=$T/archive.tar CONF=$T/runc.conf
	container_begin c1 "$DIR/c1" 100
	seen_by c1 "$DIR/c1" >"$T/before"
	recipe "runc, podman, ctr" 1
	[ ! -e "$CONF" ]
	seen_by c1 "$DIR/c1" | diff "$T/before" - >&2
	restored c2 "$T/archive.tar" "$T/images"
	seen_by c2 "$T/c2" | diff "$T/before" - >&2
	# its /dev/shm is not in the archive, but the semaphore is
	grep -q '/\.relinktrace-store/.*/orphan' "/proc/$(pid_of c2)/maps"
	recipe "runc, podman, ctr" 4
	nothing_of_ours_in "$DIR/c1" "$T/shm"
	[ -z "$(ls -A "$RELINKTRACE_STATE/hook")" ]
	seen_by c1 "$DIR/c1" | diff "$T/before" - >&2
}

# The kubelet pauses by itself, so that what prepare sees is of a container that runs; without a
# keeper.
@test "hook prepare of a container that runs: links are taken, the rest fits into the images" {
	needs_runtime runc
	container_begin c1 "$DIR/c1" 8
	seen_by c1 "$DIR/c1" >"$T/before"
	rt_ok hook prepare --id kubelet --tree "$(pid_of c1)" --config "$T/runc.conf" --no-store
	json_is '(.criu.external | length) > 0 and .criu.left[0].n == null'
	grep -qx "ghost-limit $((16 << 20))" "$T/runc.conf"
	# its /dev/shm is of somebody else, its root is its own
	json_is '[.names[] | [.mount_point, .outside]] | unique == [["/", false], ["/dev/shm", true]]'
	runc pause c1
	checkpointed c1 "$T/images"
	archive "$DIR/c1" "$T/archive.tar"
	runc resume c1
	rt_ok hook post-dump --id kubelet
	[ ! -e "$T/runc.conf" ]
	restored c2 "$T/archive.tar" "$T/images"
	seen_by c2 "$T/c2" | diff "$T/before" - >&2
	rt_ok hook clean --id kubelet
	nothing_of_ours_in "$DIR/c1" "$T/shm"
	seen_by c1 "$DIR/c1" | diff "$T/before" - >&2
	# and a dump that fails leaves nothing
	rt_ok hook prepare --id kubelet --tree "$(pid_of c1)" --config "$T/runc.conf"
	rt_ok hook abort --id kubelet
	nothing_of_ours_in "$DIR/c1" "$T/shm"
	[ ! -e "$T/runc.conf" ]
}

@test "by itself: with --no-store a volume that is mounted again has the same files" {
	needs_runtime runc
	container_begin c1 "$DIR/c1" 1
	seen_by c1 "$DIR/c1" >"$T/before"
	runc pause c1
	rt_ok hook prepare --id c1 --tree "$(pid_of c1)" --config "$T/runc.conf" --no-store
	json_is '.store == null and ([.names[].mount_point] | unique == ["/", "/dev/shm"])'
	checkpointed c1 "$T/images"
	archive "$DIR/c1" "$T/archive.tar"
	runc resume c1
	rt_ok hook post-dump --id c1
	restored c2 "$T/archive.tar" "$T/images"
	seen_by c2 "$T/c2" | diff "$T/before" - >&2
	[ "$(semaphore_of c2)" = "$(semaphore_of c1)" ]
	rt_ok hook clean --id c1
	nothing_of_ours_in "$DIR/c1" "$T/shm"
}

@test "criu prepare --exec: what fails inside of it leaves nothing" {
	needs_runtime runc
	container_begin c1 "$DIR/c1" 1
	seen_by c1 "$DIR/c1" >"$T/before"
	mkdir "$T/images"
	rt criu prepare --tree "$(pid_of c1)" --images-dir "$T/images" --config "$T/runc.conf" \
		--exec "cp '$T/runc.conf' '$T/conf'; ls -l '$DIR/c1/rootfs' >'$T/root'; exit 3"
	[ "$status" -eq 1 ]
	[ "$(grep -c '^external file\[' "$T/conf")" -eq 4 ]
	[ "$(grep -c ' ile\[.*unlink-at-restart' "$T/root")" -eq 3 ]
	# its /dev/shm is a pod's
	[ "$(grep -c ' ile\[.*\.relinktrace-store/' "$T/root")" -eq 1 ]
	[ -z "$(ls "$T/images")" ]
	[ ! -e "$T/runc.conf" ]
	nothing_of_ours_in "$DIR/c1" "$T/shm"
	seen_by c1 "$DIR/c1" | diff "$T/before" - >&2
	# somebody else's name is in the way, and stays
	ln -s elsewhere "$DIR/c1/rootfs/$(sed -n 's/^external f\(ile.*\)/\1/p;' "$T/conf" | tail -n 1)"
	rt criu prepare --tree "$(pid_of c1)" --images-dir "$T/images" --config "$T/runc.conf"
	[ "$status" -eq 1 ]
	[[ $stderr == *"File exists; clean an earlier checkpoint"* ]]
	[ "$(readlink "$DIR/c1/rootfs"/ile*)" = elsewhere ]
	[ ! -e "$T/runc.conf" ]
}

# volume_begin: c1, whose program has its files on a volume.
volume_begin() {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	bundle_make c1 "$DIR/c1" 8
	mkdir "$DIR/c1/rootfs/vol"
	jq --arg vol "$T/vol" '.process.args[1] = "/vol" |
		.mounts += [{destination: "/vol", type: "bind", source: $vol, options: ["rbind", "rw"]}]' \
		"$DIR/c1/config.json" >"$T/config.json"
	mv "$T/config.json" "$DIR/c1/config.json"
	container_run c1 "$DIR/c1"
	files_of c1 "$DIR/c1" >"$T/before"
	[ "$(wc -l <"$T/before")" -eq 3 ]
}

# files_of NAME BUNDLE: what its program holds; its names are elsewhere.
files_of() {
	seen_by "$@" | sed '/^semaphore /d; s/ [01]$//'
}

# restored_elsewhere NAME: of archive and store, where nobody has that volume, or that
# /dev/shm.
restored_elsewhere() {
	local ROOTFS=$T/$1/rootfs
	mkdir "$T/$1" "$T/vol.$1" "$T/shm.$1"
	tar -C "$T/$1" -xf "$T/archive.tar"
	jq --arg vol "$T/vol.$1" --arg shm "$T/shm.$1" --arg cgroup "$(cgroup_name "$CG")/$1" '
		.linux.cgroupsPath = $cgroup |
		.mounts |= map(if .destination == "/vol" then .source = $vol
			elif .destination == "/dev/shm" then .source = $shm else . end)' \
		"$T/$1/config.json" >"$T/config.json"
	mv "$T/config.json" "$T/$1/config.json"
	[ ! -e "$STORE" ] || recipe "runc, podman, ctr" 7
	runc restore --detach --bundle "$T/$1" --image-path "$T/images" --work-path "$T/$1.log" \
		"$1" </dev/null >/dev/null 2>&1 3>&- || {
		grep Error "$T/$1.log/restore.log" >&2
		return 1
	}
	files_of "$1" "$T/$1" | diff "$T/before" - >&2
}

# restored_twice: as c2 and c3, when c1 is gone, and its volume; c2 is cleaned.
restored_twice() {
	local name
	runc delete -f c1
	umount -l "$T/vol"
	for name in c2 c3; do
		restored_elsewhere "$name"
	done
	rt_ok criu clean --images-dir "$T/images" --root "/proc/$(pid_of c2)/root"
	nothing_of_ours_in "$T/c2/rootfs"
	files_of c2 "$T/c2" | diff "$T/before" - >&2
}

@test "by itself: what is on a volume travels in the archive, and is restored elsewhere" {
	needs_runtime runc
	local ID=c1 BUNDLE=$DIR/c1 IMAGES=$T/images ARCHIVE=$T/archive.tar STORE=$T/none
	local CONF=$T/runc.conf
	volume_begin
	recipe "runc, podman, ctr" 1
	rt_ok hook post-dump --id c1 --images-dir "$IMAGES"
	json_is '[.names[] | select(.mount_point == "/vol") | .store] == [true, true, true]'
	json_is --arg store "$DIR/c1/rootfs/.relinktrace-store" '.store.path == $store'
	nothing_of_ours_in "$T/vol"
	recipe "runc, podman, ctr" 4
	nothing_of_ours_in "$DIR/c1" "$T/vol" "$T/shm"
	files_of c1 "$DIR/c1" | diff "$T/before" - >&2
	restored_twice
	files_of c3 "$T/c3" | diff "$T/before" - >&2
}

@test "by itself: the same as the kubelet does it, who pauses after prepare" {
	needs_runtime runc
	local STORE=$T/none
	volume_begin
	mkdir "$T/images"
	rt_ok hook prepare --id c1 --tree "$(pid_of c1)" --config "$T/runc.conf"
	json_is '.keeper.pid and .messages == [] and all(.names[]; .store | not)'
	local fd
	for fd in "/proc/$(pid_of c1)/fd"/*; do
		[[ $(readlink "$fd") != */vol/large* ]] || printf '%-32s' "until the pause" >>"$fd"
	done
	run ! diff -q "$T/before" <(files_of c1 "$DIR/c1")
	files_of c1 "$DIR/c1" >"$T/before"
	runc pause c1
	checkpointed c1 "$T/images"
	archive "$DIR/c1" "$T/archive.tar"
	runc resume c1
	rt_ok hook post-dump --id c1 --images-dir "$T/images"
	json_is '[.names[] | [.mount_point, .store]] | unique == [["/dev/shm", true], ["/vol", true]]'
	# once in the pause, and not again when criu freezes and runc looks
	[[ $(json .manifest) == */c1/2/relinktrace.json ]]
	[ ! -e "$T/runc.conf" ]
	rt_ok hook clean --id c1
	nothing_of_ours_in "$DIR/c1" "$T/vol" "$T/shm"
	files_of c1 "$DIR/c1" | diff "$T/before" - >&2
	restored_twice
}

@test "--store: what is on a volume travels beside the archive, and is restored elsewhere" {
	needs_runtime runc
	local ID=c1 BUNDLE=$DIR/c1 IMAGES=$T/images ARCHIVE=$T/archive.tar STORE=$T/store
	local CONF=$T/runc.conf name
	volume_begin
	recipe "runc, podman, ctr" 6
	[ ! -e "$CONF" ]
	files_of c1 "$DIR/c1" | diff "$T/before" - >&2
	rt_ok hook post-dump --id c1
	json_is '[.names[] | [.mount_point, .store, .outside]] | unique ==
		[["/dev/shm", true, true], ["/vol", true, true]]'
	json_is --arg store "$STORE" '.store.path == $store'
	nothing_of_ours_in "$T/vol" "$T/shm"
	for name in c2 c3; do
		restored_elsewhere "$name"
	done
	# its program may have written to them
	find "$T/c2/rootfs/.relinktrace-store" -type f -exec touch {} +
	rt_ok criu clean --images-dir "$IMAGES" --root "/proc/$(pid_of c2)/root"
	nothing_of_ours_in "$T/c2/rootfs"
	[ -z "$(find "$T/c2/rootfs/.relinktrace-store" -type f)" ]
	files_of c2 "$T/c2" | diff "$T/before" - >&2
	# the store that it came from, and the other container's, are as they were
	[ "$(find "$STORE" -type f | wc -l)" -eq 4 ]
	files_of c3 "$T/c3" | diff "$T/before" - >&2
	rt_ok hook clean --id c1
	[ -z "$(ls "$STORE")" ]
	nothing_of_ours_in "$DIR/c1" "$T/vol" "$T/shm"
	umount -l "$T/vol"
}

@test "--store: a program that runs on gets none; --store-mounts says of which mounts" {
	needs_runtime runc
	local conf=$T/runc.conf
	volume_begin
	runc pause c1
	rt_ok hook prepare --id some --tree "$(pid_of c1)" --config "$conf" --store "$T/store" \
		--store-mounts /dev/shm
	json_is '[.names[] | [.mount_point, .store]] | unique == [["/dev/shm", true], ["/vol", false]]'
	rt_ok hook abort --id some
	mkdir "$T/images"
	rt_ok criu prepare --tree "$(pid_of c1)" --images-dir "$T/images" --config "$conf" \
		--store "$T/store"
	[[ $output == *"4 orphans preserved, 0 left to CRIU"* ]]
	[ "$(find "$T/store" -type f | wc -l)" -eq 4 ]
	rt_ok criu clean --images-dir "$T/images"
	[ -z "$(ls "$T/store")" ]
	runc resume c1
	rt hook prepare --id some --tree "$(pid_of c1)" --config "$conf" --store "$T/store"
	[ "$status" -eq 3 ]
	json_is '[.names[] | .store] == [false, false, false]'
	[[ $(json '.messages[].text') == *"a copy would be old by the dump"* ]]
	rt_ok hook abort --id some
	rt hook prepare --id some --tree "$(pid_of c1)" --config "$conf" --store "$T/store" --strict
	[ "$status" -eq 1 ]
	json_is '(.proceed | not) and .phase == "none"'
	rt hook prepare --id some --cgroup "$CG" --store "$T/store"
	[ "$status" -eq 2 ]
	[ ! -e "$conf" ]
	nothing_of_ours_in "$DIR/c1" "$T/vol" "$T/shm"
	files_of c1 "$DIR/c1" | diff "$T/before" - >&2
	umount -l "$T/vol"
}

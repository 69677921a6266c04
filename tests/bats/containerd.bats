#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Checkpoints that containerd has runc make, and keeps as images: ctr pauses, archives what
# the container has written, dumps, and goes on.

load lib
load tenant

teardown() {
	place_remove
}

# image_make ARCHIVE: the tenant's, as `docker save` has it.
image_make() {
	local dir=$T/image
	rootfs_make "$T/rootfs"
	mkdir "$dir"
	tar -C "$T/rootfs" -cf "$dir/layer.tar" .
	jq -n --arg sum "$(sha256sum <"$dir/layer.tar" | cut -d ' ' -f 1)" '
		{architecture: "amd64", os: "linux", config: {},
			rootfs: {type: "layers", diff_ids: ["sha256:" + $sum]}}' >"$dir/config.json"
	jq -n '[{Config: "config.json", RepoTags: ["localhost/tenant:1"], Layers: ["layer.tar"]}]' \
		>"$dir/manifest.json"
	tar -C "$dir" -cf "$1" manifest.json config.json layer.tar
}

# All that it knows and makes is in $T, and it is in $CG with its shims; its socket is ctr's.
containerd_begin() {
	needs_runtime containerd
	export CONTAINERD_ADDRESS=$T/socket
	cat >"$T/config.toml" <<-END
		version = 2
		root = "$T/root"
		state = "$T/run"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$CONTAINERD_ADDRESS"
	END
	mkdir "$CG/daemon"
	exec {FROM}< <(in_cgroup "$CG/daemon" containerd --config "$T/config.toml" 2>&1)
	until_said '*containerd successfully booted*'
	image_make "$T/image.tar"
	ctr image import "$T/image.tar" >&2
	mkdir "$T/out"
	mkfifo "$T/out/report"
	CONF=$T/runc.conf
}

# tenant_run NAME MIB [DIR [ARG]...]: its process is $PID, and has its files in DIR (/tmp).
tenant_run() {
	ctr run --detach --runc-root "$T/runc" --log-uri "file://$T/$1.said" --cgroup "$(cgroup_name "$CG")/$1" \
		--mount "type=bind,src=$T/out,dst=/out,options=rbind:rw" \
		--annotation "org.criu.config=$CONF" "${@:4}" localhost/tenant:1 "$1" \
		/tenant "${3:-/tmp}" /out/report "$2" 3>&-
	tenant_ready "$T/$1.said"
	PID=$(pid_of "$1")
	tenant_moved_sees "$PID" "$T/out/report" >"$T/before"
	[ "$(wc -l <"$T/before")" -eq 4 ]
}

pid_of() {
	ctr task ls | awk -v id="$1" '$1 == id { print $2 }'
}

checkpointed() {
	ctr container checkpoint --rw --task "$1" "$2" 2>"$T/stderr" 3>&-
}

# restored NAME REFERENCE
restored() {
	ctr container restore --rw --live "$1" "$2" 2>"$T/stderr" 3>&-
}

# It sees what it saw.
goes_on() {
	tenant_moved_sees "$1" "$T/out/report" | diff "$T/before" - >&2
}

@test "ctr alone: a checkpoint aborts, and with link-remap its image cannot be restored" {
	containerd_begin
	tenant_run c1 100
	local logs=$T/run/io.containerd.runtime.v2.task/default
	run ! checkpointed c1 one
	grep -q "Can't create link remap for /dev/shm/sem" "$logs/c1/criu-dump.log"
	# with link-remap and a limit for its size it says that all is well
	printf 'link-remap\nghost-limit %d\n' $((128 << 20)) >"$CONF"
	tenant_run c2 100
	checkpointed c2 two
	goes_on "$PID"
	run ! restored c3 two
	grep -q "Can't link .*link_remap" "$logs"/c3/*/restore.log
}

@test "the recipe for agents with ctr: restored twice from the image while the first goes on" {
	containerd_begin
	tenant_run c1 100
	local ID=c1 REFERENCE=localhost/tenant:saved IMAGES=$T/images OTHER
	mkdir "$IMAGES"
	recipe "runc, podman, ctr" 3
	[ ! -e "$CONF" ]
	goes_on "$PID"
	rt_ok hook post-dump --id c1
	# the tmpfs on /dev/shm is its own, and in CRIU's images
	json_is '[.names[] | [.mount_point, .outside]] | unique == [["/", false], ["/dev/shm", false]]'
	for OTHER in c2 c3; do
		recipe ctr 1 runtimes.md
		goes_on "$(pid_of "$OTHER")"
	done
	recipe "runc, podman, ctr" 4
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	[ -z "$(ls -A "$RELINKTRACE_STATE/hook")" ]
	goes_on "$PID"
}

# volume_sees PID: what its program holds; its names are elsewhere.
volume_sees() {
	tenant_sees "$1" "$T/out/report" | sed '/^semaphore /d; s/ [01]$//'
}

# volume_run: c1, with its files on a volume that is a tmpfs.
volume_run() {
	mkdir "$T/vol" "$T/images"
	mount -t tmpfs vol "$T/vol"
	tenant_run c1 8 /vol --mount "type=bind,src=$T/vol,dst=/vol,options=rbind:rw"
	[ "$(volume_sees "$PID" | wc -l)" -eq 3 ]
}

# Its program writes to what it holds without a name.
volume_write() {
	local fd
	for fd in "/proc/$PID/fd"/*; do
		[[ $(readlink "$fd") != */vol/large* ]] || printf '%-32s' "$1" >>"$fd"
	done
}

@test "a volume: it is copied within the pause of ctr, and the image is restored without it" {
	containerd_begin
	volume_run
	volume_sees "$PID" >"$T/first"
	rt_ok hook prepare --id c1 --tree "$PID" --config "$CONF"
	json_is '.keeper.pid and .messages == [] and all(.names[]; .store | not)'
	volume_write "goes on until the pause"
	volume_sees "$PID" >"$T/before"
	run ! diff -q "$T/first" "$T/before"
	checkpointed c1 localhost/tenant:volume
	volume_write "goes on after it"
	rt_ok hook post-dump --id c1 --images-dir "$T/images"
	json_is '[.names[] | select(.mount_point == "/vol") | .store] == [true, true, true]'
	json_is '.messages == [] and .store != null'
	# once in the pause, and not again when criu freezes and runc looks
	[[ $(json .manifest) == */c1/2/relinktrace.json ]]
	[ ! -e "$CONF" ]
	nothing_of_ours_in "$T/vol"
	# its volume is gone, and another one is in its place
	umount -l "$T/vol"
	mount -t tmpfs vol "$T/vol"
	restored c2 localhost/tenant:volume
	volume_sees "$(pid_of c2)" | diff "$T/before" - >&2
	rt_ok hook clean --id c1
	nothing_of_ours_in "/proc/$PID/root/" "$T/vol"
	rt_ok criu clean --images-dir "$T/images" --root "/proc/$(pid_of c2)/root"
	nothing_of_ours_in "/proc/$(pid_of c2)/root/"
	volume_sees "$(pid_of c2)" | diff "$T/before" - >&2
}

@test "a volume: with its keeper killed the checkpoint is what it would be without" {
	containerd_begin
	volume_run
	volume_sees "$PID" >"$T/before"
	rt_ok hook prepare --id c1 --tree "$PID" --config "$CONF"
	kill -KILL "$(json .keeper.pid)"
	checkpointed c1 localhost/tenant:volume
	rt_ok hook post-dump --id c1
	json_is 'all(.names[]; .store | not)'
	[[ $(json '.messages[].text') == *"nobody paused"* ]]
	volume_sees "$PID" | diff "$T/before" - >&2
	restored c2 localhost/tenant:volume
	volume_sees "$(pid_of c2)" | diff "$T/before" - >&2
	rt_ok hook clean --id c1
	nothing_of_ours_in "/proc/$PID/root/" "$T/vol"
}

# ctr pauses by itself, and refuses what is frozen already.
@test "criu prepare --exec of ctr: refused, and nothing stays" {
	containerd_begin
	tenant_run c1 8
	mkdir "$T/images"
	rt criu prepare --tree "$PID" --images-dir "$T/images" --config "$CONF" \
		--exec "ctr container checkpoint --rw --task c1 one"
	[ "$status" -eq 1 ]
	[[ $stderr == *"pause failed: container not running"* ]]
	[ ! -e "$CONF" ]
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	goes_on "$PID"
}

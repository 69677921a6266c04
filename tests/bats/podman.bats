#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Checkpoints that podman exports, and restores from the archive: image, container and
# /dev/shm are podman's, and of CRIU's options nobody knows but its file of them.

load lib
load tenant

teardown() {
	# not what somebody else's podman has
	[[ ${CONTAINERS_STORAGE_CONF:-} != "$T"/* ]] || podman rm --all --force --time 0 >&2 || true
	place_remove
}

# All that podman knows and makes is in $T.
podman_begin() {
	needs_runtime podman
	export CONTAINERS_CONF=$T/containers.conf CONTAINERS_STORAGE_CONF=$T/storage.conf
	cat >"$T/containers.conf" <<-END
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "none"
		lock_type = "file"
		runtime = "runc"
		static_dir = "$T/libpod"
		tmp_dir = "$T/tmp"
		volume_path = "$T/volumes"
	END
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' \
		"$T/graph" "$T/run" >"$T/storage.conf"
	rootfs_make "$T/rootfs"
	tar -C "$T/rootfs" -cf - . | podman import - tenant:1 >/dev/null 2>&1
	mkdir "$T/out"
	mkfifo "$T/out/report"
	CONF=$T/runc.conf ARCHIVE=$T/archive.tar
}

# tenant_run NAME MIB: its process is $PID.
tenant_run() {
	podman run --detach --name "$1" --network none --cgroup-parent "$(cgroup_name "$CG")" \
		--log-driver k8s-file --log-opt "path=$T/$1.said" --volume "$T/out:/out" \
		--annotation "org.criu.config=$CONF" tenant:1 /tenant /tmp /out/report "$2" \
		>"$T/$1.id" 3>&-
	tenant_ready "$T/$1.said"
	PID=$(pid_of "$1")
	tenant_moved_sees "$PID" "$T/out/report" >"$T/before"
	[ "$(wc -l <"$T/before")" -eq 4 ]
}

pid_of() {
	podman inspect --format '{{.State.Pid}}' "$1"
}

exported() {
	podman --runtime runc container checkpoint --leave-running --compress none \
		--export "$ARCHIVE" "$1" 2>"$T/stderr" 3>&-
}

# imported [NAME]: a container of that name, or of its own, from the archive.
imported() {
	podman --runtime runc container restore --import "$ARCHIVE" ${1:+--name "$1"} \
		2>"$T/stderr" 3>&-
}

# It sees what it saw.
goes_on() {
	tenant_moved_sees "$1" "$T/out/report" | diff "$T/before" - >&2
}

# restored_twice NAME IMAGES: as itself, which is gone, and as another beside it; and what was
# made for it goes.
restored_twice() {
	local name pid
	podman rm --force --time 0 "$1" >&2
	for name in "$1" other; do
		imported "$([[ $name == "$1" ]] || echo "$name")"
		pid=$(pid_of "$name")
		goes_on "$pid"
		rt_ok criu clean --images-dir "$2" --root "/proc/$pid/root"
		nothing_of_ours_in "/proc/$pid/root/" "/proc/$pid/root/dev/shm/"
		goes_on "$pid"
	done
}

@test "podman alone: a checkpoint aborts, and with link-remap its archive cannot be restored" {
	podman_begin
	tenant_run c1 100
	local logs=$T/graph/overlay-containers
	run ! exported c1
	grep -q "Can't create link remap for /dev/shm/sem" "$logs"/*/userdata/dump.log
	echo link-remap >"$CONF"
	run ! exported c1
	grep -q "Can't dump ghost file /tmp/large of 104857600 size" "$logs"/*/userdata/dump.log
	# a limit for its size, and then it says that all is well
	echo "ghost-limit $((128 << 20))" >>"$CONF"
	exported c1
	goes_on "$PID"
	podman rm --force --time 0 c1 >&2
	run ! imported
	grep -q "Can't link .*link_remap" "$logs"/*/userdata/restore.log
}

@test "the recipe for podman: exported while all is frozen, restored twice from the archive" {
	podman_begin
	tenant_run c1 100
	local ID=c1 IMAGES=$T/images
	mkdir "$IMAGES"
	echo tcp-close >"$CONF"
	recipe podman 1 runtimes.md
	[ "$(<"$CONF")" = tcp-close ]
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	goes_on "$PID"
	restored_twice c1 "$IMAGES"
}

@test "podman with criu prepare: a container that ends with its checkpoint comes back" {
	podman_begin
	tenant_run c1 100
	mkdir "$T/images"
	rt_ok criu prepare --tree "$PID" --images-dir "$T/images" --config "$CONF" \
		--exec "podman container checkpoint --compress none --export '$ARCHIVE' c1"
	[[ $output == *"4 orphans preserved, 0 left to CRIU"* ]]
	[ ! -e "$CONF" ]
	restored_twice c1 "$T/images"
}

@test "the recipe for agents with podman: the container runs until podman freezes it" {
	podman_begin
	tenant_run c1 100
	local ID=c1 IMAGES=$T/images
	mkdir "$IMAGES"
	recipe "runc, podman, ctr" 2
	[ ! -e "$CONF" ]
	goes_on "$PID"
	recipe "runc, podman, ctr" 4
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	[ -z "$(ls -A "$RELINKTRACE_STATE/hook")" ]
	goes_on "$PID"
	podman rm --force --time 0 c1 >&2
	imported
	goes_on "$(pid_of c1)"
}

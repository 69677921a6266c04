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
	[[ -z ${PODS:-} ]] || cgroup_remove "$PODS"
	[[ ! -e /sys/fs/bpf/relinktrace ]] || "$RT" detach --all >&2 || true
	# shellcheck disable=SC2016 # sh expands it
	on_node sh -c '! grep -F " $0/" /proc/self/mounts >"$0/mounted" ||
		cut -d " " -f 2 "$0/mounted" | tac | xargs umount -l' "$T"
	place_remove
}

# With the mounts of the first process, where $NODE is set: there containers' roots are mounted on a
# machine, and the tests have mounts of their own.
on_node() {
	timeout "$PATIENCE" ${NODE:+nsenter --target 1 --mount --} "$@"
}

podman() {
	on_node podman "$@"
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

# tenant_run NAME MIB [DIR]: its files are in DIR (/tmp), and its process is $PID. $T/vol, if
# that is there, is /vol.
tenant_run() {
	local volumes=(--volume "$T/out:/out")
	[[ ! -e $T/vol ]] || volumes+=(--volume "$T/vol:/vol")
	podman run --detach --name "$1" --network none --cgroup-parent "$(cgroup_name "$CG")" \
		--log-driver k8s-file --log-opt "path=$T/$1.said" "${volumes[@]}" \
		--annotation "org.criu.config=$CONF" tenant:1 /tenant "${3:-/tmp}" /out/report "$2" \
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

@test "the recipe for agents with podman: restored from the archive" {
	podman_begin
	tenant_run c1 100
	local ID=c1 IMAGES=$T/images
	mkdir "$IMAGES"
	recipe "runc, podman, ctr" 2
	[ ! -e "$CONF" ]
	goes_on "$PID"
	# podman exports the /dev/shm that it made
	rt_ok hook post-dump --id c1
	json_is 'all(.names[]; .store | not) and ([.names[].mount_point] | unique == ["/", "/dev/shm"])'
	recipe "runc, podman, ctr" 4
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	[ -z "$(ls -A "$RELINKTRACE_STATE/hook")" ]
	goes_on "$PID"
	podman rm --force --time 0 c1 >&2
	imported
	goes_on "$(pid_of c1)"
}

# What it holds of its own; their other names are elsewhere.
files_on_volume() {
	tenant_moved_sees "$1" "$T/out/report" | sed 's/ [01]$//'
}

@test "by itself: what is on a volume travels in podman's archive, and is restored without it" {
	podman_begin
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	tenant_run c1 8 /vol
	files_on_volume "$PID" >"$T/on_volume"
	local ID=c1 IMAGES=$T/images
	mkdir "$IMAGES"
	recipe "runc, podman, ctr" 2
	rt_ok hook post-dump --id c1
	json_is '[.names[] | [.mount_point, .store]] | unique == [["/dev/shm", false], ["/vol", true]]'
	files_on_volume "$PID" | diff "$T/on_volume" - >&2
	nothing_of_ours_in "$T/vol"
	recipe "runc, podman, ctr" 4
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	podman rm --force --time 0 c1 >&2
	umount -l "$T/vol"
	mount -t tmpfs vol "$T/vol"
	imported
	PID=$(pid_of c1)
	files_on_volume "$PID" | diff "$T/on_volume" - >&2
	rt_ok criu clean --images-dir "$IMAGES" --root "/proc/$PID/root"
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	files_on_volume "$PID" | diff "$T/on_volume" - >&2
}

# image_make DIR PROGRAM...: what these need.
image_make() {
	local program
	mkdir -p "$1"/{bin,dev,proc,sys/fs/bpf,sys/fs/cgroup,run,tmp,var/lib/relinktrace,etc/criu}
	for program in "${@:2}"; do
		cp "$program" "$1/bin"
		ldd "$program" | grep -o '/[^ ]*' | (cd / && xargs cp --parents -Lut "$1")
	done
}

# daemonset_run NAME: what a kubelet would run, but for where the state is, and criu's options,
# and on a $NODE the pins.
daemonset_run() {
	local options=() words word
	image_make "$T/tracer" "$RT" "$(command -v sh)" "$(command -v nsenter)" \
		"$(command -v sleep)"
	tar -C "$T/tracer" -cf - . | podman import - tracer:1 >/dev/null 2>&1
	while read -r word; do options+=(--cap-add "$word"); done \
		< <(of_daemonset 'c["securityContext"]["capabilities"]["add"]')
	while read -r word; do options+=(--env "$word"); done \
		< <(of_daemonset '[e["name"] + "=" + e["value"] for e in c["env"]]')
	mkdir -p "$T/var/lib/relinktrace" "$T/etc/criu"
	while read -r word; do
		[[ $word == /sys/* && (-z ${NODE:-} || $word != */bpf) ]] || word=$T$word
		options+=(--volume "$word:${word#"$T"}")
	done < <(of_daemonset '[v["hostPath"]["path"] for v in s["volumes"]]')
	mapfile -d '' words < <(of_daemonset '"\0".join(c["command"] + c["args"]) + "\0"' | head -c -1)
	podman run --detach --name "$1" --network none --pid host --cap-drop ALL \
		--security-opt no-new-privileges --read-only --read-only-tmpfs=false \
		--log-driver k8s-file --log-opt "path=$T/$1.said" "${options[@]}" \
		--cgroup-parent "$(cgroup_name "$CG")" tracer:1 "${words[@]}" >"$T/$1.id" 3>&-
}

# in_tracer ARG...: as docs/agents.md says.
in_tracer() {
	run --separate-stderr podman exec tracer \
		nsenter --target 1 --cgroup -- relinktrace "$@"
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
}

@test "the DaemonSet's container tracks the pods of a node, and an agent calls the hook in it" {
	podman_begin
	local uid=0a1b2c3d-1111-2222-3333-444455556666 id tail by
	PODS=$(dirname "$CG")/kubepods
	mkdir "$PODS"
	daemonset_run tracer
	exec {FROM}< <(alone tail -n +1 -F "$T/tracer.said" 2>/dev/null)
	tail=$!
	until_said '*attached by fentry, pinned: *'
	kill "$tail"
	# how the kernel is preempted is known without debugfs
	[[ $(preempt_mode) != voluntary || ! -e /sys/fs/bpf/relinktrace/rt_fx_rename_2 ]]
	CG=$PODS/burstable/pod$uid tenant_run c1 1
	id=$(<"$T/c1.id")
	# the hooks have seen who unlinked them
	for by in "--container ${id:0:12}" "--pod $uid"; do
		# shellcheck disable=SC2086 # two words
		in_tracer list $by -j
		json_is '.exact and .complete and (.orphans | length) == 4 and
			all(.orphans[]; .unlinked.comm == "tenant")'
	done
	in_tracer hook prepare --id T --container "${id:0:12}"
	json_is '.preserved == 3 and .failed == 0 and .messages == []'
	tenant_moved_sees "$PID" "$T/out/report" | diff "$T/before" - >&2
	in_tracer hook clean --id T
	json_is '.cleaned.removed == 3 and .cleaned.left == 0'
	nothing_of_ours_in "/proc/$PID/root/" "/proc/$PID/root/dev/shm/"
	podman stop --time "$PATIENCE" tracer
	[ ! -e /sys/fs/bpf/relinktrace ]
}

@test "the DaemonSet's container: what is on a volume is stored where the node's podman archives it" {
	NODE=1
	podman_begin
	local uid=0a1b2c3d-1111-2222-3333-444455556666 frozen root fd config
	local of_volume='[.names[] | select(.mount_point == "/vol") | .store]'
	PODS=$(dirname "$CG")/kubepods
	mkdir -p "$PODS" "$T/vol" "$T/sys/fs/bpf"
	on_node mount -t bpf bpf "$T/sys/fs/bpf"
	on_node mount -t tmpfs vol "$T/vol"
	daemonset_run tracer
	CONF=$T/etc/criu/runc.conf
	CG=$PODS/burstable/pod$uid tenant_run c1 8 /vol
	config=(--tree "$PID" --config /etc/criu/runc.conf)
	frozen=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
	# by one who has frozen it
	echo 1 >"$frozen/cgroup.freeze"
	"$HELPERS/await" "$frozen" frozen 1
	in_tracer hook prepare --id T "${config[@]}"
	json_is '.messages == [] and .keeper == null'
	json_is "$of_volume == [true, true, true]"
	root=$(json .store.path)
	[[ $root == /proc/1/root"$T"/graph/overlay/*/merged/.relinktrace-store ]]
	[ "$(find "$root" -type f | wc -l)" -eq 3 ]
	# it is nothing that the DaemonSet's container has mounted
	root=${root#/proc/1/root}
	[ "$(podman exec tracer sh -c "[ -e '${root%/*}' ] || echo absent")" = absent ]
	in_tracer hook abort --id T
	nothing_of_ours_in "/proc/$PID/root/" "/proc/1/root$T/vol"
	echo 0 >"$frozen/cgroup.freeze"
	# in the pause of a runtime, when the one who called prepare has long ended
	in_tracer hook prepare --id T "${config[@]}"
	json_is ".messages == [] and $of_volume == [false, false]"
	[ "$(<"/proc/$(json .keeper.pid)/comm")" = relink-keeper ]
	for fd in "/proc/$PID/fd"/*; do
		[[ $(readlink "$fd") != */vol/large* ]] || printf later >>"$fd"
	done
	files_on_volume "$PID" >"$T/on_volume"
	timeout "$PATIENCE" bash -c 'echo 1 >"$0/cgroup.freeze" && read -r _ <"$0/cgroup.events"' "$frozen"
	"$HELPERS/await" "$frozen" frozen 1
	exported c1
	in_tracer hook post-dump --id T --images-dir /var/lib/relinktrace
	json_is ".messages == [] and $of_volume == [true, true, true]"
	echo 0 >"$frozen/cgroup.freeze"
	files_on_volume "$PID" | diff "$T/on_volume" - >&2
	in_tracer hook clean --id T
	nothing_of_ours_in "/proc/$PID/root/" "/proc/1/root$T/vol"
	[ ! -e "$CONF" ]
	# another volume is in its place
	podman rm --force --time 0 c1 >&2
	on_node umount -l "$T/vol"
	on_node mount -t tmpfs vol "$T/vol"
	imported
	PID=$(pid_of c1)
	files_on_volume "$PID" | diff "$T/on_volume" - >&2
	in_tracer criu clean --images-dir /var/lib/relinktrace --root "/proc/$PID/root"
	nothing_of_ours_in "/proc/$PID/root/" "/proc/1/root$T/vol"
	files_on_volume "$PID" | diff "$T/on_volume" - >&2
}

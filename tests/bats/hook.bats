#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# hook: what an agent calls around a checkpoint that somebody else makes, in whatever order,
# as often as it likes, and killed wherever.

load lib

# At how many of the system calls each is killed once (1: at each).
STEP=${RELINKTRACE_KILL_STEP:-13}
((STEP <= 37)) || STEP=37 # some calls there are in each

# hook ACTION [ARG]...: the answer is in $output, and goes to the end of $T/answers.
hook() {
	rt hook "$1" --id "${ID:-txn-1}" "${@:2}"
	printf '%s\0' "$output" >>"$T/answers"
}

# hook_is STATUS ACTION [ARG]...
hook_is() {
	hook "${@:2}"
	[ "$status" -eq "$1" ]
}

# Each answer of a test is what the schema says: at its end, since to load the validator takes
# longer than all calls.
all_valid() {
	[[ -e $T/answers ]] || return 0
	python3 - "$TOP/docs/hook.schema.json" "$T/answers" <<-'EOF'
		import json, sys, jsonschema
		validator = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
		for answer in open(sys.argv[2]).read().split("\0")[:-1]:
		    validator.validate(json.loads(answer))
	EOF
}

teardown() {
	local status=0
	all_valid || status=$?
	test_remove
	return "$status"
}

prepare() {
	hook_is "$1" prepare --cgroup "$CG" "${@:2}"
}

# Nothing is left of any transaction, nor of any checkpoint.
nothing_left() {
	[ -z "$(find "$RELINKTRACE_STATE" -mindepth 1 ! -path "$RELINKTRACE_STATE/hook")" ]
	no_new_names
}

cgroup_freeze() {
	echo "$1" >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen "$1"
}

@test "prepare names what an archive has to carry, and says what criu needs for the rest" {
	hold h ab
	hold g unlinked
	prepare 0
	json_is '.outcome == "done" and .proceed and .phase == "prepared" and (.repeated | not)'
	json_is '.preserved == 1 and .failed == 0 and (.names | length) == 1'
	json_is --arg was "$(realpath "$DIR")/a" '.names[0] | .was == $was and .method == "link"'
	[ "${MOUNT%/}/$(json '.names[0].path')" -ef "$DIR/b" ]
	json_is '.criu.options == ["--link-remap", "--ghost-limit", "16384"] and
		.criu.config == ["link-remap", "ghost-limit 16384"] and
		.criu.external == [] and .criu.left[0].n == null'
	[ -e "$(json .manifest)" ]
	[ "$(readlink "$RELINKTRACE_STATE/$(json .checkpoint)")" = "$(json .manifest)" ]
	local first=$output
	prepare 0
	json_is --argjson first "$first" '.repeated and ($first + {repeated: true}) == .'
	# the dump came to its end: nothing but clean takes the names away
	hook_is 0 post-dump
	json_is '.phase == "dumped" and (.repeated | not) and (.names | length) == 1'
	hook_is 0 post-dump
	json_is '.repeated'
	hook_is 0 abort
	json_is '.phase == "dumped" and .repeated and (.messages | length) == 1'
	[ "${MOUNT%/}/$(jq -r '.names[0].path' <<<"$first")" -ef "$DIR/b" ]
	hook_is 0 clean
	json_is '.phase == "none" and .cleaned.removed == 1 and .checkpoint == null'
	hook_is 0 clean
	json_is '.repeated'
	nothing_left
}

@test "abort takes back what was prepared; in whatever order they come, it is right" {
	hook_is 0 abort
	json_is '.repeated and .phase == "none"'
	hook_is 0 clean
	hook_is 0 post-restore
	hook_is 3 post-dump
	json_is '.proceed and .phase == "none"'
	hook_is 1 pre-restore
	json_is '.proceed and (.messages | length) == 1'
	hook_is 1 pre-restore --strict
	json_is '.proceed | not'
	nothing_left
	hold h ab
	prepare 0
	hook_is 0 abort
	json_is '.cleaned.removed == 1'
	hook_is 0 abort
	nothing_left
	prepare 0
	# what is prepared may be restored, though nobody said that the dump was done
	hook_is 0 pre-restore
	json_is '.phase == "restoring"'
	hook_is 0 pre-restore
	json_is '.repeated'
	hook_is 0 post-dump
	json_is '.phase == "restoring"'
	# the restore failed: the names are there for another
	hook_is 0 abort
	json_is '.phase == "dumped" and (.repeated | not)'
	hook_is 0 abort
	json_is '.repeated'
	hook_is 0 pre-restore
	hook_is 0 post-restore --keep
	json_is '.phase == "dumped"'
	hook_is 0 post-restore
	json_is '.phase == "none" and .cleaned.removed == 1'
	nothing_left
}

@test "an id is of one cgroup; what clean has removed is prepared anew" {
	hold h ab
	mkdir "$CG.other"
	prepare 0
	local id
	id=$(json .checkpoint)
	hook_is 1 prepare --cgroup "$CG.other"
	[[ $(json '.messages[0].text') == *"abort it first"* ]]
	[ "$(json .checkpoint)" = "$id" ]
	rmdir "$CG.other"
	rt_ok clean --id "$id"
	prepare 0
	json_is --arg id "$id" '.checkpoint != $id and (.repeated | not)'
	rt_ok clean --expired 0s
	hook_is 0 clean
	nothing_left
	hook_is 2 prepare --cgroup "$CG.other"
	json_is '.outcome == "failed" and .proceed'
	hook_is 2 prepare --cgroup "$CG.other" --strict
	json_is '.proceed | not'
	local words
	for words in '' 'nothing --id x' 'abort' 'abort --id ../x' 'abort --id .x' 'prepare --id x' \
		"abort --id x --cgroup $CG" 'abort --id x --keep' 'clean --id x --deadline 0' \
		'clean --id x --deadline x' 'clean --id x y'; do
		# shellcheck disable=SC2086 # words
		rt hook $words
		[ "$status" -eq 2 ]
	done
}

@test "--external takes off criu's hands what stays as it is until the dump" {
	hold h ab
	hold g unlinked
	prepare 0 --external
	json_is '.preserved == 1 and (.criu.external | length) == 1'
	json_is '.criu.options | index("--link-remap") and index("--ghost-limit") and
		index("--external")'
	hook_is 0 abort
	# whoever keeps the cgroup frozen until the dump gets everything
	cgroup_freeze 1
	mkdir "$T/images"
	prepare 0 --external --images-dir "$T/images"
	json_is '.preserved == 2 and (.criu.external | length) == 2 and .criu.left == []'
	json_is '.criu.options == ([.criu.external[] | "--external", .key])'
	cgroup_freeze 1 # still
	hook_is 0 post-dump --images-dir "$T/images"
	[ "$(jq -r .phase "$T/images/relinktrace-hook.json")" = dumped ]
	[ "$(jq '.taken | length' "$T/images/relinktrace-criu.json")" -eq 2 ]
	cgroup_freeze 0
	hook_is 0 pre-restore
	json_is '[.criu.inherit[].key] | length == 2'
	local path
	while read -r path; do
		[ -f "$path" ]
	done < <(json '.criu.inherit[].path')
	hook_is 0 post-restore
	json_is '.cleaned.removed == 2'
	nothing_left
}

@test "--deadline and --strict: in time and whole, or nothing; the freeze ends" {
	hold h ab
	prepare 1 --deadline 0.000001
	json_is '.outcome == "failed" and .proceed and .phase == "none"'
	prepare 1 --deadline 0.000001 --strict
	json_is '.proceed | not'
	[ "$(<"$CG/cgroup.freeze")" = 0 ]
	nothing_left
	# somebody else's call is at work and does not end
	prepare 0
	exec {held}<"$RELINKTRACE_STATE/hook/txn-1"
	flock "$held"
	hook_is 1 abort --deadline 0.2
	[[ $(json '.messages[0].text') == *"still at work"* ]]
	exec {held}<&-
	hook_is 0 abort
	nothing_left
}

# killed_anywhere ACTION [ARG]...: at each STEP-th call; before each time `begin`, after it
# `check`.
killed_anywhere() {
	local n=0
	begin
	while "$HELPERS/killer" kill $((n += STEP)) "$RT" hook "$1" --id "${ID:-txn-1}" "${@:2}" \
		>"$T/killed" 2>"$T/killed.err"; do
		check || {
			echo "# $1 killed at $n: $(<"$T/killed")" >&2
			return 1
		}
		"$HELPERS/await" "$CG" frozen 0
		begin
	done
	grep -q '^ended 0' "$T/killed"
	check
	((n > 2 * STEP))
}

@test "prepare killed anywhere: again is enough, and abort takes back all" {
	mkdir -m 700 "$RELINKTRACE_STATE"
	hold h ab
	begin() {
		:
	}
	check() {
		local next=${TURN:=prepare}
		if [[ $next == prepare ]]; then
			TURN=abort
			prepare 0 && json_is '.phase == "prepared" and .preserved == 1' || return 1
		else
			TURN=prepare
		fi
		hook_is 0 abort && nothing_left
	}
	killed_anywhere prepare --cgroup "$CG"
}

@test "post-dump, abort and clean killed anywhere: again is enough" {
	mkdir -m 700 "$RELINKTRACE_STATE"
	mkdir "$T/images"
	hold h ab
	begin() {
		prepare 0
	}
	check() {
		hook_is 0 post-dump --images-dir "$T/images" && json_is '.phase == "dumped"' &&
			[[ $(jq -r .schema "$T/images/relinktrace.json") == relinktrace.manifest/1 ]] &&
			hook_is 0 clean && nothing_left
	}
	STEP=$(((STEP + 3) / 4)) # they make fewer calls than prepare
	killed_anywhere post-dump --images-dir "$T/images"
	check() {
		hook_is 0 abort && nothing_left
	}
	killed_anywhere abort
	check() {
		hook_is 0 clean && nothing_left
	}
	killed_anywhere clean
}

# images_make NAME PATH: what CRIU would say of a file that was opened by PATH, and that it
# called NAME for the time of the dump.
images_make() {
	python3 - "$T/images" "${1#/}" "${2#/}" <<-'END'
		import struct, sys

		def number(field, value):
		    return bytes([field << 3, value])

		def text(field, value):
		    return bytes([field << 3 | 2, len(value)]) + value

		def reg(number_of, path):
		    return number(1, 1) + number(2, number_of) + text(3, number(1, number_of) +
		        number(2, 2) + number(3, 0) + text(5, b"") + text(6, path.encode()))

		def write(name, magic, *messages):
		    with open(sys.argv[1] + "/" + name, "wb") as out:
		        out.write(struct.pack("<II", 0x54564319, magic))
		        for message in messages:
		            out.write(struct.pack("<I", len(message)) + message)

		write("files.img", 0x56303138, reg(7, sys.argv[2]), reg(5, sys.argv[3]))
		write("remap-fpath.img", 0x59133954, number(1, 5) + number(2, 7))
	END
}

# What is restored is an archive of the root, unpacked: $T/root.
restorable() {
	local dir
	dir=$(realpath "$DIR")
	mkdir "$T/images" "$T/root"
	hold h ab
	images_make "$dir/link_remap.7" "$dir/a"
	prepare 0
	NAME=$(json '.names[0].mount_point | rtrimstr("/")')/$(json '.names[0].path')
	hook_is 0 post-dump --images-dir "$T/images"
	tar -cf - "$dir" "$NAME" 2>/dev/null | tar -C "$T/root" -xf -
	LINK=$T/root$dir/link_remap.7
	[ "$T/root$NAME" -ef "$T/root$dir/b" ]
}

@test "pre-restore makes what CRIU links again, in another root too, and abort takes it away" {
	restorable
	hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '[.criu.links[] | .state] == ["made"]'
	[ "$LINK" -ef "$T/root$NAME" ]
	hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '.repeated and [.criu.links[] | .state] == ["there"]'
	hook_is 0 abort
	[ ! -e "$LINK" ]
	[ -e "$T/root$NAME" ]
	# another file has that name: it stays
	echo mine >"$LINK"
	hook_is 3 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '.proceed and [.criu.links[] | .state] == ["missing"]'
	hook_is 1 pre-restore --images-dir "$T/images" --root "$T/root" --strict
	json_is '(.proceed | not) and .phase == "dumped"'
	[ "$(<"$LINK")" = mine ]
	rm "$LINK"
	# here: the names in the root go, and those of the program that goes on stay
	hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root"
	echo "written meanwhile" >>"$LINK"
	hook_is 0 post-restore
	json_is '.phase == "dumped" and .cleaned.removed == 1'
	[ ! -e "$LINK" ]
	[ ! -e "$T/root$NAME" ]
	[ -e "$NAME" ]
	hook_is 0 clean
	nothing_left
}

@test "what post-restore has removed in another root is gone, though the power fails" {
	restorable
	mkdir "$T/lost"
	truncate -s 16M "$T/image"
	mkfs.ext4 -q "$T/image"
	mount -o loop,commit=900 "$T/image" "$T/lost"
	cp -a "$T/root/." "$T/lost"
	sync -f "$T/lost"
	hook_is 0 pre-restore --images-dir "$T/images" --root "$T/lost"
	hook_is 0 post-restore
	json_is '.cleaned.removed == 1'
	# what reached the disk
	cp --sparse=always "$T/image" "$T/image.lost"
	umount "$T/lost"
	mount -o loop "$T/image.lost" "$T/lost"
	[ -d "$T/lost$(realpath "$DIR")" ]
	[ ! -e "$T/lost$NAME" ]
	umount "$T/lost"
	hook_is 0 clean
}

@test "what images say that CRIU has not written leads nowhere" {
	restorable
	hook_is 0 clean
	local ID=elsewhere dir
	dir=$(realpath "$DIR")
	jq '.links = []' "$T/images/relinktrace-hook.json" >"$T/state.json"
	cp "$T/state.json" "$T/images/relinktrace-hook.json"
	images_make "/../up" "$dir/a"
	hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '.criu.links == []'
	[ ! -e "$T/up" ]
	hook_is 0 abort
	# a link in the way is not followed
	images_make "/way/link_remap.7" "$dir/a"
	ln -s "$T" "$T/root/way"
	hook_is 3 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '[.criu.links[].state] == ["missing"]'
	[ ! -e "$T/link_remap.7" ]
	echo x >>"$T/images/files.img"
	hook_is 0 abort
	hook_is 0 clean
	hook pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '.messages[0].text | contains("files.img")'
	jq '.links = [{n: 1, made: true, ino: 1, name: "../up"}]' "$T/state.json" \
		>"$T/images/relinktrace-hook.json"
	hook_is 0 clean
	hook_is 1 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '.messages[0].text | contains("links[0].name")'
	nothing_left
}

@test "elsewhere all that is known comes with the images, and nothing stays" {
	restorable
	hook_is 0 clean
	nothing_left
	local ID=elsewhere
	hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root"
	json_is '[.criu.links[] | .state] == ["made"] and .phase == "restoring"'
	hook_is 0 post-restore
	json_is '.phase == "none" and .cleaned.removed == 1'
	[ ! -e "$LINK" ]
	[ ! -e "$T/root$NAME" ]
	nothing_left
	chmod 666 "$T/images/relinktrace.json"
	hook_is 1 pre-restore --images-dir "$T/images" --root "$T/root"
	nothing_left
}

@test "pre-restore and post-restore killed anywhere: again is enough" {
	restorable
	hook_is 0 clean
	cp -al "$T/root" "$T/root.before"
	ID=elsewhere
	begin() {
		rm -rf "$T/root"
		cp -al "$T/root.before" "$T/root"
	}
	check() {
		hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root" &&
			[ "$LINK" -ef "$T/root$NAME" ] && hook_is 0 post-restore &&
			[ ! -e "$LINK" ] && [ ! -e "$T/root$NAME" ] && nothing_left
	}
	STEP=$(((STEP + 3) / 4))
	killed_anywhere pre-restore --images-dir "$T/images" --root "$T/root"
	begin() {
		rm -rf "$T/root"
		cp -al "$T/root.before" "$T/root"
		hook_is 0 pre-restore --images-dir "$T/images" --root "$T/root"
	}
	check() {
		hook_is 0 post-restore && [ ! -e "$LINK" ] && [ ! -e "$T/root$NAME" ] &&
			nothing_left
	}
	killed_anywhere post-restore
}

# container_begin [DIR]: as rooted_begin(), frozen.
container_begin() {
	rooted_begin "$@"
	cgroup_freeze 1
}

# What is in the store in its root.
stored() {
	(cd "$ROOTFS" && find .relinktrace-store -type f 2>/dev/null) | sort
}

# Nothing of us is in the container, nor on its volume, and nobody is told to leave it out.
nothing_in_container() {
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'ile*' -o -name '.relinktrace*' -o -name 'unlink-at*')" ]
	[ ! -e "$T/criu.conf" ]
	nothing_left
}

@test "by itself: what is nowhere else goes into a store in the container's root" {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	container_begin
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	json_is '[.names[] | [.mount_point, .store]] | sort ==
		[["/", false], ["/vol", true], ["/vol", true], ["/vol", true]]'
	json_is '.messages == []'
	json_is --arg store "$(realpath "$ROOTFS")/.relinktrace-store" '.store.path == $store'
	[ "$(json '.names[] | select(.store) | ".relinktrace-store/" + .path')" = "$(stored)" ]
	# a signpost leads to each, from the root
	[ "$(cd "$ROOTFS" && readlink -e ile* | grep -c relinktrace-store)" -eq 3 ]
	[ "$(stat -c %a "$ROOTFS/.relinktrace-store")" = 700 ]
	! find "$T/vol" -name 'unlink-at*' | grep .
	local first=$output
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	json_is --argjson first "$first" '.repeated and .names == $first.names'
	hook_is 0 post-dump
	hook_is 0 clean
	nothing_in_container
	# not where that is not wanted, and of the mounts that are named
	prepare 0 --tree "$PID" --config "$T/criu.conf" --no-store
	json_is '.store == null and all(.names[]; .store | not) and .messages == []'
	hook_is 0 abort
	prepare 0 --tree "$PID" --config "$T/criu.conf" --store-mounts /
	json_is '[.names[] | select(.store) | .mount_point] == ["/"]'
	hook_is 0 abort
	prepare 0 --tree "$PID" --config "$T/criu.conf" --store-mounts /nowhere
	json_is '.store == null and all(.names[]; .store | not)'
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	hook_is 0 abort
	nothing_in_container
}

@test "by itself: what has another name on a volume stays there" {
	mkdir "$T/vol"
	truncate -s 16M "$T/image"
	mkfs.ext4 -q "$T/image"
	mount -o loop "$T/image" "$T/vol"
	container_begin
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	json_is '[.names[] | select(.mount_point == "/vol") | [(.was | sub(".*/"; "")), .store]] | sort ==
		[["a", false], ["h0", false], ["large", true]]'
	json_is '.messages == []'
	hook_is 0 abort
	nothing_in_container
}

@test "by itself: what cannot be stored keeps its name where it is, and that is told" {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	container_begin
	# the container cannot lead us out of its root
	mkdir -m 700 "$T/elsewhere"
	ln -s "$T/elsewhere" "$ROOTFS/.relinktrace-store"
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	json_is '.store == null and all(.names[]; .store | not) and (.names | length) == 4'
	[[ $(json '.messages[].text') == *"3 names are on mounts that do not travel"*"symbolic link"* ]]
	[ -z "$(ls -A "$T/elsewhere")" ]
	hook_is 0 abort
	[ -L "$ROOTFS/.relinktrace-store" ]
	rm "$ROOTFS/.relinktrace-store"
	# asked for by its mount it is missed
	cgroup_freeze 0
	prepare 0 --tree "$PID" --config "$T/criu.conf" --wait 0
	json_is '.store == null and (.names | length) == 3'
	[[ $(json '.messages[].text') == *"2 names are on mounts that do not travel"*"old by the dump"* ]]
	hook_is 0 abort
	prepare 3 --tree "$PID" --config "$T/criu.conf" --store-mounts /vol
	hook_is 0 abort
	prepare 1 --tree "$PID" --config "$T/criu.conf" --store-mounts /vol --strict
	nothing_in_container
	# what is in no container has none
	hold h ab "$T"
	cgroup_freeze 1
	prepare 0 --tree "${HOLD_PID[h]}" --config "$T/criu.conf"
	json_is 'all(.names[]; .store | not)'
	[ ! -e /.relinktrace-store ]
	hook_is 0 abort
	local words
	for words in --no-store "--store-mounts /vol" "--external --no-store" \
		"--tree $PID --config $T/criu.conf --no-store --store $T/store" \
		"--tree $PID --config $T/criu.conf --no-store --store-mounts /vol"; do
		# shellcheck disable=SC2086 # words
		rt hook prepare --id x --cgroup "$CG" $words
		[ "$status" -eq 2 ]
	done
}

# container_runs: the same, with the volume a tmpfs; it is not frozen.
container_runs() {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	container_begin
	cgroup_freeze 0
}

# keeper_prepare [ARG]...: somebody waits for the pause, whose process is $KEEPER.
keeper_prepare() {
	prepare 0 --tree "$PID" --config "$T/criu.conf" "$@"
	KEEPER=$(json .keeper.pid)
	[ "$(<"/proc/$KEEPER/comm")" = relink-keeper ]
}

# gone PID: it has ended, or does.
gone() {
	timeout "$PATIENCE" python3 -c '
import os, select, sys
try:
    select.select([os.pidfd_open(int(sys.argv[1]))], [], [])
except ProcessLookupError:
    pass' "$1"
}

# As a runtime pauses: one process tells the cgroup to freeze, and then looks whether it is.
# Nothing of that takes longer than what the keeper has to do.
runtime_pauses() {
	timeout "$PATIENCE" bash -c 'echo 1 >"$0/cgroup.freeze" && read -r _ <"$0/cgroup.events"' "$CG"
	"$HELPERS/await" "$CG" frozen 1
}

# held_write TEXT: at the end of the file without a name that the container holds.
held_write() {
	local fd
	for fd in "/proc/$PID/fd"/*; do
		[[ $(readlink "$fd") != */vol/large* ]] || HELD=$fd
	done
	printf '%s' "$1" >>"$HELD"
}

# store_of N: so many copies are in it.
store_of() {
	[ "$(stored | wc -l)" -eq "$1" ]
}

# What is in the store is what is held now.
store_is_held() {
	local sum
	sum=$(sha256sum <"$HELD")
	(cd "$ROOTFS" && sha256sum .relinktrace-store/*/* .relinktrace-store/*) 2>/dev/null |
		grep -F "${sum%% *}"
}

# Whatever criu is told to leave out there is a way to, for its restore.
all_is_found() {
	local key n=0
	while read -r key; do
		((++n))
		[ -e "/proc/$PID/root/${key#f}" ] || {
			echo "# $key leads nowhere" >&2
			return 1
		}
	done < <(sed -n 's/^external //p' "$T/criu.conf")
	((n >= 3))
}

@test "keeper: what is nowhere else is stored within the pause that comes after prepare" {
	container_runs
	keeper_prepare
	json_is '.messages == [] and .store == null and all(.names[]; .store | not)'
	grep -q link-remap "$T/criu.conf"
	held_write "after prepare"
	runtime_pauses
	store_is_held >&2
	# what criu will read, and where its restore will look
	[ "$(grep -c '^external file' "$T/criu.conf")" -eq 4 ]
	[ "$(grep -c '^# relinktrace begin' "$T/criu.conf")" -eq 1 ]
	! grep link-remap "$T/criu.conf"
	[ "$(cd "$ROOTFS" && readlink -e ile* | grep -c relinktrace-store)" -eq 3 ]
	all_is_found
	[ "$(stored | wc -l)" -eq 3 ]
	[ "$(find "$ROOTFS" -name 'unlink-at*' -type f | wc -l)" -eq 1 ]
	! find "$T/vol" -name 'unlink-at*' | grep .
	hook_is 0 post-dump --images-dir "$DIR"
	json_is '[.names[] | [.mount_point, .store]] | sort ==
		[["/", false], ["/vol", true], ["/vol", true], ["/vol", true]]'
	json_is --arg store "$(realpath "$ROOTFS")/.relinktrace-store" '.store.path == $store'
	json_is '.messages == [] and .keeper == null'
	gone "$KEEPER"
	cgroup_freeze 0
	hook_is 0 clean
	nothing_in_container
}

@test "keeper: what is paused again is stored again; what only looks is not kept waiting" {
	container_runs
	keeper_prepare
	local first=$KEEPER
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	json_is --argjson pid "$first" '.repeated and .keeper.pid == $pid'
	# frozen by one and looked at by another: no runtime does so
	cgroup_freeze 1
	timeout "$PATIENCE" bash -c 'read -r _ <"$0/cgroup.freeze" && read -r _ <"$0/cgroup.events"' "$CG"
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	cgroup_freeze 0
	held_write first
	runtime_pauses
	store_is_held >&2
	local before
	before=$(stored)
	cgroup_freeze 0
	held_write second
	runtime_pauses
	store_is_held >&2
	[ "$(stored)" != "$before" ]
	[ "$(stored | wc -l)" -eq 3 ]
	cgroup_freeze 0
	hook_is 0 abort
	json_is '.phase == "none"'
	gone "$KEEPER"
	nothing_in_container
}

@test "keeper: a file whose last name goes before the pause is stored, on a volume too" {
	mkdir "$T/vol"
	truncate -s 16M "$T/image"
	mkfs.ext4 -q "$T/image"
	mount -o loop "$T/image" "$T/vol"
	container_begin
	cgroup_freeze 0
	keeper_prepare
	rm "$T/vol/h1"
	runtime_pauses
	hook_is 0 post-dump
	json_is '[.names[] | select(.mount_point == "/vol") | [(.was | sub(".*/"; "")), .store]] | sort ==
		[["a", false], ["h0", true], ["large", true]]'
	cgroup_freeze 0
	hook_is 0 clean
	nothing_in_container
}

@test "keeper: with --store all that does not travel goes there, though prepare could not" {
	container_runs
	prepare 3 --tree "$PID" --config "$T/criu.conf" --store "$T/store"
	KEEPER=$(json .keeper.pid)
	runtime_pauses
	hook_is 0 post-dump
	gone "$KEEPER"
	json_is --arg store "$T/store" '.store.path == $store'
	[ "$(find "$T/store" -type f | wc -l)" -eq 3 ]
	store_of 0
	cgroup_freeze 0
	hook_is 0 clean
	[ -z "$(ls "$T/store")" ]
	nothing_in_container
}

@test "keeper: killed, late or locked out it keeps nobody waiting, and nothing is left" {
	container_runs
	keeper_prepare
	kill -KILL "$KEEPER"
	gone "$KEEPER"
	runtime_pauses
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	cgroup_freeze 0
	# another one takes its place
	keeper_prepare
	json_is .repeated
	# its work cannot even begin, and ends by the deadline
	hook_is 0 abort
	gone "$KEEPER"
	keeper_prepare --deadline 5
	exec {held}<"$RELINKTRACE_STATE/hook/txn-1"
	flock "$held"
	runtime_pauses
	exec {held}<&-
	[ "$(grep -c link-remap "$T/criu.conf")" -eq 1 ]
	all_is_found
	hook_is 0 post-dump
	json_is 'all(.names[]; .store | not)'
	[[ $(json '.messages[].text') == *"2 names are on mounts that do not travel"*"nobody paused"* ]]
	gone "$KEEPER"
	cgroup_freeze 0
	hook_is 0 clean
	nothing_in_container
}

# worker_begins: the runtime pauses, as process $PAUSING, and the keeper has begun its work, by
# process $WORKER.
worker_begins() {
	(runtime_pauses 3>&-) &
	PAUSING=$! WORKER=''
	until [[ -n $WORKER ]]; do
		WORKER=$(pgrep -P "$KEEPER" || true)
	done
}

@test "keeper: its worker is killed with it, or after its time" {
	container_runs
	keeper_prepare --deadline 5
	exec {held}<"$RELINKTRACE_STATE/hook/txn-1"
	flock "$held"
	worker_begins
	kill -STOP "$WORKER"
	wait "$PAUSING"
	gone "$WORKER"
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	cgroup_freeze 0
	# the keeper itself, at work
	worker_begins
	kill -KILL "$KEEPER"
	wait "$PAUSING"
	gone "$WORKER"
	exec {held}<&-
	cgroup_freeze 0
	hook_is 0 abort
	nothing_in_container
}

@test "keeper: its worker killed anywhere, the dump is whole, before or after, and nothing is left" {
	local n=0 before=0 after=0 killer
	container_runs
	STEP=$((3 * STEP)) # each takes longer than all of another test's
	export KILLER_TASK=retake KILLER_ONLY=yes
	while :; do
		((n += STEP))
		"$HELPERS/killer" kill "$n" "$RT" hook prepare --id txn-1 --cgroup "$CG" \
			--tree "$PID" --config "$T/criu.conf" >"$T/answer" 3>&- &
		killer=$!
		until jq -e .keeper.pid "$T/answer" >/dev/null 2>&1; do
			kill -0 "$killer" 2>/dev/null || break
		done
		if grep -q '^killed' "$T/answer"; then
			# it was to become the keeper, or another process that has no name yet
			wait "$killer"
			hook_is 0 abort
			nothing_in_container
			continue
		fi
		runtime_pauses
		all_is_found
		hook_is 0 post-dump
		[ ! -e "$T/criu.conf" ]
		if [[ $(json '[.names[] | select(.store)] | length') -eq 3 ]]; then
			((++after))
		else
			((++before))
		fi
		cgroup_freeze 0
		hook_is 0 clean
		nothing_in_container
		wait "$killer" || true
		grep -q '^killed' "$T/answer" || break
	done
	# the last of those after was not killed
	((before > 0 && after > (STEP <= 39)))
}

@test "keeper: it ends when there is nothing to wait for, and is not there where it is not wanted" {
	container_runs
	prepare 0 --tree "$PID" --config "$T/criu.conf" --wait 0
	json_is '.keeper == null'
	[[ $(json '.messages[].text') == *"2 names are on mounts that do not travel"* ]]
	runtime_pauses
	[ ! -e "$ROOTFS/.relinktrace-store" ]
	# frozen already there is nothing to wait for
	hook_is 0 abort
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	json_is '.keeper == null and .store != null'
	hook_is 0 abort
	cgroup_freeze 0
	prepare 0 --tree "$PID" --config "$T/criu.conf" --no-store
	json_is '.keeper == null'
	hook_is 0 abort
	prepare 0
	json_is '.keeper == null'
	hook_is 0 abort
	# nobody ever pauses
	prepare 0 --tree "$PID" --config "$T/criu.conf" --wait 0.2
	gone "$(json .keeper.pid)"
	hook_is 0 abort
	prepare 0 --tree "$PID" --config "$T/criu.conf"
	KEEPER=$(json .keeper.pid)
	rt_ok clean --id "$(json .checkpoint)"
	gone "$KEEPER"
	hook_is 0 clean
	# the container ends
	keeper_prepare
	kill -KILL "$PID"
	gone "$KEEPER"
	hook_is 0 clean
	local words
	for words in "--wait 1" "--tree $PID --config $T/criu.conf --wait x"; do
		# shellcheck disable=SC2086 # words
		rt hook prepare --id x --cgroup "$CG" $words
		[ "$status" -eq 2 ]
	done
	rt hook abort --id x --wait 1
	[ "$status" -eq 2 ]
}

@test "keeper: two containers in one file of options, each paused alone or both by what is above" {
	local CG=$CG/one ABOVE=$CG
	mkdir "$CG"
	container_runs
	keeper_prepare
	local FIRST=$ROOTFS DIR=$DIR/two ID
	CG=$ABOVE/two ID=txn-2
	mkdir "$CG" "$DIR" "$T/vol2"
	rm "$T/said"
	mount -t tmpfs vol "$T/vol2"
	container_begin "$T/vol2"
	cgroup_freeze 0
	keeper_prepare
	runtime_pauses
	store_of 3
	cgroup_freeze 0
	ROOTFS=$FIRST store_of 0
	CG=$ABOVE runtime_pauses
	store_of 3
	ROOTFS=$FIRST store_of 3
	[ "$(grep -c '^# relinktrace begin' "$T/criu.conf")" -eq 2 ]
	CG=$ABOVE cgroup_freeze 0
	"$HELPERS/await" "$CG" frozen 0
	hook_is 0 clean
	ID=txn-1 hook_is 0 clean
	nothing_left
}

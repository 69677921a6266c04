#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What list shows, and of whom; what must never be listed.

load lib

@test "an empty cgroup has no orphans, which is no failure" {
	list_is_true 0
	json_is '.orphans == []'
}

@test "a file that was unlinked and closed is not listed" {
	hold h nobody
	list_is_true 0
}

@test "a file that is closed later is not listed any more" {
	hold h unlinked
	list_is_true
	hold_do h close
	[ "$REPLY" = ok ]
	list_is_true 0
}

@test "memfd is not listed" {
	hold h memfd
	list_is_true 0
}

@test "SysV shared memory is not listed" {
	hold h sysvshm
	list_is_true 0
}

@test "a file that is really named 'x (deleted)' is not listed until it is removed" {
	hold h deleted-name
	list_is_true 0
	hold_do h unlink
	[ "$REPLY" = ok ]
	list_is_true
	json_is --arg path "$DIR/x (deleted)" '.orphans[0].path == $path'
}

@test "renamed files, and a rename between two links of one file, are not listed" {
	hold h renamed
	hold g rename-same
	list_is_true 0
}

@test "cgroups below the named one count, others do not" {
	mkdir "$CG/inner" "$CG/inner/most" "$CG/other"
	HOLD_CGROUP=$CG/inner/most hold h unlinked
	HOLD_CGROUP=$CG/other hold g unlinked
	list_is_true 2
	rt_ok list --cgroup "$CG/inner" -j
	json_is --argjson pid "${HOLD_PID[h]}" '[.orphans[].holders[].pid] == [$pid]'
	json_is --arg cgroup "$(cgroup_name "$CG/inner/most")" '.orphans[0].cgroup == $cgroup'
	rt_ok list --cgroup "$CG/inner" --cgroup "$CG/other" --cgroup "$CG/inner/most" -j
	json_is '.orphans | length == 2'
}

@test "a cgroup is named by path, id:, pid: and relative to the mount" {
	local spec
	hold h unlinked
	for spec in "$CG" "${CG#"$CGROOT/"}" "id:$(stat -c %i "$CG")" "pid:${HOLD_PID[h]}"; do
		rt_ok list --cgroup "$spec" -j
		json_is --argjson pid "${HOLD_PID[h]}" '[.orphans[].holders[].pid] == [$pid]'
	done
}

@test "unit: finds the one cgroup of that name, and refuses two" {
	mkdir "$CG/one.slice" "$CG/one.slice/rt-test-$$.service"
	HOLD_CGROUP="$CG/one.slice/rt-test-$$.service" hold h unlinked
	rt_ok list --cgroup "unit:rt-test-$$.service" -j
	json_is '.orphans | length == 1'
	mkdir "$CG/two.slice" "$CG/two.slice/rt-test-$$.service"
	rt list --cgroup "unit:rt-test-$$.service" -j
	[ "$status" -eq 2 ]
}

@test "--pod and --container find theirs, list tells them, and two of a prefix are refused" {
	local uid=1b2c3d4e-0000-4a5b-8c6d-7e8f90a1b2c3 a b pod=$CG/kubepods/besteffort
	a=aa$(printf '%062d' 1) b=aa$(printf '%062d' 2) pod+=/pod$uid
	mkdir -p "$pod/$a/init.scope" "$pod/$b"
	HOLD_CGROUP=$pod/$a/init.scope hold h unlinked
	HOLD_CGROUP=$pod/$b hold g unlinked "$DIR" other
	rt_ok list --pod "$uid" -j
	json_is --arg uid "$uid" --arg a "$a" --arg b "$b" '[.orphans[] | .pod == $uid] == [true, true]
		and ([.orphans[].container] | sort) == [$a, $b]'
	rt_ok list --container "${a}" -j
	json_is --argjson pid "${HOLD_PID[h]}" '[.orphans[].holders[].pid] == [$pid]'
	rt_ok list --container "$b" -o POD,CONTAINER
	[[ ${lines[1]} == "$uid"*"$b"* ]]
	rt list --container aa -j
	[ "$status" -eq 2 ]
	[[ $stderr == *"$a"* && $stderr == *"$b"* ]]
	hold k unlinked "$DIR" in-none
	rt_ok list -p "${HOLD_PID[k]}" -j
	json_is '.orphans[0] | .pod == null and .container == null'
}

@test "-p shows one process, --all shows it too" {
	hold h unlinked
	hold g unlinked "$DIR" other
	rt_ok list -p "${HOLD_PID[h]}" -j
	"$HELPERS/truth" -p "${HOLD_PID[h]}" >"$T/truth"
	diff -u "$T/truth" <(as_truth <<<"$output") >&2
	rt_ok list --all -j
	json_is --argjson pid "${HOLD_PID[g]}" '[.orphans[].holders[].pid] | index($pid)'
}

@test "every field of the schema is there" {
	hold h unlinked
	list_is_true
	json_is '(.backend | IN("fentry", "kprobe", "tp_btf", "none")) and
		(.holders_by | IN("iterator", "proc")) and
		.exact == (.backend | IN("fentry", "kprobe"))'
	json_is '.orphans[0] | [has("dev", "ino", "generation", "type", "nlink", "size",
		"allocated", "fstype", "path", "tmpfile", "mount", "cgroup", "pod", "container",
		"unattributed",
		"unlinked", "holders")] | all'
	json_is '.orphans[0].mount | has("id") and has("point")'
	json_is '.orphans[0].holders[0] | [has("pid", "start_time", "comm", "kind", "fd",
		"flags", "pos", "cloexec", "ofd")] | all'
}

@test "the table has a row an inode, chosen columns, and escapes control bytes" {
	hold h unlinked "$DIR" $'a\e[2Jb\nc'
	rt_ok list --cgroup "$CG"
	[ "${#lines[@]}" -eq 2 ]
	[[ $output == *'a\x1b[2Jb\x0ac'* ]]
	rt_ok list --cgroup "$CG" -o INODE,PATH
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == *"$(stat -L -c %i "$(hold_file h)")"* ]]
}

@test "without iterators, a walk of /proc gives the same answer" {
	hold h two
	hold g mapped
	hold c cwd
	list_is_true 3
	local by_iterator=$output
	json_is '.holders_by'
	run --separate-stderr setpriv --bounding-set=-bpf,-sys_admin,-perfmon \
		--inh-caps=-bpf,-sys_admin,-perfmon timeout "$PATIENCE" "$RT" list --cgroup "$CG" -j
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	json_is '.holders_by == "proc"'
	diff -u <(as_truth <<<"$by_iterator") <(as_truth <<<"$output") >&2
}

@test "a process with more orphans than one call can tell" {
	hold h many "$DIR" 300
	hold g unlinked
	list_is_true 301
}

@test "lists at the same moment give the same answer" {
	hold h many "$DIR" 40
	hold g two
	[ "$(backend)" = none ] || rt_ok attach --cgroup "$CG" --pin
	list_is_true 41
	local i pids=()
	for i in {1..8}; do
		"$RT" list --cgroup "$CG" -j >"$T/list$i" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in {1..8}; do
		diff -u "$T/listed" <(as_truth <"$T/list$i") >&2
	done
	rt_ok detach --all
}

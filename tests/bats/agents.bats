#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# What is installed for machines that nobody looks at: the units, the DaemonSet, and the
# recipes of docs/agents.md. (tests/bats/{criu,runtimes}.bats run those that need CRIU.)

load lib

@test "the units say what systemd understands, and what relinktrace does" {
	command -v systemd-analyze >/dev/null || skip "systemd is not installed"
	# all: it is built
	make -s -C "$TOP" -o all install OUTPUT="${RELINKTRACE_BUILD:-$TOP/build}" \
		PREFIX="$T/prefix" >/dev/null
	[ "$("$T/prefix/bin/relinktrace-criu-hook" --help | head -n 1)" = "Usage: relinktrace criu-hook [OPTION...]" ]
	local units=("$T/prefix/lib/systemd/system/"*)
	[ "${#units[@]}" -eq 3 ]
	# of its own man pages it knows only where they are installed to
	run systemd-analyze verify --man=no "${units[@]}"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	sed -i 's/OnCalendar=daily/OnCalendar=sometimes/' "${units[@]}"
	run systemd-analyze verify --man=no "${units[@]}"
	[ -n "$output" ]
}

# unit_command UNIT KEY: as systemd would run it, with the unit's own environment.
unit_command() {
	local unit=$TOP/tools/systemd/$1.service.in line
	line=$(sed -n "s|^$2=@PREFIX@/bin/relinktrace ||p" "$unit")
	(
		eval "$(sed -n 's/^Environment=//p' "$unit")"
		eval "printf '%s\n' $line"
	)
}

# caps_of UNIT: the capabilities that it leaves, as setpriv(1) takes them.
caps_of() {
	sed -n 's/^CapabilityBoundingSet=//p' "$TOP/tools/systemd/$1.service.in" |
		tr ' ' '\n' | sed 's/^CAP_/+/' | tr 'A-Z\n' 'a-z,' | sed 's/,$//'
}

# with CAPS RT-ARG...: with no other capability.
with() {
	run --separate-stderr alone timeout "$PATIENCE" setpriv --no-new-privs \
		--bounding-set="-all,$1" --inh-caps="-all" "$RT" "${@:2}"
	printf '$ with %s: %s\n%s\n%s\nstatus %d\n' "$1" "${*:2}" "$output" "$stderr" "$status"
}

@test "the units' commands do with the units' capabilities what they are for" {
	needs_hooks
	local words
	hold h ab
	mapfile -t words < <(unit_command relinktrace ExecStart)
	[ "${words[*]}" = "attach --cgroup / --pin" ]
	with "$(caps_of relinktrace)" "${words[@]}"
	[ "$status" -eq 0 ]
	[ -d /sys/fs/bpf/relinktrace ]
	rt_ok list --cgroup "$CG" -j
	json_is '.backend != "none" and (.orphans | length) == 1'
	mapfile -t words < <(unit_command relinktrace ExecStop)
	with "$(caps_of relinktrace)" "${words[@]}"
	[ "$status" -eq 0 ]
	[ ! -e /sys/fs/bpf/relinktrace ]
	checkpoint_ok
	mapfile -t words < <(unit_command relinktrace-clean ExecStart)
	[ "${words[*]}" = "clean --expired 7d" ]
	with "$(caps_of relinktrace-clean)" clean --expired 0s
	[ "$status" -eq 0 ]
	no_new_names
}

@test "the DaemonSet is not privileged, and gives a reason for each capability" {
	[ "$(of_daemonset 's["hostPID"]')" = True ]
	[ "$(of_daemonset 'c["securityContext"]["privileged"]')" = False ]
	[ "$(of_daemonset 'c["securityContext"]["capabilities"]["drop"]')" = ALL ]
	[ "$(of_daemonset 'sorted(v["name"] for v in s["volumes"])')" = \
		"$(of_daemonset 'sorted(v["name"] for v in c["volumeMounts"])')" ]
	[ "$(of_daemonset '[m["mountPath"] for m in c["volumeMounts"]]')" = \
		"$(of_daemonset '[v["hostPath"]["path"] for v in s["volumes"]]')" ]
	local cap
	while read -r cap; do
		grep -Eq "^ +- $cap # .{10,}" "$TOP/tools/kubernetes/relinktrace.yaml"
		capsh --explain="cap_${cap,,}" >/dev/null
	done < <(of_daemonset 'c["securityContext"]["capabilities"]["add"]')
	# the script is one, and each of its commands too
	of_daemonset 'c["args"][0]' >"$T/script"
	sh -n "$T/script"
	grep -q "^ *relinktrace attach --cgroup .* --pin$" "$T/script"
}

# As in a pod on a node: a cgroup namespace of its own, these capabilities, the pids of all.
@test "the DaemonSet's capabilities are enough for the hook" {
	hold h ab
	hold g unlinked
	local caps
	caps=$(of_daemonset '",".join("+" + c.lower() for c in c["securityContext"]["capabilities"]["add"])')
	cat >"$T/in_pod" <<-EOF
		exec unshare --cgroup setpriv --no-new-privs --bounding-set=-all,$caps --inh-caps=-all \
			nsenter --target $$ --cgroup -- "$RT" "\$@"
	EOF
	chown 65533 "$DIR"
	run --separate-stderr alone timeout "$PATIENCE" sh "$T/in_pod" hook prepare --id pod \
		--cgroup "$CG"
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	json_is '.preserved == 1 and .messages == []'
	run --separate-stderr alone timeout "$PATIENCE" sh "$T/in_pod" hook clean --id pod
	[ "$status" -eq 0 ]
	no_new_names
	# every kind of copy as well
	run --separate-stderr alone timeout "$PATIENCE" sh "$T/in_pod" checkpoint --cgroup "$CG" \
		--manifest "$M" --freeze
	[ "$status" -eq 0 ]
}

# copied_without CAP: all of it with the DaemonSet's capabilities; and without CAP the entry, or
# what stands in its place, says that it is missing.
copied_without() {
	in_pod "$1" checkpoint --cgroup "$CG" --manifest "$M" --method copy
	((status == 0 || status == 3))
	jq -e --arg cap "CAP_$1" '[.entries[].not_carried, .failed[].error] | any(. // "" | contains($cap))' "$M"
	rt_ok clean "$M"
	rm "$M"
	in_pod '' checkpoint --cgroup "$CG" --manifest "$M" --method copy
	[ "$status" -eq 0 ]
	jq -e '.failed == [] and .entries[0].not_carried == null' "$M"
	rt_ok clean "$M"
	rm "$M"
}

# theirs MODE [COMMAND...]: another user's file that another user's process has open.
theirs() {
	echo x >"$DIR/file"
	chown 1000:34 "$DIR/file"
	chmod "$1" "$DIR/file"
	"${@:2}"
	in_cgroup "$CG" setpriv --reuid=65533 --clear-groups sleep 1000 <"$DIR/file" >/dev/null 2>&1 3>&- &
	disown
	"$HELPERS/await" "$CG" populated 1
	rm "$DIR/file"
}

without_SYS_ADMIN() {
	in_pod '' list --cgroup "$CG"
	[ "$status" -eq 0 ]
	in_pod SYS_ADMIN list --cgroup "$CG"
	[[ $status -ne 0 && $stderr == *"Operation not permitted"* ]]
}

# Even the node's cgroup namespace is another process's. (On 5.10 nsenter tries by a pidfd.)
without_SYS_PTRACE() {
	in_pod SYS_PTRACE list --cgroup "$CG"
	[[ $status -ne 0 && $stderr == *nsenter:*@("cannot open /proc/"|"ns/cgroup' failed")* ]]
}

without_DAC_READ_SEARCH() {
	local id
	id=$(stat -c %i "$CG")
	in_pod '' list --cgroup "id:$id"
	[ "$status" -eq 0 ]
	in_pod DAC_READ_SEARCH list --cgroup "id:$id"
	[[ $status -eq 2 && $stderr == *CAP_DAC_READ_SEARCH* ]]
}

without_DAC_OVERRIDE() {
	mkdir "$T/theirs"
	mount -t tmpfs -o mode=755,uid=1000 theirs "$T/theirs"
	hold theirs ab "$T/theirs"
	copied_without DAC_OVERRIDE
	umount -l "$T/theirs"
}

without_FOWNER() {
	theirs 644
	copied_without FOWNER
}

without_CHOWN() {
	theirs 644
	copied_without CHOWN
}

without_FSETID() {
	theirs 2755
	copied_without FSETID
}

without_SETFCAP() {
	theirs 755 setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 \
		"$DIR/file"
	copied_without SETFCAP
}

# Only before 5.11 (80ee81e0403c "bpf: Eliminate rlimit-based memory accounting infra for bpf
# maps").
without_SYS_RESOURCE() {
	local wanted=0
	[[ $(printf '%s\n' 5.11 "$(uname -r)" | sort -V | head -n 1) == 5.11 ]] || wanted=1
	(
		ulimit -l 64
		in_pod SYS_RESOURCE attach --cgroup "$CG" --pin
		[ "$status" -eq "$wanted" ]
	)
	"$RT" detach --all >&2 || true
}

@test "each of the DaemonSet's capabilities is needed for what its reason says" {
	needs_hooks
	local cap caps
	mapfile -t caps < <(of_daemonset 'c["securityContext"]["capabilities"]["add"]')
	((${#caps[@]} > 5))
	for cap in "${caps[@]}"; do
		"without_$cap"
		cgroup_empty "$CG"
	done
}

# Every command in the recipes is one: each of its words is understood.
@test "the recipes' commands are understood" {
	local ID=recipe PID=$$ CGROUP=$CG IMAGES=$T CONTAINER=0123456789ab line n=0
	while read -r line; do
		line=${line%% >*}
		line=${line//\/etc\/criu\/runc.conf/$T/runc.conf}
		line=${line//\$\{*/}
		eval "rt ${line#relinktrace } --help" </dev/null
		[ "$status" -eq 0 ]
		[[ $output == Usage:* ]]
		n=$((n + 1))
	done < <(sed -n 's/^\t*\(relinktrace .*[^\\]\)$/\1/p' "$TOP/docs/agents.md")
	((n > 10))
	awk '/^```sh/ { inside = 1; next } /^```/ { inside = 0 } inside' "$TOP/docs/agents.md" |
		bash -n
}

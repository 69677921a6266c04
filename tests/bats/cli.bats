#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line as a contract: exit statuses, and where output goes.

load lib

# refused ARG...: usage, said on stderr only.
refused() {
	rt "$@"
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	[ -n "$stderr" ]
}

@test "no command, an unknown command, an unknown option" {
	refused
	refused frobnicate
	refused list --no-such-option
	refused attach --no-such-option
}

@test "--help is no failure and goes to stdout" {
	rt_ok --help
	[[ $output == *checkpoint* && $output == *restore* ]]
}

@test "arguments that are missing" {
	refused attach
	refused detach
	refused checkpoint
	refused checkpoint --cgroup "$CG"
	refused checkpoint --manifest "$M"
	refused restore
	refused restore "$M"
	refused restore "$M" --
	refused clean
	refused list -p
}

@test "arguments that exclude each other, and numbers that are none" {
	refused list --all --cgroup "$CG"
	refused list --all -p 1
	refused list -p 0
	refused list -p -1
	refused list -p 12x
	refused list -p ''
	refused list -p 4294967297
	[[ $stderr == *4294967297* ]]
	refused restore "$M" --holder 4294967297 -- true
	refused criu dump --tree 12x --images-dir "$T"
}

@test "a word too many" {
	refused list --all more
	refused attach --cgroup "$CG" more
	refused detach --all more
	refused check --cgroup "$CG" more
	refused checkpoint --cgroup "$CG" --manifest "$M" more
	refused clean "$M" more
	refused doctor more
	[ ! -e "$M" ]
}

@test "cgroups that are not there or not meant" {
	refused list --cgroup "$CG/none"
	[[ $stderr == *none* ]]
	refused list --cgroup ''
	refused list --cgroup id:0
	refused list --cgroup id:18446744073709551615
	refused list --cgroup id:12x
	refused list --cgroup pid:0
	refused list --cgroup pid:99999999
	refused list --cgroup unit:no-such-unit.service
	refused list --pod 1b2c3d4e-0000-4a5b-8c6d-7e8f90a1b2c3
	refused list --pod web-0
	refused list --container fedcba
	refused list --container web
	refused attach --pod web-0
	refused list --cgroup /proc
	refused list --cgroup "$DIR"
	refused attach --cgroup "$CG/none"
	refused checkpoint --cgroup "$CG/none" --manifest "$M"
	[ ! -e "$M" ]
}

@test "a cgroup of version 1 is refused as such" {
	local v1
	v1=$(findmnt -n -t cgroup -o TARGET | head -n 1)
	[ -n "$v1" ] || skip "no cgroup v1 hierarchy"
	refused list --cgroup "$v1"
	[[ $stderr == *v2* ]]
}

@test "an unknown method, a template that leaves the mount" {
	refused checkpoint --cgroup "$CG" --manifest "$M" --method move
	refused checkpoint --cgroup "$CG" --manifest "$M" --template '../%t-%n'
	refused checkpoint --cgroup "$CG" --manifest "$M" --template 'a/../../%t-%n'
	refused checkpoint --cgroup "$CG" --manifest "$M" --template 'a/..'
	refused checkpoint --cgroup "$CG" --manifest "$M" --template ''
	[ ! -e "$M" ]
}

@test "manifests that are not there or are none" {
	local text
	rt restore "$M" --check
	[ "$status" -eq 1 ]
	[[ $stderr == *"$M"* ]]
	for text in '' '{' '[]' '{"schema":"other/1"}' '{"schema":"relinktrace.manifest/1"}' \
		'{"schema":"relinktrace.manifest/2","entries":[]}'; do
		echo "$text" >"$M"
		rt restore "$M" -- touch "$T/ran"
		[ "$status" -eq 1 ]
		rt clean "$M"
		[ "$status" -eq 1 ]
	done
	[ ! -e "$T/ran" ]
}

@test "doctor says which way to attach there is, and why not the better ones" {
	rt_ok doctor
	[[ $output == *fentry* && $output == *tp_btf* ]]
	rt_ok doctor -j
	json_is '.backend | IN("fentry", "kprobe", "tp_btf", "none")'
	json_is --arg release "$(uname -r)" 'tostring | contains($release)'
}

@test "privileges that are missing are named" {
	run --separate-stderr setpriv --reuid=65534 --clear-groups "$RT" attach --cgroup "$CG"
	[ "$status" -eq 1 ]
	[[ $stderr == *CAP_* ]]
}

@test "the last errors are lines of JSON under -j" {
	rt list --cgroup "$CG/none" -j
	[ "$status" -eq 2 ]
	jq -e '.level == "error" and (.message | length > 0)' <<<"$stderr"
}

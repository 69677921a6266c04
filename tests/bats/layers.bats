#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Filesystems on filesystems, and what each shows otherwise in /proc, stat and mountinfo
# than the kernel has it: device, path, size and allocated bytes must be those of the file.

load lib

# image TYPE NAME: a filesystem of its own at $T/NAME.
image() {
	mkdir "$T/$2"
	truncate -s 300M "$T/$2.image"
	"mkfs.$1" -q "$T/$2.image" >/dev/null
	mount -o loop "$T/$2.image" "$T/$2"
}

# facts_are_true: of $output, path, size and allocated bytes are what the link of a holder
# in /proc and stat say.
facts_are_true() {
	local link size allocated path
	while IFS=$'\t' read -r link size allocated path; do
		[ "$(stat -L -c '%s %b' "$link")" = "$size $((allocated / 512))" ] &&
			[ "$(readlink "$link")" = "$path (deleted)" ] || {
			echo "$link: $size $allocated $path; $(stat -L "$link")" >&2
			return 1
		}
	done < <(jq -r '.orphans[] | ([.holders[] | select(.kind == "fd")][0]) as $by |
		["/proc/\($by.pid)/fd/\($by.fd)", .size, .allocated, .path] | @tsv' <<<"$output")
}

# counted NAME N DIR: the pinned map has N entries of the filesystem of DIR.
counted() {
	has_function_hooks || return 0
	hold_do "$1" "tracked $(DIR=$3 device_number)"
	[[ $REPLY == "ok $2:"* ]] || {
		echo "of $3 tracked: $REPLY, and not $2" >&2
		return 1
	}
}

# overlay_over TYPE: at $T/TYPE/merged.
overlay_over() {
	local at=$T/$1
	image "$1" "$1"
	mkdir "$at"/{lower,upper,work,merged} "$at/lower/dir" "$at/lower/filled"
	printf 'lower a' >"$at/lower/a"
	printf 'lower b' >"$at/lower/b"
	printf 'lower c' >"$at/lower/c"
	truncate -s 16M "$at/lower/sparse"
	mount -t overlay -o "lowerdir=$at/lower,upperdir=$at/upper,workdir=$at/work" overlay \
		"$at/merged"
}

overlay_is_exact() {
	local at=$T/$1
	overlay_over "$1"
	[ "$(backend)" = none ] || pin "$CG"
	actor h "$at/merged"
	act h 'open a 1' 'unlink a' 'create new 2' 'unlink new' 'open dir 3' 'rmdir dir'
	counted h 3 "$at/merged"
	act h 'open c 4' 'create over 5' 'rename over c' 'close 5' 'open b 6'
	touch "$at/merged/b" # copied up: the fd still has the lower file
	act h 'unlink b' 'open sparse 7' 'unlink sparse' 'create again 8' 'link again more' \
		'unlink again'
	counted h 7 "$at/merged"
	counted h 0 "$at"
	list_is_true 7
	facts_are_true
	json_is 'all(.orphans[]; .fstype == "overlay" and .nlink == if .path | endswith("/again")
		then 1 else 0 end)'
	checkpoint_ok
	json_is '.entries | length == 7'
	cgroup_empty "$CG"
	list_is_true 0
	counted_is_empty "$at/merged"
	restore_ok
	json_is '(.fds | map(select(.type == "regular" and .size == 7)) | length) == 3'
	rt_ok detach --all
	umount "$at/merged" "$at"
}

counted_is_empty() {
	has_function_hooks || return 0
	actor eye
	counted eye 0 "$1"
	cgroup_empty "$CG"
}

@test "overlay on ext4: the lower layer's files too, and each once" {
	overlay_is_exact ext4
}

@test "overlay on xfs: the same" {
	overlay_is_exact xfs
}

@test "btrfs: one inode number in two subvolumes is two files" {
	image btrfs volume
	local at=$T/volume
	[ "$(backend)" = none ] || pin "$CG"
	btrfs -q subvolume create "$at/one"
	printf 'is one' >"$at/one/a"
	btrfs -q subvolume snapshot "$at/one" "$at/two"
	printf ' or two' >>"$at/two/a"
	[ "$(stat -c %i "$at/one/a")" = "$(stat -c %i "$at/two/a")" ]
	actor h "$at/one"
	actor k "$at/two"
	act h 'open a 1' 'unlink a'
	act k 'open a 1' 'link a b' 'unlink a'
	counted h 2 "$at"
	rt_ok list --cgroup "$CG" -j
	json_is --arg dev "$(findmnt -n -o MAJ:MIN "$at" | tr -d ' ')" --arg at "$at" '
		([.orphans[] | [.dev, .path, .nlink, .size]] | sort) ==
		[[$dev, $at + "/one/a", 0, 6], [$dev, $at + "/two/a", 1, 13]] and
		all(.orphans[]; .holders | length == 1)'
	facts_are_true
	rt_ok detach --all
	# by /proc alone
	run --separate-stderr setpriv --bounding-set=-bpf,-sys_admin,-perfmon \
		--inh-caps=-bpf,-sys_admin,-perfmon timeout "$PATIENCE" "$RT" list --cgroup "$CG" -j
	json_is '.holders_by == "proc" and ([.orphans[].size] | sort) == [6, 13]'
	checkpoint_ok
	cgroup_empty "$CG"
	restore_ok
	json_is '[.fds[].size] | sort == [6, 13]'
}

@test "FUSE: an orphan of the FUSE filesystem, and of the one below only if it is one there" {
	[ "$(backend)" = none ] || pin "$CG"
	mkdir "$DIR/source" "$CG/h"
	fuse_over "$DIR/source" "$T/fuse"
	HOLD_CGROUP=$CG/h actor h "$T/fuse"
	act h 'create a 1' 'create b 2' 'link b kept' 'mkdir d' 'open d 3' 'create over 4' \
		'create c 5' 'rename over c' 'close 4' 'unlink a' 'unlink b' 'rmdir d'
	counted h 4 "$T/fuse"
	# the daemon gave the file another name, which is there
	[ "$(find "$DIR/source" -name '.fuse_hidden*' | wc -l)" -ge 1 ]
	rt_ok list --cgroup "$CG" -j
	json_is --arg cgroup "$(cgroup_name "$CG/h")" --arg dir "$T/fuse/" '
		([.orphans[] | .path | ltrimstr($dir)] | sort) == ["a", "b", "c", "d"] and
		all(.orphans[]; .fstype == "fuse" and .cgroup == $cgroup and
			if .type == "regular" then .size == 1 else true end)'
	act h 'close 3' # of a removed directory the daemon knows nothing any more, nor has stat
	list_is_true 3
	checkpoint_ok
	act h 'close 1' 'close 2' 'close 5'
	counted h 0 "$T/fuse"
	list_is_true 0
	rt_ok clean "$M"
	# a daemon that really removes: one orphan of each filesystem, by each process
	mkdir "$DIR/hard"
	fuse_over "$DIR/hard" "$T/hard" -o hard_remove
	HOLD_CGROUP=$CG/h actor k "$T/hard"
	act k 'create a 1' 'unlink a'
	counted k 1 "$T/hard"
	counted k 1 "$DIR"
	rt_ok list --cgroup "$CG" -j # stat of it asks the daemon, which finds it no more
	json_is --arg h "$(cgroup_name "$CG/h")" --arg d "$(cgroup_name "$CG/daemon")" '
		([.orphans[] | [.fstype, .cgroup]] | sort) == ([["fuse", $h], [$fs, $d]] | sort)' \
		--arg fs "$FSTYPE"
	act k 'close 1'
	counted k 0 "$T/hard"
	cgroup_empty "$CG/h"
	umount "$T/hard" "$T/fuse"
	"$HELPERS/await" "$CG/daemon" populated 0
	list_is_true 0
}

@test "a container: namespaces of its own, its root an overlay, a folder and a file bound into it" {
	[ "$(backend)" = none ] || pin "$CG"
	overlay_over ext4
	mkdir "$DIR/data"
	echo hosts >"$DIR/hosts"
	local root=$T/ext4/merged
	mkdir "$root"/{proc,data,old,helpers,lib,lib64,usr,bin}
	# shellcheck disable=SC2016 # for that shell
	HOLD_VIA=(unshare --mount --pid --fork --propagation private sh -c '
		root=$1 dir=$2 helpers=$3
		shift 3
		mount --bind "$dir/data" "$root/data" && touch "$root/hosts" &&
			mount --bind "$dir/hosts" "$root/hosts" &&
			mount --bind "$helpers" "$root/helpers" &&
			for d in lib lib64 usr bin; do mount --rbind /$d "$root/$d"; done &&
			mount -t proc proc "$root/proc" && cd "$root" && pivot_root . old &&
			umount -l /old && exec /helpers/act act /' - "$root" "$DIR" "$HELPERS")
	actor h
	# pid 1 in there; here it is the one that the cgroup has beside unshare
	act h 'open a 1' 'unlink a' 'create data/x 2' 'unlink data/x' 'open hosts 3'
	rm "$DIR/hosts"
	rt_ok list --cgroup "$CG" -j
	json_is '.complete and ([.orphans[] | [.path, .mount.point]] | sort) ==
		[["/a", "/"], ["/data/x", "/data"], ["/hosts", "/hosts"]]'
	# the bind mount holds the file as well, which is in no table of /proc/PID
	"$HELPERS/truth" "$CG" | sort |
		diff -u - <(as_truth <<<"$output" | sed -E 's/ [0-9]*:mount//') >&2
	facts_are_true
	checkpoint
	output=$(<"$M")
	json_is '[.entries[] | .path] | contains(["/a", "/data/x"])'
}

# nothing_counted NAME DIR: by and by; a client tells its server of a close later.
nothing_counted() {
	local until=$((SECONDS + PATIENCE))
	while hold_do "$1" "tracked $(DIR=$2 device_number)" && [ "$REPLY" != "ok 0:" ]; do
		((SECONDS < until)) || return 1
	done
}

@test "a kernel server (nfsd) unlinks, and holds what its client has open" {
	[ "$(hostname)" = relinktrace-vm ] || skip "a kernel server is begun in a virtual machine only"
	has_function_hooks || skip "no function hooks on this kernel"
	pin "$CG"
	mkdir "$CG/h" "$CG/k" "$T/nfs"
	nfs_serve "$DIR" || skip "no nfsd on this kernel"
	mount -i -t nfs4 -o vers=4.1,addr=127.0.0.1,clientaddr=127.0.0.1 127.0.0.1:/ "$T/nfs"
	HOLD_CGROUP=$CG/h actor h
	HOLD_CGROUP=$CG/k actor k "$T/nfs"
	act h 'create a 1' 'create b 2' 'mkdir d' 'open d 3' 'create mine 4' 'close 4'
	act k 'unlink a' 'create over 1' 'close 1' 'rename over b' 'rmdir d'
	tracked_is h 3 1 2 3
	list_is_true 3
	json_is --arg cgroup "$(cgroup_name "$CG/h")" 'all(.orphans[]; .cgroup == $cgroup and
		.unlinked.comm == "nfsd" and (.unattributed | not))'
	act h 'close 1' 'close 2' 'close 3'
	tracked_is h 0
	# what the client removes while it has it open gets another name on both sides
	act k 'create silly 2' 'unlink silly'
	tracked_is h 0
	counted k 0 "$T/nfs"
	act k 'close 2'
	# only the server has it open, for its client
	act k 'open mine 3'
	act h 'unlink mine'
	counted h 1 "$DIR"
	rt_ok list --cgroup "$CG/h" -j
	json_is '(.orphans | length) == 1 and (.orphans[0] | .unattributed and .unlinked.comm == "act")'
	act k 'close 3'
	nothing_counted h "$DIR"
	cgroup_empty "$CG"
	umount "$T/nfs"
	echo 0 >/proc/fs/nfsd/threads
	umount /proc/fs/nfsd
}

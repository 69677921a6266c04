#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# As errors.bats, where a kernel is needed that has more than that of every machine.

load lib
load errors

@test "EDQUOT: a project's limit, and a user's" {
	modprobe -q quota_v2 2>/dev/null || true
	OPTIONS=usrquota,prjquota small ext4 64M -O quota,project \
		-E quotatype=usrquota:prjquota
	xfs_quota -f -x -c 'limit -p bhard=5m 7' "$SMALL"
	xfs_quota -f -x -c 'limit -u bhard=5m 1000' "$SMALL"
	head -c 4M /dev/urandom >"$SMALL/project"
	head -c 4M /dev/urandom >"$SMALL/user"
	chattr -p 7 "$SMALL/project"
	chown 1000 "$SMALL/user"
	good_one
	actor h "$SMALL"
	act h 'open project 1' 'unlink project'
	one_failed 122 'copy: Disk quota exceeded' 'raise the quota'
	act h 'close 1' 'open user 1' 'unlink user'
	rt_ok clean "$M"
	rm "$M"
	one_failed 122 'copy: Disk quota exceeded' 'raise the quota'
	rt_ok clean "$M"
}

@test "ENAMETOOLONG: a filesystem with shorter names than the template makes" {
	modprobe -q minix 2>/dev/null || true
	grep -qw minix /proc/filesystems || skip "no minix on this kernel"
	local name
	small minix 16M -3 # names of 60 bytes
	hold h unlinked "$SMALL"
	printf -v name '%060d' 0
	ARGS=(--template "f/$name-%n")
	failed_alone 36 'File name too long' 'shorter --template'
	ARGS=(--template "$name-/%n")
	failed_alone 36 'File name too long' 'shorter --template'
	checkpoint_ok
	rt_ok clean "$M"
	no_half_copy
}

@test "ESTALE: a folder that the server has no more" {
	[ "$(hostname)" = relinktrace-vm ] || skip "a kernel server is begun in a virtual machine only"
	nfs_serve "$DIR" || skip "no nfsd on this kernel"
	SMALL=$T/small
	mkdir "$SMALL"
	mount -i -t nfs4 -o noac,vers=4.1,addr=127.0.0.1,clientaddr=127.0.0.1 127.0.0.1:/ "$SMALL"
	good_one
	actor h "$SMALL"
	act h 'mkdir d' 'open d 1' 'rmdir d'
	one_failed 116 'Stale file handle' 'its server knows the file no more'
	rt_ok clean "$M"
	cgroup_empty "$CG"
	umount "$SMALL"
	echo 0 >/proc/fs/nfsd/threads
	umount /proc/fs/nfsd
}

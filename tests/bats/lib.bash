# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What all test files share. Each test has a cgroup of its own ($CG), a directory on
# the filesystem under test ($DIR) and one for everything else ($T). Nothing here
# sleeps: helpers answer, the kernel tells (helpers/await.c), or a read waits.
#
# shellcheck disable=SC2034,SC2119,SC2120,SC2154 # the test files, and bats' run

bats_require_minimum_version 1.5.0

TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
RT=${RELINKTRACE_BUILD:-$TOP/build}/relinktrace
HELPERS=${RELINKTRACE_BUILD:-$TOP/build}/tests/helpers
export LC_ALL=C

# Seconds after which something is taken for hung; an emulated machine is slow.
PATIENCE=120

# O_ACCMODE | O_APPEND | O_NONBLOCK: what is given back of the flags of a description.
KEPT_FLAGS=$((3 | 1024 | 2048))

# bats notes the line before each command, and in our functions nobody asks for it: on an
# emulated machine a fifth of the time of all tests. (bats' own is lib/bats-core/tracing.bash.)
if declare -F bats_debug_trap bats_capture_stack_trace >/dev/null; then
	bats_debug_trap() {
		[[ $1 == "$BATS_TEST_SOURCE" && -z ${BATS_INTERRUPTED+x}${BATS_TIMED_OUT+x} ]] ||
			return 0
		BATS_DEBUG_LASTLAST_STACK_TRACE=("${BATS_DEBUG_LAST_STACK_TRACE[@]}")
		BATS_DEBUG_LAST_LINENO=("${BASH_LINENO[@]}")
		BATS_DEBUG_LAST_SOURCE=("${BASH_SOURCE[@]}")
		bats_capture_stack_trace
	}
fi

setup() {
	declare -gA HOLD_PID=() HOLD_IN=() HOLD_OUT=() HOLD_SAID=()
	T=$BATS_TEST_TMPDIR
	export RELINKTRACE_STATE=$T/state
	CGROOT=$(mount_of cgroup2)
	CG=$CGROOT/relinktrace-test-$$-$BATS_TEST_NUMBER
	mkdir "$CG"
	DIR=$(mktemp -d "${RELINKTRACE_TEST_DIR:-${TMPDIR:-/tmp}}/relinktrace-test.XXXXXX")
	mount_know
	M=$T/manifest.json DEVICE=''
	NAMES_BEFORE=$(names_left)
	ATTACH_PID='' HOLD_CGROUP='' HOLD_VIA=() HOLD_BY=hold
	all_bpf_objects >"$T/bpf_before"
}

teardown() {
	test_remove
}

# Sets what $DIR is on, which is the same for all tests of a run.
mount_know() {
	local known=${RELINKTRACE_TEST_KNOWN:+$RELINKTRACE_TEST_KNOWN/mount-${RELINKTRACE_TEST_DIR//\//_}}
	if [[ ! -s $known ]]; then
		read -r FSTYPE MOUNT < <(findmnt -n -o FSTYPE,TARGET -T "$DIR")
		[[ -z $known ]] || echo "$FSTYPE $MOUNT" >"$known"
	fi
	[[ -z $known ]] || read -r FSTYPE MOUNT <"$known"
}

# What a test has left, whatever became of it.
test_remove() {
	[[ -z $ATTACH_PID ]] || attach_kill
	[[ -z ${LOOP:-} ]] || losetup -d "$LOOP"
	[[ ! -e $M ]] || "$RT" clean "$M" >&2 || true
	[[ ! -e /sys/fs/bpf/relinktrace ]] || "$RT" detach --all >&2 || true
	place_remove
}

# What setup() made, what is in it, and what is mounted below $T. bats itself keeps $T until all
# are through, which in a virtual machine is memory.
place_remove() {
	cgroup_remove "$CG"
	[[ $(</proc/self/mounts) != *" $T/"* ]] ||
		findmnt -rn -o TARGET | grep -F "$T/" | xargs -r umount -l
	rm -rf -- "$DIR"
	find "$T" -xdev -mindepth 1 -delete 2>/dev/null || true
}

# How tasks are held up in the kernel: none, voluntary, full or lazy.
PREEMPT=/sys/kernel/debug/sched/preempt

preempt_mode() {
	if [[ -r $PREEMPT ]]; then
		sed 's/.*(\(.*\)).*/\1/' "$PREEMPT"
	elif [[ $(uname -v) == *PREEMPT_RT* ]]; then
		echo full
	fi
}

# of_daemonset EXPRESSION: of its pod template's spec (s) and container (c).
of_daemonset() {
	python3 -c 'import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
s = [d for d in documents if d["kind"] == "DaemonSet"][0]["spec"]["template"]["spec"]
c = s["containers"][0]
got = eval(sys.argv[2])
print("\n".join(got) if isinstance(got, list) else got)' \
		"$TOP/tools/kubernetes/relinktrace.yaml" "$1"
}

# in_pod LEFT-OUT RT-ARG...: as the DaemonSet would run it, but for that capability. $IN is what
# else it is run by.
in_pod() {
	local caps
	caps=$(of_daemonset '",".join("+" + c.lower() for c in c["securityContext"]["capabilities"]["add"]'"
		if c != '$1')")
	run --separate-stderr alone timeout "$PATIENCE" "${IN[@]}" unshare --cgroup setpriv \
		--no-new-privs --bounding-set="-all,$caps" --inh-caps=-all nsenter --target $$ --cgroup -- "$RT" "${@:2}"
	printf '$ in a pod without %s: %s\n%s\n%s\nstatus %d\n' "${1:-nothing}" "${*:2}" "$output" \
		"$stderr" "$status"
}

# mount_of FSTYPE: where the first of that kind is mounted.
mount_of() {
	local point type
	while read -r _ point type _; do
		[[ $type != "$1" ]] || break
	done </proc/self/mounts
	echo "$point"
}

# The same language, by a program that begins ten times sooner, which is what most of the
# time of a test on an emulated machine went into.
if command -v gojq >/dev/null; then
	jq() {
		command gojq "$@"
	}
fi

# alone COMMAND...: in place of this shell, without the fds of bats.
alone() {
	local fd
	for fd in "/proc/$BASHPID/fd"/*; do
		fd=${fd##*/}
		((fd <= 2)) || exec {fd}>&-
	done
	exec "$@"
}

# cgroups ------------------------------------------------------------------------

# in_cgroup DIR COMMAND...: in place of this shell.
in_cgroup() {
	echo "$BASHPID" >"$1/cgroup.procs" || exit 1
	alone "${@:2}"
}

# fuse_over DIR POINT [OPTION]...: by a daemon in a cgroup of its own, whose pid is in $FUSE.
fuse_over() {
	mkdir -p "$CG/daemon" "$1" "$2"
	modprobe -q fuse 2>/dev/null || true
	(in_cgroup "$CG/daemon" bindfs "${@:3}" "$1" "$2")
	FUSE=$(<"$CG/daemon/cgroup.procs")
}

# Ends every task of a cgroup and of those below it, and waits until they are gone.
cgroup_empty() {
	local dir pids
	while read -r dir; do
		echo 0 >"$dir/cgroup.freeze"
		# in one piece: bash seeks in what it reads by line, and a task that has
		# ended meanwhile shifts the rest
		pids=$(<"$dir/cgroup.procs")
		# shellcheck disable=SC2086 # a list
		[[ -z $pids ]] || kill -KILL $pids 2>/dev/null || true
	done < <(find "$1" -depth -type d)
	"$HELPERS/await" "$1" populated 0
}

cgroup_remove() {
	[[ -d $1 ]] || return 0
	! rmdir "$1" 2>/dev/null || return 0
	cgroup_empty "$1"
	find "$1" -depth -type d -exec rmdir {} +
}

# As the command names it: below the v2 root.
cgroup_name() {
	printf '%s\n' "${1#"$CGROOT"}"
}

# holders ------------------------------------------------------------------------

# hold NAME SITUATION [DIR [ARG]...]: starts helpers/hold.c in $HOLD_CGROUP ($CG), by the
# command ${HOLD_VIA[@]} if it is set.
hold() {
	local name=$1 situation=$2 dir=${3:-$DIR} in out
	shift $(($# < 3 ? $# : 3))
	mkfifo "$T/$name.in" "$T/$name.out"
	in_cgroup "${HOLD_CGROUP:-$CG}" "${HOLD_VIA[@]}" "$HELPERS/$HOLD_BY" "$situation" "$dir" "$@" \
		<"$T/$name.in" >"$T/$name.out" 3>&- &
	disown
	exec {in}>"$T/$name.in" {out}<"$T/$name.out"
	HOLD_IN[$name]=$in HOLD_OUT[$name]=$out
	if ! IFS= read -r -t "$PATIENCE" -u "$out" HOLD_SAID["$name"]; then
		echo "hold $situation did not become ready" >&2
		return 1
	fi
	HOLD_PID[$name]=$(cut -d ' ' -f 2 <<<"${HOLD_SAID[$name]}")
}

# hold_value NAME KEY: what the ready line says, if it does.
hold_value() {
	[[ ${HOLD_SAID[$1]} =~ \ $2=([^ ]*) ]] && printf '%s\n' "${BASH_REMATCH[1]}"
}

# hold_do NAME COMMAND: the answer is in $REPLY.
hold_do() {
	echo "${*:2}" >&"${HOLD_IN[$1]}"
	IFS= read -r -t "$PATIENCE" -u "${HOLD_OUT[$1]}" REPLY
}

# keep NAME SPEC...: helpers/keep.c holds what is in $DIR.
keep() {
	local HOLD_VIA=("$HELPERS/keep")
	hold "$1" - "$DIR" "${@:2}"
}

# actor NAME [DIR]: starts helpers/act.c as a holder of that name.
actor() {
	HOLD_BY=act hold "$1" act "${2:-$DIR}"
}

# act NAME COMMAND...: helpers/act.c does them all; each one of them can.
act() {
	local command
	for command in "${@:2}"; do
		hold_do "$1" "$command"
		[ "$REPLY" = ok ] || {
			echo "act $command: $REPLY" >&2
			return 1
		}
	done
}

# act_fails NAME ERRNO COMMAND: it cannot, for that reason.
act_fails() {
	hold_do "$1" "$3"
	[ "$REPLY" = "failed $2" ] || {
		echo "act $3: $REPLY" >&2
		return 1
	}
}

# tracked_is NAME N [SLOT]...: the pinned map has N entries of the filesystem of $DIR,
# which are of these slots of an actor's and of nothing else.
tracked_is() {
	hold_do "$1" "tracked ${DEVICE:=$(device_number)}"
	[ "$REPLY" = "ok $2:${3:+ ${*:3}}" ] || {
		echo "tracked: $REPLY, and not ${*:2}" >&2
		return 1
	}
}

# now_is NAME N M [SLOT]...: in this moment the pinned map has N entries, of these slots
# of actor NAME; where no hook keeps it exact, list says what /proc says, of M files.
now_is() {
	if has_function_hooks; then
		tracked_is "$1" "$2" "${@:4}"
	else
		list_is_true "$3"
	fi
}

# The link of /proc that leads to what NAME holds.
hold_file() {
	echo "/proc/${HOLD_PID[$1]}/fd/$(hold_value "$1" fd)"
}

# the command --------------------------------------------------------------------

# rt ARG...: as `run`, with stdout in $output, stderr in $stderr; both are shown when
# the test fails.
rt() {
	run --separate-stderr alone timeout "$PATIENCE" "$RT" "$@"
	printf '$ relinktrace %s\n%s\n%s\nstatus %d\n' "$*" "$output" "$stderr" "$status"
}

rt_ok() {
	rt "$@"
	[ "$status" -eq 0 ]
}

# recipe HEADING N [FILE]: runs the N-th block of commands below that heading of docs/FILE
# (agents.md), in $T and with the variables that it uses; $CONF in place of the file of CRIU's
# options.
recipe() {
	local PATH=$T/bin:$PATH name
	mkdir -p "$T/bin"
	for name in relinktrace relinktrace-criu-hook; do
		ln -sf "$RT" "$T/bin/$name"
	done
	awk -v heading="## $1" -v n="$2" '/^## / { there = $0 == heading }
		/^```/ { inside = !inside && there; block += inside; next }
		inside && block == n' "$TOP/docs/${3:-agents.md}" |
		sed "s|/etc/criu/runc.conf|${CONF:-&}|" >"$T/recipe"
	[ -s "$T/recipe" ]
	# shellcheck disable=SC1091
	(cd "$T" && set -eu && . "$T/recipe") >&2 3>&-
}

# json FILTER [ARG]...: of $output; raw; false and null fail.
json() {
	jq -er "$@" <<<"$output"
}

# json_is FILTER [ARG]...: says what it looked at when it does not hold.
json_is() {
	jq -e "$@" <<<"$output" >/dev/null || {
		printf 'not so: %s\nof: %s\n' "$*" "$output" >&2
		return 1
	}
}

# The same lines as helpers/truth.c, of a list on stdin.
as_truth() {
	jq -r '.orphans[] | "\(.dev) \(.ino) " + ([.holders[] |
		if .kind == "fd"
		then "\(.pid)/\(.tid // 0):fd:\(.fd):\(.pos):\(.flags):\(if .cloexec then 1 else 0 end)"
		else "\(.pid):\(.kind)" end] | unique | join(" "))' | sort
}

# list_is_true [N]: `list` of the cgroup is complete and says what /proc says, of N
# inodes (1); it stays in $output.
list_is_true() {
	rt_ok list --cgroup "$CG" -j
	json_is '.schema == "relinktrace.list/1" and .complete and .lost == 0'
	"$HELPERS/truth" "$CG" | sort >"$T/truth"
	as_truth <<<"$output" >"$T/listed"
	diff -u "$T/truth" "$T/listed" >&2
	[ "$(wc -l <"$T/listed")" -eq "${1:-1}" ]
}

checkpoint() {
	rt checkpoint --cgroup "$CG" --manifest "$M" "$@"
}

# checkpoint_ok [ARG]...: all is preserved; the manifest is in $output.
checkpoint_ok() {
	checkpoint "$@"
	[ "$status" -eq 0 ]
	output=$(<"$M")
	json_is '.schema == "relinktrace.manifest/1" and .complete and .failed == []'
	[ "$(stat -c %a "$M")" = 600 ]
}

# restore [OPTION]...: what helpers/got.c was given is in $output.
restore_ok() {
	rt_ok restore "$M" "$@" -- "$HELPERS/got"
	json_is .fds
}

# listen_by COMMAND...: waits until it listens on $T/socket.
listen_by() {
	local line
	rm -f "$T/listen.out"
	mkfifo "$T/listen.out"
	"$@" >"$T/listen.out" 2>"$T/listen.err" 3>&- &
	LISTEN_PID=$!
	exec {LISTEN_OUT}<"$T/listen.out"
	IFS= read -r -t "$PATIENCE" -u "$LISTEN_OUT" line
	[ "$line" = "listening on $T/socket" ]
}

# listen_end [SIGNAL]: its status is in $status.
listen_end() {
	[[ -z ${1:-} ]] || kill "-$1" "$LISTEN_PID"
	status=0
	wait "$LISTEN_PID" || status=$?
}

# take [WORD]: what was taken is in $output, the messages in $T/messages.
take() {
	run --separate-stderr alone timeout "$PATIENCE" "$HELPERS/taker" "$T/socket" \
		"$T/messages" "$@"
}

# files --------------------------------------------------------------------------

# Names that checkpoints make, below the mount of $DIR, and whether their folder is there.
names_left() (
	shopt -s globstar nullglob dotglob
	printf '%s\n' "${MOUNT%/}"/lost+found/{checkpoint*,checkpoint*/**}
	[[ ! -e ${MOUNT%/}/lost+found ]] || echo "${MOUNT%/}/lost+found"
)

no_new_names() {
	local now
	now=$(names_left)
	diff <(echo "$NAMES_BEFORE") <(echo "$now") >&2
}

# entry_file N: where the N-th entry (0) of the manifest is now.
entry_file() {
	printf '%s/%s\n' "${MOUNT%/}" \
		"$(jq -er "[.entries[].relink_path | select(.)][${1:-0}]" "$M")"
}

# file_facts PATH: as JSON, read by helpers/got.c.
file_facts() {
	"$HELPERS/got" --stat "$1"
}

can_clone() {
	local answer=1
	echo x >"$DIR/.clone"
	! cp --reflink=always "$DIR/.clone" "$DIR/.clone2" 2>/dev/null || answer=0
	rm -f "$DIR/.clone" "$DIR/.clone2"
	return $answer
}

# Overlay has it from 6.3 on.
can_tmpfile() {
	"$HELPERS/hold" tmpfile "$DIR" </dev/null >/dev/null 2>&1
}

# How an inode without any name is preserved here.
moved_method() {
	if can_clone; then echo clone; else echo copy; fi
}

# rooted_begin [DIR]: process $PID in a root of its own, $ROOTFS, on which DIR ($T/vol) is /vol; two
# files that it holds there have another name, and one has none. As a runtime's, but that no
# CRIU is needed.
rooted_begin() {
	ROOTFS=$DIR/rootfs
	mkdir -p "$ROOTFS"/{dev/shm,vol}
	touch "$ROOTFS/dev/null"
	cp "$HELPERS/tenant" "$ROOTFS/tenant"
	mkfifo "$T/said"
	# shellcheck disable=SC2016 # sh expands it
	in_cgroup "$CG" unshare --mount --propagation private sh -c '
		mount --bind "$0" "$0" && mount --bind /dev/null "$0/dev/null" &&
			mount --bind "$1" "$0/vol" && exec chroot "$0" /tenant /vol /report 1' \
		"$ROOTFS" "${1:-$T/vol}" >"$T/said" 3>&- &
	read -r -t "$PATIENCE" _ PID <"$T/said"
}

# Exports DIR to this machine alone, without any daemon: what mountd would answer is
# written into the kernel's caches beforehand (net/sunrpc/cache.c, fs/nfsd/export.c), for
# the root of NFS 4 (fsid 0), without squashing, insecure ports allowed.
nfs_serve() {
	local ever=2147483647
	modprobe -q nfsd && modprobe -q nfsv4 || return 1
	mount -t nfsd nfsd /proc/fs/nfsd
	echo '-2 -3 +4 +4.1' >/proc/fs/nfsd/versions
	# until its grace is over nobody may remove: ended below where it can be, else short
	echo 10 | tee /proc/fs/nfsd/nfsv4leasetime /proc/fs/nfsd/nfsv4gracetime >/dev/null
	mkdir -p /var/lib/nfs/v4recovery
	echo "nfsd 127.0.0.1 $ever here" >/proc/net/rpc/auth.unix.ip/channel
	echo "here 1 \\x00000000 $ever $1" >/proc/net/rpc/nfsd.fh/channel
	echo "here $1 $ever $((0x2412)) 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
	# without a listener newer kernels do not start, and older ones make more than is needed
	echo 'tcp 2049' >/proc/fs/nfsd/portlist
	echo 2 >/proc/fs/nfsd/threads
	echo Y 2>/dev/null >/proc/fs/nfsd/v4_end_grace || true
}

# attach -------------------------------------------------------------------------

# What doctor says of this machine, for people, asked once a run: it tries every way there
# is, which takes an emulated machine ten seconds. The file is in $REPLY.
doctor_said() {
	REPLY=${RELINKTRACE_TEST_KNOWN:-$BATS_RUN_TMPDIR}/doctor
	[[ -s $REPLY ]] || {
		"$RT" doctor >"$T/doctor" && mv "$T/doctor" "$REPLY"
	}
}

# What is in flight, or registered with an io_uring, is found by the walk of whole tables.
needs_tables() {
	doctor_said
	grep -q 'a table in one call' "$REPLY" || skip "no iterators of one task"
}

# $RELINKTRACE_TEST_BACKEND is taken instead of the best that works.
backend() {
	local line
	if [[ -n ${RELINKTRACE_TEST_BACKEND:-} ]]; then
		echo "$RELINKTRACE_TEST_BACKEND"
		return
	fi
	doctor_said || return 1
	line=$(grep '^attach will use ' "$REPLY") || return 1
	line=${line#attach will use }
	echo "${line%%,*}"
}

# Without a way to attach there is nothing to test.
needs_hooks() {
	[ "$(backend)" != none ] || skip "no way to attach on this kernel"
}

pin() {
	rt_ok attach --cgroup "$1" --pin ${RELINKTRACE_TEST_BACKEND:+--backend "$RELINKTRACE_TEST_BACKEND"} \
		"${@:2}"
	[ -d /sys/fs/bpf/relinktrace ]
}

# Hooks on functions see every event and who made it happen.
has_function_hooks() {
	[[ $(backend) == @(fentry|kprobe) ]]
}

# attach_start ARG...: NDJSON is read by attach_next; the first line is in $output.
attach_start() {
	mkfifo "$T/attach.out"
	"$RT" attach ${RELINKTRACE_TEST_BACKEND:+--backend "$RELINKTRACE_TEST_BACKEND"} "$@" -j \
		>"$T/attach.out" 2>"$T/attach.err" 3>&- &
	ATTACH_PID=$!
	exec {ATTACH_OUT}<"$T/attach.out"
	attach_next
	json_is '.event == "attached"'
}

# The next line of the stream, into $output.
attach_next() {
	if ! IFS= read -r -t "$PATIENCE" -u "$ATTACH_OUT" output; then
		echo "attach said no more; stderr:" >&2
		cat "$T/attach.err" >&2
		return 1
	fi
}

# attach_kill [SIGNAL]: its status is in $status.
attach_kill() {
	kill "-${1:-KILL}" "$ATTACH_PID" 2>/dev/null || true
	status=0
	wait "$ATTACH_PID" 2>/dev/null || status=$?
	ATTACH_PID=''
}

# Programs and maps of ours, one a line. (Links have no names; they hold programs.)
all_bpf_objects() {
	"$HELPERS/objects"
}

# Those that this test is to answer for.
bpf_objects() {
	all_bpf_objects | grep -vxFf "$T/bpf_before" || true
}

# The kernel's own number of the device below $DIR.
device_number() {
	local major minor
	IFS=: read -r major minor < <(findmnt -n -o MAJ:MIN -T "$DIR")
	echo $((major << 20 | minor))
}

# Inodes of the map of orphans that are on the filesystem of $DIR, from the map itself.
map_inodes() {
	bpftool -j map dump pinned /sys/fs/bpf/relinktrace/rt_orphans |
		jq -r --argjson dev "$(device_number)" '.[].formatted.value |
			select(.dev == $dev) | .ino' | sort -u
}

# The kernel frees what a process left behind a grace period later: look again until it
# has, for as long as patience lasts.
no_bpf_objects() {
	local until=$((SECONDS + PATIENCE))
	while [[ -n $(bpf_objects) ]]; do
		if ((SECONDS >= until)); then
			bpf_objects >&2
			return 1
		fi
	done
}

# What CRIU needs of a kernel without udev and a running system, which has not loaded it yet.
criu_modules() {
	local module
	for module in {unix,inet,tcp,udp,raw,netlink,af_packet}_diag nf_tables; do
		modprobe -q "$module" 2>/dev/null || true
	done
}

# until_said PATTERN: reads what a program says at fd $FROM until a line matches; else tells
# what it said to $T/*err.
until_said() {
	local line
	while IFS= read -r -t "$PATIENCE" -u "$FROM" line; do
		# shellcheck disable=SC2053 # a pattern
		[[ $line != $1 ]] || return 0
	done
	echo "the program did not say $1" >&2
	cat "$T"/*err >&2
	return 1
}

# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the parts of tools/bench share: a place of their own, situations, measuring, rows.
# A part is called with the number of rounds, and sources this first.
#
# $RELINKTRACE_BENCH_COUNTS: here a nanosecond is one instruction that the machine executed
# (tools/vm --instructions).
#
# shellcheck disable=SC2034 # the parts use what is set here

export LC_ALL=C
TOP=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
readonly TOP ROUNDS=${1:-5}
CROWD='' SCRATCH='' CGROUP='' PROGRAM=''
NS=ns US=us CPU=''
[[ -z ${RELINKTRACE_BENCH_COUNTS:-} ]] || NS=in US=kin CPU=--cpu

die() {
	printf '%s: %s\n' "$0" "$*" >&2
	exit 2
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	crowd_end
	[[ -z $PROGRAM ]] || kill "$PROGRAM" 2>/dev/null || true
	"$RT" detach --all 2>/dev/null || true
	wait
	[[ -z $CGROUP ]] || find "$CGROUP" -depth -type d -exec rmdir {} + || true
	for point in "$SCRATCH"/*/; do
		! mountpoint -q "$point" || umount -l "$point"
	done
	rm -rf -- "$SCRATCH"
}

# A place, a cgroup, and the programs out of reach of a slow filesystem.
begin() {
	local name=relinktrace-bench.XXXXXX
	((EUID == 0)) || die "needs root: it loads BPF programs"
	[[ -x $TOP/build/relinktrace && -x $TOP/build/tests/helpers/took ]] ||
		die "run make all tests first"
	[[ ! -e /sys/fs/bpf/relinktrace ]] ||
		die "something is pinned: relinktrace detach --all"
	SCRATCH=$(mktemp -d)
	RT=$SCRATCH/bin/relinktrace HELPERS=$SCRATCH/bin
	trap clean_up EXIT
	mkdir "$HELPERS"
	cp "$TOP/build/relinktrace" "$TOP"/build/tests/helpers/{took,churn,crowd,gap,hold} "$HELPERS"
	CGROUP=$(mktemp -d "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/$name")
}

# Measuring ----------------------------------------------------------------------

# Numbers on standard input.
median() {
	sort -n | awk '{v[NR] = $1}
		END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'
}

# row WHAT FIRST SECOND UNIT: and how many times the first is the second.
row() {
	awk -v what="$1" -v a="$2" -v b="$3" -v unit="$4" 'BEGIN {
		printf "%-48s %12.1f %12.1f %-3s %9.3f\n", what, a, b, unit, a ? b / a : 0}'
}

# elapsed NAME COMMAND...: notes how long it takes, for row_of.
elapsed() {
	"$HELPERS/took" ${CPU:+"$CPU"} "${@:2}" >>"$SCRATCH/$1.took" || die "${*:2}: failed"
}

median_of() {
	median <"$SCRATCH/$1.took"
}

# row_of WHAT NAME NAME UNIT
row_of() {
	row "$1" "$(median_of "$2")" "$(median_of "$3")" "$4"
}

# pair WHAT N OURS -- THEIRS: medians of N rounds of two commands. Ours is over in a moment,
# which may be one of somebody else: it is taken twice before theirs, and twice after.
pair() {
	local what=$1 n=$2 ours=()
	shift 2
	while [[ $1 != -- ]]; do ours+=("$1") && shift; done
	shift
	rm -f "$SCRATCH"/{ours,theirs}.took
	for ((i = 0; i < n; i++)); do
		elapsed ours "${ours[@]}"
		elapsed ours "${ours[@]}"
		elapsed theirs "$@"
		elapsed ours "${ours[@]}"
		elapsed ours "${ours[@]}"
	done
	row_of "$what" ours theirs "$US"
}

# peak NAME COMMAND...: notes the most memory that it has, in KiB, for row_of.
peak() {
	/usr/bin/time -q -f %M -a -o "$SCRATCH/$1.took" "${@:2}" >/dev/null 2>&1 ||
		(($? == 1)) || die "${*:2}: failed"
}

# Situations ---------------------------------------------------------------------

# crowd_begin DIRECTORY PROCESSES FDS ORPHANS [CGROUP]
crowd_begin() {
	mkdir -p "$1"
	coproc CROWD_AT {
		[[ -z ${5:-} ]] || echo "$BASHPID" >"$5/cgroup.procs"
		exec "$HELPERS/crowd" "${@:1:4}"
	}
	CROWD=$CROWD_AT_PID
	read -r _ <&"${CROWD_AT[0]}" || die "the crowd did not come"
}

crowd_end() {
	[[ -n $CROWD ]] || return 0
	kill "$CROWD" 2>/dev/null || true
	wait "$CROWD" 2>/dev/null || true
	CROWD=''
}

attached() {
	"$RT" attach --cgroup "$CGROUP" --pin "$@" >/dev/null
}

detached() {
	"$RT" detach --all >/dev/null
}

# filesystem TYPE MIB: on $SCRATCH/TYPE.
filesystem() {
	mkdir "$SCRATCH/$1"
	truncate -s "$2M" "$SCRATCH/$1.image"
	"mkfs.$1" -q "$SCRATCH/$1.image" >/dev/null
	mount -o loop "$SCRATCH/$1.image" "$SCRATCH/$1"
}

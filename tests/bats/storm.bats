#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The promise that what is reported is exact: a random workload, frozen again and again,
# each time compared with a walk of /proc by other code.
#
# RELINKTRACE_STOPS says how often (60), RELINKTRACE_SEED begins it again as it was.

load lib

STOPS=${RELINKTRACE_STOPS:-60}
SEED=${RELINKTRACE_SEED:-$((SRANDOM % 1000000))}

storm_begin() {
	mkdir "$CG/one" "$CG/two" "$CG/two/inner"
	mkfifo "$T/storm.in"
	alone "$HELPERS/storm" "$DIR" "$SEED" "$CG/one" "$CG/two" "$CG/two/inner" \
		<"$T/storm.in" >"$T/storm.out" 2>"$T/storm.err" 3>&- &
	STORM=$!
	exec {STORM_IN}>"$T/storm.in"
	echo "# seed $SEED, $STOPS stops" >&3
}

# same_as_proc CGROUP: list, whether attached or not, says what /proc says.
same_as_proc() {
	"$RT" list --cgroup "$1" -j >"$T/list"
	"$HELPERS/truth" "$1" | sort >"$T/truth"
	as_truth <"$T/list" >"$T/listed"
	diff -u "$T/truth" "$T/listed" >&2 || {
		echo "seed $SEED, stop $stop, $1" >&2
		return 1
	}
	jq -e '.complete and .lost == 0 and all(.orphans[]; .unattributed | not)' "$T/list" >/dev/null
}

# The map alone, before anything that could mend it, has what /proc shows and no more.
map_is_exact() {
	map_inodes >"$T/in_map"
	"$HELPERS/truth" "$CG" | awk '{print $2}' | sort -u >"$T/in_proc"
	diff -u "$T/in_proc" "$T/in_map" >&2 || {
		echo "seed $SEED, stop $stop: the map" >&2
		return 1
	}
}

storm_stops() {
	local stop cgroup
	for ((stop = 1; stop <= STOPS; stop++)); do
		echo 1 >"$CG/cgroup.freeze"
		# the outer one may say so when the last inner one is still about to
		for cgroup in "$CG/one" "$CG/two/inner" "$CG/two" "$CG"; do
			"$HELPERS/await" "$cgroup" frozen 1
		done
		"$@"
		for cgroup in "$CG" "$CG/one" "$CG/two"; do
			same_as_proc "$cgroup"
		done
		echo 0 >"$CG/cgroup.freeze"
		"$HELPERS/await" "$CG" frozen 0
	done
	kill -0 "$STORM"
}

storm_end() {
	exec {STORM_IN}>&-
	wait "$STORM" || { cat "$T/storm.err" >&2 && return 1; }
	list_is_true 0
}

@test "random workload, frozen: the holders are those of /proc" {
	storm_begin
	storm_stops true
	storm_end
}

# exact_by BACKEND: pinned, at every stop and at the end.
exact_by() {
	rt_ok attach --cgroup "$CG" --pin --backend "$1"
	storm_begin
	storm_stops map_is_exact
	storm_end
	[ -z "$(map_inodes)" ]
	rt_ok detach --all
}

@test "random workload, frozen: the map is what /proc shows, and empty at the end" {
	has_function_hooks || skip "no function hooks on this kernel"
	exact_by fentry
}

@test "random workload, frozen: the same by kprobes" {
	has_function_hooks || skip "no function hooks on this kernel"
	[[ $(uname -r) != 5.10.* ]] || skip "kprobes cannot be pinned"
	exact_by kprobe
}

@test "random workload, never frozen: nothing is left of it in the map" {
	has_function_hooks || skip "no function hooks on this kernel"
	rt_ok attach --cgroup "$CG" --pin
	storm_begin
	for ((stop = 1; stop <= STOPS; stop++)); do
		"$RT" list --cgroup "$CG" -j >"$T/list"
	done
	storm_end
	[ -z "$(map_inodes)" ]
	rt_ok detach --all
}

#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# The promise that what is reported is exact: a random workload (helpers/storm.c), frozen
# again and again, each time compared with a walk of /proc by other code
# (helpers/freezes.c).
#
# RELINKTRACE_STOPS says how often (200; 20 in the virtual machines of tests/run, where it
# takes ten times as long), RELINKTRACE_SEED begins it again as it was, RELINKTRACE_LIST_EACH
# at every how many stops the list is compared too, where the map is compared at each (1).

load lib

STOPS=${RELINKTRACE_STOPS:-$([[ ${RELINKTRACE_TEST_PLACE:-} ]] && echo 20 || echo 200)}
SEED=${RELINKTRACE_SEED:-$((SRANDOM % 1000000))}
MAP=/sys/fs/bpf/relinktrace/rt_orphans
BACKEND=none

storm_begin() {
	# tasks in leaves only: a cgroup with tasks and cgroups in it is said to be frozen as
	# soon as either are (cgroup_update_frozen and cgroup_propagate_frozen,
	# kernel/cgroup/freezer.c)
	mkdir -p "$CG/main" "$CG/one" "$CG/two/inner" "$CG/two/other"
	mkdir "$DIR/storm"
	mkfifo "$T/storm.in" "$T/storm.out"
	in_cgroup "$CG/main" "$HELPERS/storm" "$DIR/storm" "$T/ledger" "$SEED" \
		"$CG/one" "$CG/two/inner" "$CG/two/other" \
		<"$T/storm.in" >"$T/storm.out" 2>"$T/storm.err" 3>&- &
	STORM=$!
	exec {STORM_IN}>"$T/storm.in" {STORM_OUT}<"$T/storm.out"
	IFS= read -r -t "$PATIENCE" -u "$STORM_OUT" REPLY
}

# storm_freezes [OPTION]...: STOPS times, compared by helpers/freezes.c. What waits in a
# socket, or is registered with a ring, has a holder from 6.1 on.
storm_freezes() {
	local status=0
	[[ $(uname -r) != 5.10.* ]] || set -- --unseen "$@"
	"$HELPERS/freezes" "$@" "$RT" "$T/ledger" "$DIR/storm" "$STOPS" \
		"$CG" "$CG/one" "$CG/two" "$CG/two/inner" "$CG/two/other" "$CG/main" <&"$STORM_OUT" >"$T/freezes" 2>"$T/freezes.err" || status=$?
	echo 0 >"$CG/cgroup.freeze"
	cat "$T/freezes.err" >&2
	if ((status)); then
		echo "seed $SEED" >&2
		if [[ $* == *--map* ]]; then
			counters >&2
			[[ $BACKEND != kprobe ]] || ! loss_is_told || return 0
		fi
		cat "$T/storm.err" >&2
		return 1
	fi
	echo "# $(<"$T/freezes"), seed $SEED" >&3
}

# Whether tasks are held up in programs, which are skipped for others then.
skips_programs() {
	[[ $(preempt_mode) == @(full|lazy) ]]
}

# What the map lacks at the stop where the comparison ended, and nothing else is wrong there, is
# what a kprobe's program was skipped for on a preemptible kernel: the next list has to tell the
# loss, and to mend it (docs/exactness.md).
loss_is_told() {
	skips_programs || return 1
	grep -q '^- ' "$T/freezes.err" && ! grep -q '^+ ' "$T/freezes.err" || return 1
	rt list --cgroup "$CG" -j
	((status == 3)) && jq -e '(.complete | not) and .lost > 0' <<<"$output" >&2 || return 1
	rt_ok list --cgroup "$CG" -j
	echo "# ended $(grep -o 'at stop [0-9]*' "$T/freezes.err"): a loss that was told, and mended; seed $SEED" >&3
}

storm_end() {
	exec {STORM_IN}>&-
	wait "$STORM" || { cat "$T/storm.err" >&2 && return 1; }
	exec {STORM_OUT}<&-
	cat "$T/storm.err" >&2
	[ ! -s "$T/storm.err" ]
	# what kprobes lost up to here is told once, and mended
	if [[ $BACKEND == kprobe ]] && skips_programs; then
		rt list --cgroup "$CG" -j
		((status == 0 || status == 3))
	fi
	list_is_true 0
}

# counter NAME: of the pinned attach.
counter() {
	bpftool -j map dump pinned /sys/fs/bpf/relinktrace/rt_stats_map |
		jq ".[0].formatted.value.$1"
}

# What the kernel counted.
counters() {
	bpftool -j map dump pinned /sys/fs/bpf/relinktrace/rt_stats_map | jq -c '.[].formatted.value'
	bpftool -j prog show | jq -c '[.[] | select(.recursion_misses) | {(.name): .recursion_misses}] | add'
}

# Nothing of it is left in the map; what is there is others', by the counters too.
nothing_leaked() {
	echo "counters: $(counters), left: $(bpftool -j map dump pinned "$MAP" |
		jq -c 'map(.formatted.value)')" >&2
	[ -z "$(map_inodes)" ]
	[ "$(counter lost_full)" -eq 0 ]
	[ "$(($(counter born) - $(counter released)))" -eq \
		"$(bpftool -j map dump pinned "$MAP" | jq length)" ]
}

@test "random workload, frozen: the holders are those of /proc" {
	# each of its lists loads its own programs, which is what takes the time
	[[ -n ${RELINKTRACE_STOPS:-} ]] || STOPS=$((STOPS / 2))
	storm_begin
	storm_freezes
	storm_end
}

# same_by BACKEND [OPTION]...: pinned, at every stop and at the end.
same_by() {
	local each=1
	[[ $* != *--map* ]] || each=${RELINKTRACE_LIST_EACH:-1}
	BACKEND=$1
	rt_ok attach --cgroup "$CG" --pin --backend "$1"
	storm_begin
	storm_freezes --list-each "$each" "${@:2}"
	storm_end
}

@test "random workload, frozen: the map is what /proc shows, and empty at the end" {
	local lists=()
	has_function_hooks || skip "no function hooks on this kernel"
	# before 6.1 what nobody is found to hold is its unlinker's, and who that was is not
	# known to the workload
	[[ $(uname -r) != 5.10.* ]] || lists=(--map-only)
	same_by fentry "${lists[@]}" --map "$MAP"
	nothing_leaked
	echo "# $(counter seen_alone) events seen by a second program" >&3
	rt_ok detach --all
}

@test "random workload, frozen: the same by kprobes" {
	has_function_hooks || skip "no function hooks on this kernel"
	if [[ $(uname -r) == 5.10.* ]]; then # where they cannot be pinned
		BACKEND=kprobe
		attach_start --cgroup "$CG" --backend kprobe
		storm_begin
		storm_freezes --map-only \
			--map "$(bpftool -j map show name rt_orphans | jq 'if type == "array" then .[0] else . end | .id')"
		storm_end
	else
		same_by kprobe --map "$MAP"
		nothing_leaked
		rt_ok detach --all
	fi
}

@test "random workload, frozen: the same by tracepoints, which see only that something happened" {
	[ "$(backend)" != none ] || skip "no way to attach on this kernel"
	same_by tp_btf
	rt_ok detach --all
}

# As many on every processor as there are steps to make, and lists at the same time.
@test "random workload, never frozen, on all processors: nothing is left of it in the map" {
	local i lists=()
	has_function_hooks || skip "no function hooks on this kernel"
	rt_ok attach --cgroup "$CG" --pin
	storm_begin
	for ((i = 0; i < $(nproc); i++)); do
		for ((stop = 1; stop <= STOPS / 5; stop++)); do
			"$RT" list --cgroup "$CG" -j >"$T/list$i" || {
				counters >&2
				exit 1
			}
		done 3>&- &
		lists+=($!)
	done
	dd bs=1 count=$((STOPS * 8)) status=none <&"$STORM_OUT" >/dev/null
	wait "${lists[@]}"
	storm_end
	nothing_leaked
	[ "$(counter born)" -ge $((STOPS * 8)) ]
	echo "# $(counter born) born, as many released; $(counter seen_alone) events seen by a second program" >&3
	rt_ok detach --all
}

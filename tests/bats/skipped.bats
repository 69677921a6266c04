#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that the kernel skips, because a task comes to one while another task is held up
# in it: another program sees the event, or the loss is counted and told.

load lib

readonly KEPT=100
# Of a list that is raced against; an emulated machine takes two seconds for one.
readonly LISTS=$((${RELINKTRACE_RACE_SECONDS:-4} > 1 ? 30 : 8))

setup_file() {
	[[ ! -r $PREEMPT ]] || preempt_mode >"$BATS_FILE_TMPDIR/preempt"
}

teardown_file() {
	[[ ! -s $BATS_FILE_TMPDIR/preempt ]] || cat "$BATS_FILE_TMPDIR/preempt" >"$PREEMPT"
}

# preempt MODE: whether tasks are held up in the kernel.
preempt() {
	[[ $(preempt_mode) != "$1" ]] || return 0
	[[ -e $PREEMPT ]] && grep -qw "$1" "$PREEMPT" && echo "$1" >"$PREEMPT"
}

# For how many events programs of births and releases were skipped.
skipped() {
	bpftool -j prog show | jq '[.[] | select(.name // "" | test("^rt_f[ex]_")) |
		.recursion_misses // 0] | add // 0'
}

needs_skips() {
	[[ $(backend) == fentry ]] || skip "no fentry on this kernel"
	[[ $(uname -r) != 5.10.* ]] || skip "programs are not skipped on this kernel"
}

overtake_begin() {
	mkfifo "$T/overtake.in" "$T/overtake.out"
	in_cgroup "$CG" "$HELPERS/overtake" "$DIR" "$KEPT" \
		<"$T/overtake.in" >"$T/overtake.out" 2>"$T/overtake.err" 3>&- &
	OVERTAKE=$!
	exec {OVERTAKE_IN}>"$T/overtake.in" {FROM}<"$T/overtake.out"
}

# Orphans are made until programs were skipped, and 2000 at least.
overtake_until_skipped() {
	local round
	for ((round = 1; round <= 50; round++)); do
		echo 2000 >&"$OVERTAKE_IN"
		until_said done
		[ "$(skipped)" -eq 0 ] || break
	done
	echo "# programs were skipped $(skipped) times in $round rounds" >&3
	[ "$(skipped)" -gt 0 ]
}

overtake_end() {
	exec {OVERTAKE_IN}>&- {FROM}<&-
	wait "$OVERTAKE"
}

@test "what one program is skipped for, another sees" {
	needs_skips
	preempt full
	pin "$CG"
	overtake_begin
	overtake_until_skipped
	# each of them is in the map, or nothing would tell its unlinker
	rt_ok list --cgroup "$CG" -j
	json_is --argjson n $((2 * KEPT)) '.complete and .lost == 0 and (.orphans | length) == $n
		and all(.orphans[]; .unlinked.comm == "overtake")'
	[ "$(map_inodes | wc -l)" -eq $((2 * KEPT)) ]
	overtake_end
	[ -z "$(map_inodes)" ]
	list_is_true 0
	rt_ok detach --all
}

@test "a list while programs are skipped tells of no loss that is none" {
	local n lost=0
	needs_skips
	preempt full
	pin "$CG"
	overtake_begin
	# both of a pair: else nothing can be lost
	overtake_until_skipped
	for ((n = 0; n < LISTS; n++)); do
		echo 300 >&"$OVERTAKE_IN"
		rt list --cgroup "$CG" -j
		until_said done
		[ "$status" -eq 0 ] || lost=$((lost + 1))
	done
	echo "# programs were skipped $(skipped) times, $lost lists told a loss" >&3
	[ "$lost" -eq 0 ]
	overtake_end
	rt_ok detach --all
}

@test "what no program has seen is counted, told, and found by its holders" {
	needs_skips
	preempt voluntary || skip "the kernel is always preemptible"
	pin "$CG" # one program for each hook, since tasks are not held up in it
	preempt full
	overtake_begin
	overtake_until_skipped
	rt list --cgroup "$CG" -j
	[ "$status" -eq 3 ]
	json_is --argjson n $((2 * KEPT)) '(.complete | not) and .lost > 0 and
		(.orphans | length) == $n'
	rt_ok list --cgroup "$CG" -j
	json_is --argjson n $((2 * KEPT)) '.complete and .lost == 0 and (.orphans | length) == $n'
	overtake_end
	rt_ok detach --all
}

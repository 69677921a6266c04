# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of errors share, after lib.bash.
#
# shellcheck disable=SC2034,SC2154 # the test files, and bats' run

# small TYPE SIZE [MKFS-ARG]...: a filesystem of its own at $SMALL, mounted with $OPTIONS.
small() {
	SMALL=$T/small
	mkdir "$SMALL"
	truncate -s "$2" "$T/small.image"
	"mkfs.$1" "${@:3}" "$T/small.image" >/dev/null 2>&1 || skip "no mkfs.$1"
	mount -o "loop${OPTIONS:+,$OPTIONS}" "$T/small.image" "$SMALL" || skip "no $1 with ${OPTIONS:-its defaults} on this kernel"
}

# in_memory SIZE: the same, a tmpfs.
in_memory() {
	SMALL=$T/small
	mkdir "$SMALL"
	mount -t tmpfs -o "size=$1" small "$SMALL"
}

# One that nothing is wrong with, on another filesystem.
good_one() {
	hold good unlinked "$DIR" good
}

# one_failed ERRNO TEXT...: of two orphans the good one is preserved, and the manifest says
# of the other one why not.
one_failed() {
	local text before
	before=$(own_names)
	checkpoint "${ARGS[@]}"
	[ "$status" -eq 3 ]
	output=$(<"$M")
	json_is '.complete == false and (.entries | length) == 1 and (.failed | length) == 1 and
		(.entries[0].path | endswith("/good"))'
	for text in "${@:2}"; do
		json_is --argjson errno "$1" --arg text "$text" \
			'.failed[0] | .errno == $errno and (.error | contains($text))'
	done
	[ "$before" = "$(own_names)" ]
}

# What has been made below $SMALL.
own_names() {
	find "$SMALL" \( -name '.relinktrace-*' -o -path '*/checkpoint/*' \) 2>/dev/null || true
}

no_half_copy() {
	local found
	found=$(own_names)
	[ -z "$found" ] || {
		echo "left: $found" >&2
		return 1
	}
}

# What is below $SMALL, but for the times of folders.
tree() {
	find "$SMALL" -type d -printf '%p %i %n %m\n' -o -printf '%p %i %y %n %s %T@\n' | sort
}

# clean_leaves_nothing: clean removes what the manifest says, and $SMALL is as in $T/tree.
clean_leaves_nothing() {
	rt_ok clean "$M"
	rm "$M"
	tree | diff "$T/tree" - >&2
	no_new_names
}

# failed_alone ERRNO TEXT...: the one orphan is not preserved.
failed_alone() {
	local text
	checkpoint "${ARGS[@]}"
	[ "$status" -eq 3 ]
	output=$(<"$M")
	for text in "${@:2}"; do
		json_is --argjson errno "$1" --arg text "$text" '.entries == [] and
			(.failed[0] | .errno == $errno and (.error | contains($text)))'
	done
	no_half_copy
	rt_ok clean "$M"
	rm "$M"
}

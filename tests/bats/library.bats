#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# librelinktrace as somebody else's program finds it: installed, by pkg-config.

load lib

# build_use STATIC: tests/library/use.c against the copy installed below $T/root.
build_use() {
	local flags sanitize=()
	flags=$(PKG_CONFIG_PATH=$T/root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$T/root \
		pkg-config ${1:+--static} --cflags --libs relinktrace)
	! nm -D "$T/root/usr/lib/librelinktrace.so" | grep -q __asan || sanitize=(-fsanitize=address,undefined)
	# what is Debian's is not below the root
	flags=${flags//"$T/root/usr/include/"/"/usr/include/"}
	[[ -z ${1:-} ]] || flags="${flags/-lrelinktrace/-l:librelinktrace.a}"
	# shellcheck disable=SC2086 # words
	cc -Wall -Werror "${sanitize[@]}" -o "$T/use" "$TOP/tests/library/use.c" $flags
}

# use [VARIABLE=VALUE]: what the program said is in $output.
use() {
	rm -rf "$M" "$T/written"
	run --separate-stderr alone env "$@" timeout "$PATIENCE" "$T/use" "$(cgroup_name "$CG")" \
		"$M" "$CG/cgroup.events" "$T/written"
	printf '%s\n%s\n' "$output" "$stderr"
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

@test "a program built against the installed library does what the command does" {
	make -C "$TOP" --no-print-directory OUTPUT="$RELINKTRACE_BUILD" DESTDIR="$T/root" PREFIX=/usr \
		install >/dev/null
	[ "$(readlink -f "$T/root/usr/lib/librelinktrace.so")" = \
		"$T/root/usr/lib/librelinktrace.so.0.$("$RT" --version | cut -d ' ' -f 2)" ]
	[ -s "$T/root/usr/share/man/man3/relinktrace.3" ]
	hold h ab
	hold g unlinked
	rt_ok list --cgroup "$CG" -j
	local listed=$output
	for kind in '' static; do
		build_use "$kind"
		use LD_LIBRARY_PATH="$T/root/usr/lib"
		local said=$output
		[[ $said == "version $("$RT" --version | cut -d ' ' -f 2)"$'\n'* ]]
		jq -en --argjson a "$listed" --argjson b "$(sed -n 's/^list //p' <<<"$said")" '$a == $b'
		jq -en --argjson a "$(sed -n 's/^manifest //p' <<<"$said")" --slurpfile b "$M" '$a == $b[0]'
		[[ $said == *$'\nfrozen '*"frozen 1"* ]]
		grep -qx "file . $DIR/a ${HOLD_PID[h]} 3 . 100 000000000000000" <<<"$said"
		grep -qx "file . $DIR/unlinked ${HOLD_PID[g]} 3 . 4711 000000000000000" <<<"$said"
		[[ $said == *$'\ncleaned 0 2 0' ]]
		[ "$(find "$T/written" -type f | wc -l)" -eq 2 ]
		no_new_names
	done
	# the shared one is the one that was loaded, and nothing else of it can be seen
	[ "$(nm -D --defined-only "$T/root/usr/lib/librelinktrace.so" | grep -cv ' relinktrace_\| RELINKTRACE_')" -eq 0 ]
}

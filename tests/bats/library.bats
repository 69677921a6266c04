#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# librelinktrace as somebody else's program finds it: installed, by pkg-config.

load lib

ROOT=${BATS_FILE_TMPDIR:-}/root

setup_file() {
	# all: it is built
	make -s -C "$TOP" -o all install OUTPUT="${RELINKTRACE_BUILD:-$TOP/build}" \
		DESTDIR="$ROOT" PREFIX=/usr >/dev/null
	build use
	build use static
	build do
}

# build NAME [STATIC]: tests/library/NAME.c against the copy installed below $ROOT.
build() {
	local flags sanitize=()
	flags=$(PKG_CONFIG_PATH=$ROOT/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$ROOT \
		pkg-config ${2:+--static} --cflags --libs relinktrace)
	! nm -D "$ROOT/usr/lib/librelinktrace.so" | grep -q __asan || sanitize=(-fsanitize=address,undefined)
	# what is Debian's is not below the root
	flags=${flags//"$ROOT/usr/include/"/"/usr/include/"}
	[[ -z ${2:-} ]] || flags="${flags/-lrelinktrace/-l:librelinktrace.a}"
	# shellcheck disable=SC2086 # words
	cc -Wall -Werror "${sanitize[@]}" -o "$BATS_FILE_TMPDIR/$1${2:-}" "$TOP/tests/library/$1.c" $flags
}

# use NAME [VARIABLE=VALUE]: what the program said is in $output.
use() {
	rm -rf "$M" "$T/written"
	run --separate-stderr alone env "${@:2}" timeout "$PATIENCE" "$BATS_FILE_TMPDIR/$1" "$(cgroup_name "$CG")" \
		"$M" "$CG/cgroup.events" "$T/written"
	printf '%s\n%s\n' "$output" "$stderr"
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

# Options of env(1) for it.
DO_ENV=()

# does FUNCTION [MEMBER=VALUE]...: as rt, by tests/library/do.c.
does() {
	run --separate-stderr alone env "${DO_ENV[@]}" LD_LIBRARY_PATH="$ROOT/usr/lib" \
		timeout "$PATIENCE" "$BATS_FILE_TMPDIR/do" "$@"
	printf '$ do %s\n%s\n%s\nstatus %d\n' "$*" "$output" "$stderr" "$status"
}

does_ok() {
	does "$@"
	[ "$status" -eq 0 ]
}

# fails_with ERRNO FUNCTION [MEMBER=VALUE]...: and gives nothing.
fails_with() {
	does "${@:2}"
	[ "$status" -eq 1 ]
	[[ $stderr == "errno $1"$'\n'?* && -z $output ]]
}

@test "a program built against the installed library does what the command does" {
	[ "$(readlink -f "$ROOT/usr/lib/librelinktrace.so")" = \
		"$ROOT/usr/lib/librelinktrace.so.0.$("$RT" --version | cut -d ' ' -f 2)" ]
	[ -s "$ROOT/usr/share/man/man3/relinktrace.3" ]
	hold h ab
	hold g unlinked
	rt_ok list --cgroup "$CG" -j
	local listed=$output
	for program in use usestatic; do
		use $program LD_LIBRARY_PATH="$ROOT/usr/lib"
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
	[ "$(nm -D --defined-only "$ROOT/usr/lib/librelinktrace.so" | grep -cv ' relinktrace_\| RELINKTRACE_')" -eq 0 ]
}

# ours: of the list in $output, what this test is to answer for.
ours() {
	json -c --arg dir "$DIR/" '.orphans |= [.[] | select((.path // "") | startswith($dir))] |
		[.backend, .exact, .holders_by, .orphans]'
}

@test "library list: it is asked of whom the command is asked" {
	local args options members command expected
	mkdir "$CG/a" "$CG/b"
	HOLD_CGROUP=$CG/a hold a ab
	HOLD_CGROUP=$CG/b hold b unlinked
	for args in 'none 2' 'none 1 pinned' '--all 2 all=1' "-p 1 pid ${HOLD_PID[b]}" "--cgroup 1 cgroup $(cgroup_name "$CG/a")"; do
		read -r options expected members _ <<<"$args"
		case $options in
		none) options=() members=() ;;
		--all) options=(--all) members=(all=1) ;;
		*) options=("$options" "${args##* }") members=("$members=${args##* }") ;;
		esac
		if [[ $args == *pinned ]]; then
			[ "$(backend)" != none ] || continue
			pin "$CG/a"
		fi
		# of everybody there may be processes that only a capability shows
		rt list "${options[@]}" -j
		[[ $status -eq 0 || $status -eq 3 ]]
		command=$status$(ours)
		does list "${members[@]}"
		[ "$status$(ours)" = "$command" ]
		[ "$(ours | jq '.[3] | length')" -eq "$expected" ]
		[[ $args != *pinned ]] || rt_ok detach --all
	done
	fails_with 22 list pid=1 all=1
	fails_with 22 list pid=-1
	fails_with 22 list cgroup=/ all=1
	fails_with 2 list cgroup=/no/such/cgroup
}

@test "library attach and detach: one sees what the other has pinned" {
	needs_hooks
	local cgroup command members=(${RELINKTRACE_TEST_BACKEND:+backend="$RELINKTRACE_TEST_BACKEND"})
	cgroup=$(cgroup_name "$CG")
	hold h by-other
	hold g unlinked
	pin "$CG" -j
	command=$output
	list_is_true
	does_ok detach cgroup="$cgroup"
	[ -z "$output$stderr" ]
	[ ! -e /sys/fs/bpf/relinktrace ]
	no_bpf_objects
	does_ok attach cgroup="$cgroup" pin=1 "${members[@]}"
	jq -en --argjson a "$command" --argjson b "$output" '$a == $b and $a.pinned and $a.orphans == 1'
	hold_do h unlink
	list_is_true 2
	json_is --arg backend "$(backend)" '.backend == $backend'
	# another one, and both go at once
	mkdir "$CG/other"
	does_ok attach cgroup="$cgroup/other" pin=1
	json_is --arg path "$cgroup/other" '[.cgroups[].path] == [$path]'
	does_ok detach cgroup="$cgroup"
	rt_ok list -j
	json_is '.orphans == []'
	does_ok detach all=1
	[ ! -e /sys/fs/bpf/relinktrace ]
	no_bpf_objects
	# nothing is there: what the command says of that
	rt_ok detach --cgroup "$cgroup"
	command=$stderr
	does_ok detach cgroup="$cgroup"
	[[ -n $stderr && $stderr == "${command/relinktrace: warning: /}" ]]
	does_ok detach all=1
	fails_with 22 detach
	fails_with 22 detach all=1 cgroup="$cgroup"
	fails_with 22 detach cgroup=/no/such/cgroup
	fails_with 22 attach cgroup="$cgroup"
	fails_with 22 attach pin=1
	fails_with 22 attach cgroup="$cgroup" pin=1 events=1
	fails_with 22 attach cgroup="$cgroup" pin=1 backend=none
	fails_with 22 attach cgroup="$cgroup" pin=1 max_orphans=67108865
	fails_with 2 attach cgroup=/no/such/cgroup pin=1
	[ ! -e /sys/fs/bpf/relinktrace ]
}

# attaches [MEMBER=VALUE]...: as attach_start(), by tests/library/do.c.
attaches() {
	rm -f "$T/attach.out"
	mkfifo "$T/attach.out"
	LD_LIBRARY_PATH=$ROOT/usr/lib "$BATS_FILE_TMPDIR/do" attach cgroup="$(cgroup_name "$CG")" \
		${RELINKTRACE_TEST_BACKEND:+backend="$RELINKTRACE_TEST_BACKEND"} "$@" \
		>"$T/attach.out" 2>"$T/attach.err" 3>&- &
	ATTACH_PID=$!
	exec {ATTACH_OUT}<"$T/attach.out"
	attach_next
}

# told NAME FILE: what is told of the file of NAME, which is removed and closed, without what
# differs from one to the next.
told() {
	local command
	for command in unlink close; do
		hold_do "$1" "$command"
		attach_next
		json -c '(keys | tostring), .event, .path, .type, .nlink, .cgroup' >>"$2"
	done
}

@test "library attach tells of what attach -j tells, until it is enough" {
	needs_hooks
	local stop
	hold h by-other
	attach_start --cgroup "$CG"
	echo "$output" >"$T/command"
	told h "$T/command"
	attach_kill TERM
	hold g by-other
	attaches events=3
	echo "$output" >"$T/library"
	told g "$T/library"
	diff "$T/command" "$T/library" >&2
	[ "$(wc -l <"$T/library")" -eq 13 ]
	status=0
	wait "$ATTACH_PID" || status=$?
	ATTACH_PID=''
	[ "$status" -eq 0 ]
	no_bpf_objects
	[ ! -e /sys/fs/bpf/relinktrace ]
	# or until somebody says so
	mkfifo "$T/stop"
	exec {stop}<>"$T/stop"
	attaches events=100 stop_fd="$stop"
	echo enough >&"$stop"
	status=0
	wait "$ATTACH_PID" || status=$?
	ATTACH_PID=''
	[ "$status" -eq 0 ]
	[ ! -s "$T/attach.err" ]
	no_bpf_objects
}

# how FIELDS: of the manifest in $output, what does not differ from one checkpoint of the
# same files to the next.
how() {
	json "[.entries[] | $1]"
}

@test "library checkpoint: precopy, digest and max_bytes are the command's" {
	local cgroup args=(--freeze --precopy --digest --method copy)
	local fields='.method, .path, .relinked.sha256, .bytes_copied, .precopy.bytes'
	cgroup=$(cgroup_name "$CG")
	hold h ab
	hold g unlinked
	checkpoint_ok "${args[@]}"
	json_is 'all(.entries[]; .precopy and .relinked.sha256)'
	local command
	command=$(how "$fields")
	rt_ok clean "$M"
	rm "$M"
	does_ok checkpoint cgroup="$cgroup" manifest="$M" freeze=1 precopy=1 digest=1 method=copy
	json_is --slurpfile m "$M" '. == $m[0]'
	[ "$(how "$fields")" = "$command" ]
	rt_ok clean "$M"
	rm "$M"
	fails_with 22 checkpoint cgroup="$cgroup" manifest="$M" precopy=1
	fails_with 122 checkpoint cgroup="$cgroup" manifest="$M" max_bytes=1024
	[[ $stderr == *'nothing was made' ]]
	[ ! -e "$M" ]
	[ ! -e "$M.journal" ]
	no_new_names
	does_ok checkpoint cgroup="$cgroup" manifest="$M" max_bytes=1048576
	json_is 'all(.entries[]; .precopy == null and .relinked.sha256 == null)'
}

@test "library clean: by manifest, journal, id and age is the command's" {
	hold h ab
	hold g unlinked
	local args by id members said
	for args in "$M" "$M.journal" '--id ID' '--expired 0s'; do
		for by in command do; do
			checkpoint_ok
			id=$(jq -r .id "$M")
			case $args in
			--id*) args="--id $id" members=(id="$id") ;;
			--expired*) members=(expired=1 age=0) ;;
			*) members=(manifest="$args") ;;
			esac
			if [[ $by == command ]]; then
				# shellcheck disable=SC2086 # two words
				rt clean $args
			else
				does clean_by "${members[@]}"
			fi
			[ "$status" -eq 0 ]
			[[ $output == '2 removed, 0 gone already, 0 left' ]]
			[ -z "$(ls "$RELINKTRACE_STATE")" ]
			no_new_names
			rm "$M"
		done
	done
	# what is younger, or not known, stays or is nothing
	checkpoint_ok
	does_ok clean_by expired=1 age=3600
	[[ $output == '0 removed, 0 gone already, 0 left' ]]
	id=$(tr 0-9a-f 1-9a-f0 <<<"$(jq -r .id "$M")")
	rt_ok clean --id "$id"
	said=$output$stderr
	does_ok clean_by id="$id"
	[ "$output$stderr" = "${said/relinktrace: warning: /}" ]
	fails_with 22 clean_by
	fails_with 22 clean_by id="$id" manifest="$M"
	fails_with 22 clean_by id=../../etc/passwd
	fails_with 22 clean_by id="$id" store="$T"
	fails_with 22 clean_by expired=1 age=-1
	fails_with 22 clean_by expired=1 deadline=-1
	fails_with 2 clean_by manifest="$T/none"
	# one that cannot be read keeps nothing of the others: in part, as the command says
	cp "$M" "$T/other"
	ln -s "$T/none" "$RELINKTRACE_STATE/$id"
	does clean_by expired=1
	[ "$status" -eq 3 ]
	[[ $output == '2 removed, 0 gone already, 0 left' ]]
	[[ $stderr == *"$T/none"* ]]
	rt clean --expired 0s
	[ "$status" -eq 1 ]
	does_ok clean manifest="$M.journal"
	[[ $output == '0 removed, 2 gone already, 0 left' ]]
}

@test "library clean: of a store that has moved" {
	hold h unlinked
	checkpoint_ok --store "$T/store"
	mv "$T/store" "$T/away"
	does clean_by manifest="$M"
	[ "$status" -eq 3 ]
	[[ $output == *', 1 left' ]]
	does_ok clean_by manifest="$M" store="$T/away"
	[[ $output == '1 removed, 0 gone already, 0 left' ]]
}

@test "library clean with a deadline: what did not answer is asked again by the next call" {
	fuse_over "$T/source" "$T/fuse"
	mkdir "$CG/h"
	HOLD_CGROUP=$CG/h hold f unlinked "$T/fuse"
	HOLD_CGROUP=$CG/h hold h ab
	CG=$CG/h checkpoint_ok
	kill -STOP "$FUSE"
	does clean_by manifest="$M" deadline=3 then shell command="kill -CONT $FUSE" then \
		clean_by manifest="$M" deadline=60 then clean manifest="$M"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = '1 removed, 0 gone already, 1 left' ]
	[[ $stderr == *"filesystem at $T/fuse is left: it did not answer in time" ]]
	[ "${lines[1]}" = '1 removed, 1 gone already, 0 left' ]
	[ "${lines[2]}" = '0 removed, 2 gone already, 0 left' ]
	no_new_names
	# nor is a deadline one of the next call
	does clean_by expired=1 age=3600 deadline=0.000001 then checkpoint \
		cgroup="$(cgroup_name "$CG/h")" manifest="$T/other" method=copy then clean manifest="$T/other"
	[ "$status" -eq 0 ]
}

# listens [MEMBER=VALUE]...
listens() {
	listen_by env LD_LIBRARY_PATH="$ROOT/usr/lib" "$BATS_FILE_TMPDIR/do" listen manifest="$M" \
		path="$T/socket" "$@"
}

@test "library listen hands over what restore --listen does, and removes the names when it is taken" {
	hold h two
	checkpoint_ok
	local command
	listen_by "$RT" restore "$M" --listen "$T/socket" --keep
	take
	[ "$status" -eq 0 ]
	command=$(json -c '[.fds[] | .sum, .pos, .flags]')
	jq -c 'select(.files)' "$T/messages" >"$T/command"
	listen_end TERM

	# somebody who leaves gets nothing, and keeps nothing of the next
	listens
	[ "$(stat -c %a "$T/socket")" = 600 ]
	take ''
	[ -e "$(entry_file)" ]
	take
	[ "$status" -eq 0 ]
	[ "$(json -c '[.fds[] | .sum, .pos, .flags]')" = "$command" ]
	diff "$T/command" <(jq -c 'select(.files)' "$T/messages") >&2
	[ "$(jq -c 'select(.names)' "$T/messages")" = '{"names":"removed"}' ]
	listen_end
	[ "$status" -eq 0 ]
	[ "$(grep -c 'has not taken' "$T/listen.err")" -eq 1 ]
	[ ! -e "$T/socket" ]
	no_new_names
}

@test "library listen waits as long as it is told: for a client, and for its word" {
	hold h ab
	hold g unlinked
	checkpoint_ok
	listens keep=1 holder="${HOLD_PID[h]}" wait=1
	listen_end
	[ "$status" -eq 1 ]
	[[ $(<"$T/listen.err") == *$'\nerrno 110\n'* ]]
	# the word of one does not come, and the next one is served
	listens poll=1 keep=1 wait=5
	python3 -c 'import socket, sys
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])
while client.recv(65536):
	pass' "$T/socket"
	take
	[ "$status" -eq 0 ]
	listen_end KILL
	[[ $(<"$T/listen.err") == *'has not taken the files: it took too long; the names stay'* ]]
	rm "$T/socket"
	# what this process held, for one after the other
	listens keep=1 holder="${HOLD_PID[h]}"
	take
	take
	[ "$(json '.fds | length')" -eq 1 ]
	[ "$(jq -c 'select(.names)' "$T/messages")" = '{"names":"kept"}' ]
	listen_end KILL
	fails_with 17 listen manifest="$M" path="$T/socket"
	fails_with 3 listen manifest="$M" holder=1 path="$T/other"
	rm "$T/socket"
	# a name that another file has by now stays
	local file
	file=$(entry_file)
	listens
	rm "$file"
	echo other >"$file"
	take
	listen_end
	[ "$status" -eq 3 ]
	[ "$(<"$file")" = other ]
	rm "$file"
	[ ! -e "$T/socket" ]
}

@test "library forecast and doctor say what check and doctor do" {
	local cgroup command
	cgroup=$(cgroup_name "$CG")
	hold h ab
	hold g unlinked
	hold t tmpfile
	for args in '' '--stop stop=1' "--store store=$T/store" "--store store=$T/store --store-mounts store_mounts=/nowhere"; do
		local options=() members=() word
		for word in $args; do
			[[ $word == --* ]] || members+=("$word")
			options+=("${word#*=}")
		done
		[[ $args != --stop* ]] || options=(--stop)
		rt_ok check --cgroup "$cgroup" -j "${options[@]}"
		# how fast a mount copies is measured each time
		command=$(json 'del(.seconds, .orphans[].relinktrace.seconds)')
		does_ok forecast cgroup="$cgroup" "${members[@]}"
		[ "$(json 'del(.seconds, .orphans[].relinktrace.seconds)')" = "$command" ]
		echo "$command" >>"$T/all"
	done
	# and these are not all the same
	[ "$(jq -cs 'unique | length' "$T/all")" -ge 2 ]
	fails_with 22 forecast
	fails_with 22 forecast cgroup="$cgroup" store_mounts=/mnt
	fails_with 22 checkpoint cgroup="$cgroup" manifest="$M" store_mounts=/mnt
	fails_with 2 forecast cgroup=/no/such/cgroup
	rt_ok doctor -j
	command=$output
	does_ok doctor
	jq -en --argjson a "$command" --argjson b "$output" '$a == $b'
}

@test "library execute gives a program what restore -- CMD does" {
	hold h two
	checkpoint_ok
	restore_ok --keep --holder "${HOLD_PID[h]}"
	local command
	command=$(json -c .fds)
	does_ok execute manifest="$M" keep=1 holder="${HOLD_PID[h]}" program="$HELPERS/got"
	[ "$(json -c .fds)" = "$command" ]
	[ -e "$(entry_file)" ]
	fails_with 2 execute manifest="$M" program=/no/such/program
	# it is there and cannot be executed: the names stay
	printf '#!/no/such/interpreter\n' >"$T/program"
	chmod +x "$T/program"
	fails_with 2 execute manifest="$M" program="$T/program"
	[ -e "$(entry_file)" ]
	does_ok execute manifest="$M" program="$HELPERS/got"
	[ "$(json '.fds | length')" -eq 2 ]
	no_new_names
}

@test "library hook: it and the command go on with each other's transactions" {
	local cgroup command
	cgroup=$(cgroup_name "$CG")
	hold h ab
	hold g unlinked
	does_ok hook action=prepare id=t cgroup="$cgroup"
	command=$output
	rt_ok hook prepare --id t --cgroup "$CG"
	json_is --argjson first "$command" '.repeated and ($first + {repeated: true}) == .'
	rt_ok hook post-dump --id t
	# a caller that wants to hear nothing of its children
	DO_ENV=(--ignore-signal=CHLD)
	does_ok hook action=post-dump id=t
	json_is '.repeated and .phase == "dumped"'
	does_ok hook action=pre-restore id=t root="/=$T"
	json_is '.phase == "restoring"'
	does_ok hook action=abort id=t
	rt_ok hook clean --id t
	json_is '.cleaned.removed == 1'
	does_ok hook action=clean id=t
	json_is '.repeated'
	no_new_names
}

@test "library hook: what is taken off criu's hands, all or nothing, in time" {
	local cgroup command
	cgroup=$(cgroup_name "$CG")
	hold h ab
	hold g unlinked
	local filter='del(.id, .checkpoint, .manifest, .names[].path, .criu.external, .cleaned)'
	rt hook prepare --id c --cgroup "$CG" --external --strict
	command=$status$(json "$filter")
	rt_ok hook abort --id c
	does hook action=prepare id=d cgroup="$cgroup" external=1 strict=1
	[ "$status$(json "$filter")" = "$command" ]
	does_ok hook action=abort id=d
	no_new_names
	# a failure has an answer too, and says so
	rt hook pre-restore --id c --strict
	command=$output
	does hook action=pre-restore id=c strict=1
	[ "$status" -eq 1 ]
	jq -en --argjson a "$command" --argjson b "$output" '$a == $b and ($a.proceed | not)'
	[[ $stderr == $'errno 125\n'"$(json '.messages[0].text')" ]]
	does hook action=prepare id=d cgroup=/no/such/cgroup
	[ "$status" -eq 1 ]
	json_is '.outcome == "failed" and .phase == "none"'
	# also where the caller has no use for the signal
	DO_ENV=(--block-signal=ALRM)
	does hook action=prepare id=d cgroup="$cgroup" deadline=0.000001
	[ "$status" -eq 1 ]
	json_is 'any(.messages[].text; . == "the deadline has passed")'
	no_new_names
	for members in action=none 'action=clean keep=1' action=prepare 'action=clean cgroup=/' \
		"action=prepare cgroup=/ config=$T/x" "action=prepare cgroup=/ store=$T/x" \
		'action=prepare tree=1 external=1 store_mounts=/mnt' 'action=pre-restore root=/no/such/dir' \
		'action=clean deadline=-1' 'action=clean id=../x'; do
		[[ $members == *id=* ]] || members+=' id=d'
		# shellcheck disable=SC2086 # words
		fails_with 22 hook $members
	done
}

@test "library hook: no_store is --no-store" {
	mkdir "$T/vol"
	mount -t tmpfs vol "$T/vol"
	rooted_begin
	echo 1 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 1
	local filter='[.store != null, ([.names[] | [.mount_point, .store]] | sort)]' args=(--tree "$PID" --config "$T/criu.conf")
	local members=(action=prepare id=d tree="$PID" config="$T/criu.conf") command
	for option in '' --no-store; do
		rt_ok hook prepare --id c --cgroup "$CG" "${args[@]}" $option
		command=$(json -c "$filter")
		rt_ok hook abort --id c
		does_ok hook "${members[@]}" cgroup="$(cgroup_name "$CG")" ${option:+no_store=1}
		[ "$(json -c "$filter")" = "$command" ]
		echo "$command" >>"$T/all"
		does_ok hook action=abort id=d
	done
	# and it does make a difference
	[ "$(jq -c '.[0]' "$T/all")" = $'true\nfalse' ]
	for words in "store=$T/store" store_mounts=/vol external=1; do
		[[ $words != external* ]] || members=(action=prepare id=d cgroup=/)
		fails_with 22 hook "${members[@]}" no_store=1 "$words"
	done
	[ ! -e "$ROOTFS/.relinktrace-store" ]
}

# What criu prepare has put into the root, the configuration and the manifest.
prepared() {
	(cd "$ROOTFS" && find . -name 'ile*' | wc -l)
	sed 's/[0-9a-f]\{32\}/ID/' "$T/criu.conf" | sort
	jq -c '[.entries[] | [.method, .path, .store]]' "$T/images/relinktrace.json"
}

@test "library criu: it prepares and cleans what the command does" {
	mkdir "$T/vol" "$T/images"
	mount -t tmpfs vol "$T/vol"
	rooted_begin
	local members=(tree="$PID" images="$T/images" config="$T/criu.conf") command
	rt_ok criu prepare --tree "$PID" --images-dir "$T/images" --config "$T/criu.conf" --store "$ROOTFS/.relinktrace-store"
	command=$output$(prepared)
	rt_ok criu clean --images-dir "$T/images"
	command+=$output
	rm "$T/images"/*
	does_ok criu_prepare "${members[@]}" store="$ROOTFS/.relinktrace-store"
	local said=$output
	said+=$(prepared)
	does_ok criu_clean images="$T/images"
	[ "$said$output" = "$command" ]
	[ ! -e "$T/criu.conf" ]
	rm "$T/images"/*
	rmdir "$ROOTFS/.relinktrace-store"
	# the caller's own has all of it, with the cgroup frozen, and nothing stays when it fails
	does criu_prepare "${members[@]}" frozen="grep 'frozen 1' '$CG/cgroup.events' >'$T/frozen'; ls '$ROOTFS' >'$T/root'; exit 3"
	[ "$status" -eq 1 ]
	[[ $stderr == $'errno 125\n'*'what the caller does while the cgroup is frozen has failed; what was preserved is removed again' ]]
	[ -s "$T/frozen" ]
	grep -q '^ile' "$T/root"
	[ -z "$(ls "$T/images")" ]
	[ ! -e "$T/criu.conf" ]
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'ile*' -o -name '.relinktrace*' -o -name 'unlink-at*')" ]
	# and the options go when it is done
	does_ok criu_prepare "${members[@]}" frozen="cp '$T/criu.conf' '$T/conf'"
	[ -s "$T/conf" ]
	[ ! -e "$T/criu.conf" ]
	does_ok criu_clean images="$T/images" root="/proc/$PID/root"
	does_ok criu_clean images="$T/images"
	[ -z "$(find "$ROOTFS" "$T/vol" -name 'ile*' -o -name '.relinktrace*' -o -name 'unlink-at*')" ]
	fails_with 2 criu_restore images="$T/none"
	fails_with 22 criu_restore images="$T/images" tree="$PID"
	fails_with 22 criu_restore
	fails_with 22 criu_dump images="$T/images"
	fails_with 22 criu_dump images="$T/images" tree="$PID" keep=1
	fails_with 22 criu_dump images="$T/images" tree="$PID" store_mounts=/vol
	fails_with 22 criu_prepare "${members[@]}" word=-v4
	fails_with 22 criu_clean images="$T/images" root=relative=/
	[ -z "$(ls "$RELINKTRACE_STATE")" ]
}

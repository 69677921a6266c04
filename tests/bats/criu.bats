#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Orphans taken off CRIU's hands: a program with one of every kind is dumped and restored,
# and sees what it saw before.

load lib

setup_file() {
	criu_modules
}

can_criu() {
	# 3.17 knows of kernels up to 6.1 or so; its own check is of single features only.
	command -v criu >/dev/null && [[ $(uname -r) == 6.1.* ]]
}

# The program is in $PROGRAM.
orphanage_begin() {
	mkfifo "$T/said" "$T/report"
	in_cgroup "$CG" "$HELPERS/orphanage" "$DIR" "$T/report" </dev/null >"$T/said" \
		2>"$T/stderr" 3>&- &
	PROGRAM=$!
	read -r -t "$PATIENCE" _ PROGRAM <"$T/said"
	mkdir "$T/images"
}

# seen_to FILE: what the program sees of its files.
seen_to() {
	kill -USR1 "$PROGRAM"
	timeout "$PATIENCE" cat "$T/report" >"$1"
}

# The same as before it was dumped, and still those bytes: 8 MiB, an offset, what was in the
# pipe.
sees_the_same() {
	seen_to "$T/now"
	diff -u "$T/before" "$T/now" >&2
}

dump() {
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" "$@" -- -v4 -o dump.log
	[ "$status" -eq 0 ] || { tail -n 20 "$T/images/dump.log" >&2 && false; }
}

restore() {
	rt criu restore --images-dir "$T/images" "$@" -- -v4 -o restore.log
	[ "$status" -eq 0 ] || { tail -n 20 "$T/images/restore.log" >&2 && false; }
}

program_end() {
	kill -KILL "$PROGRAM" 2>/dev/null || true
	wait "$PROGRAM" 2>/dev/null || true
	cgroup_empty "$CG"
}

@test "criu dump --leave-running, and restored twice, then once more: everything is as it was" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	seen_to "$T/before"
	[ "$(wc -l <"$T/before")" -eq 8 ]
	dump --leave-running
	[[ $output == *"7 orphans preserved, 0 left to CRIU"* ]]
	sees_the_same # it goes on
	[ "$(jq '.taken | length' "$T/images/relinktrace-criu.json")" -eq 7 ]
	program_end
	for _ in 1 2; do
		restore --keep
		sees_the_same
		program_end
	done
	restore
	sees_the_same
	list_is_true 7
	program_end
	no_new_names
}

@test "criu dump ends the program, restore brings it back; a failed one leaves everything" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	seen_to "$T/before"
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" -- --no-such-option
	[ "$status" -eq 1 ]
	[ -z "$(ls "$T/images")" ]
	no_new_names
	sees_the_same
	list_is_true 7
	dump
	wait "$PROGRAM" || true
	"$HELPERS/await" "$CG" populated 0
	rt criu restore --images-dir "$T/images" -- --no-such-option
	[ "$status" -eq 1 ]
	[[ $stderr == *"no name was removed"* ]]
	restore
	sees_the_same
	program_end
	no_new_names
}

# criu_told: each criu that is executed is noted in $T/told with its first word.
criu_told() {
	CRIU=$T/criu
	export CRIU
	printf '#!/bin/sh\necho "$1" >>"%s"\nexec "%s" "$@"\n' "$T/told" "$(command -v criu)" >"$CRIU"
	chmod 755 "$CRIU"
}

# images_again: as if there had been no dump into the folder.
images_again() {
	[[ ! -e $T/images/relinktrace.json ]] || rt_ok clean "$T/images/relinktrace.json"
	rm -r "$T/images"
	mkdir "$T/images"
	: >"$T/told"
}

@test "CRIU waits for its request; what cannot be asked for so is a command line" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	seen_to "$T/before"
	criu_told
	dump --leave-running
	[ "$(<"$T/told")" = swrk ]
	# its log has a name where it is given none
	images_again
	rt_ok criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running
	[ "$(<"$T/told")" = swrk ]
	[ -e "$T/images/dump.log" ]
	# where it cannot write, that is said, and nothing stays
	images_again
	mkdir "$T/images/pstree.img"
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running
	[ "$status" -eq 1 ]
	[ "$(<"$T/told")" = swrk ]
	[[ $stderr == *"criu failed: "*pstree.img*"; its log tells why; what was preserved is removed again"* ]]
	no_new_names
	sees_the_same
	images_again
	rt_ok criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running -- \
		--skip-in-flight
	[ "$(<"$T/told")" = dump ]
	sees_the_same
	program_end
	restore
	sees_the_same
	program_end
	no_new_names
}

# named_begin [SIZE [COMMAND]]: a program that holds a file with a name, $DIR/file, as fd 4; in
# $PROGRAM. What COMMAND starts is its child.
named_begin() {
	head -c "${1:-5000}" /dev/urandom >"$DIR/file"
	cp "$DIR/file" "$T/bytes"
	mkfifo "$T/said"
	# shellcheck disable=SC2016 # the inner shell's
	in_cgroup "$CG" bash -c 'eval "$2"; exec "${@:3}" 4<"$1"' - "$DIR/file" "${2:-}" "$HELPERS/herd" "$DIR" \
		"$T/report" 0 1 </dev/null >"$T/said" 2>"$T/stderr" 3>&- &
	PROGRAM=$!
	read -r -t "$PATIENCE" _ PROGRAM <"$T/said"
	rm "$T/said"
	mkdir "$T/images"
}

# criu_meets COMMAND: is run by bash when the first criu has got its request and has not read it:
# what is to be looked at before the dump was. $T/told has of each criu whether the cgroup was
# frozen by then.
criu_meets() {
	CRIU=$T/criu MEETS=$1 CRIU_REAL=$(command -v criu)
	export CRIU MEETS CRIU_REAL CG DIR T
	: >"$T/told"
	cat >"$CRIU" <<'EOF'
#!/usr/bin/python3
import os, select, subprocess, sys
if sys.argv[1] == "swrk":
    select.select([int(sys.argv[2])], [], [])
    told = os.environ["T"] + "/told"
    first = os.path.getsize(told) == 0
    with open(os.environ["CG"] + "/cgroup.freeze") as frozen, open(told, "a") as out:
        out.write(frozen.read())
    if first:
        subprocess.run(["bash", "-c", os.environ["MEETS"]], check=True)
os.execv(os.environ["CRIU_REAL"], ["criu"] + sys.argv[1:])
EOF
	chmod 755 "$CRIU"
}

# dumped_alone WHAT SIZE COMMAND FROZEN N: of a program that holds no orphan, where COMMAND is
# what comes between the look and CRIU; FROZEN is 0 where CRIU did it alone, and 0 1 where once
# more and frozen, with N orphans then. It is restored with what it had.
dumped_alone() {
	named_begin "$2"
	criu_meets "$3"
	dump --leave-running
	echo "$1: $(xargs <"$T/told"), $output"
	[ "$(xargs <"$T/told")" = "$4" ]
	[[ $output == *"$5 orphans preserved, 0 left to CRIU"* ]]
	[ "$(jq '[.complete, (.entries | length)] | @text' -r "$T/images/relinktrace.json")" = "[true,$5]" ]
	# nothing of the dump that did not count is left
	[ -z "$(find "$T/images" -name 'ghost-file*' -o -name 'remap-fpath*')" ]
	cmp "/proc/$PROGRAM/fd/4" "$T/bytes"
	program_end
	restore
	cmp "/proc/$PROGRAM/fd/4" "$T/bytes"
	program_end
	no_new_names
	rm -rf "$T/images" "${DIR:?}"/*
}

dumped_alone_each() {
	dumped_alone "nothing" 5000 : "0" 0
	# shellcheck disable=SC2016 # the wrapper's shell's
	{
		dumped_alone "a ghost" 5000 'rm "$DIR/file"' "0 1" 1
		dumped_alone "above the limit" 2000000 'rm "$DIR/file"' "0 1" 1
		dumped_alone "another link" 5000 'ln "$DIR/file" "$DIR/log" && rm "$DIR/file"' "0 1" 1
	}
}

@test "who holds no orphan is frozen by CRIU alone; what is orphaned just before is not left to it" {
	can_criu || skip "criu does not work on this kernel"
	dumped_alone_each
}

@test "the same with a pinned attach" {
	can_criu || skip "criu does not work on this kernel"
	rt_ok attach --cgroup "$CG" --pin
	dumped_alone_each
	rt_ok detach --all
}

# criu_steps: CRIU appends to $T/steps how much is in $T/ticks, before it has stopped anybody and
# when it has dumped and nobody goes on yet.
criu_steps() {
	printf '#!/bin/sh\ncase $CRTOOLS_SCRIPT_ACTION in *-dump) stat -c %%s "%s" >>"%s" ;; esac\n' \
		"$T/ticks" "$T/steps" >"$T/script"
	chmod 755 "$T/script"
	echo "action-script $T/script" >"$T/criu.conf"
	export CRIU_CONFIG_FILE=$T/criu.conf
}

# ticks_in DIR: there, a process, $TICKER, writes to $T/ticks for ever.
ticks_in() {
	# shellcheck disable=SC2016 # the inner shell's
	in_cgroup "$1" bash -c 'while :; do echo; done >"$1"' - "$T/ticks" 3>&- &
	TICKER=$!
	until [[ -s $T/ticks ]]; do :; done
}

# What is promised is that the cgroup is frozen, and CRIU stops no other than those that it dumps.
@test "who is in the cgroup and not below the process is frozen, though nobody holds an orphan" {
	can_criu || skip "criu does not work on this kernel"
	local place
	named_begin 5000 'setsid sleep infinity </dev/null >/dev/null 2>&1 &'
	criu_steps
	mkdir "$CG/below"
	for place in "$CG" "$CG/below"; do
		criu_meets :
		ticks_in "$place"
		dump --leave-running
		cat "$T/steps"
		[ "$(<"$T/told")" = 1 ]
		[ "$(uniq "$T/steps" | wc -l)" -eq 1 ]
		[ "$(wc -l <"$T/steps")" -eq 2 ]
		kill -KILL "$TICKER"
		wait "$TICKER" || true
		rm "$T/ticks" "$T/steps"
		images_again
	done
	# a child is of those
	[ "$(wc -l <"$CG/cgroup.procs")" -eq 2 ]
	unset CRIU_CONFIG_FILE
	criu_meets :
	dump --leave-running
	[ "$(<"$T/told")" = 0 ]
	program_end
	no_new_names
}

@test "what CRIU cannot dump it is asked for once where nothing was orphaned meanwhile, else again" {
	can_criu || skip "criu does not work on this kernel"
	actor a
	PROGRAM=${HOLD_PID[a]}
	mkdir "$T/images"
	criu_meets :
	# the program is of our session: it has to be told --shell-job, whoever held what
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running
	[ "$status" -eq 1 ]
	[[ $stderr == *"criu failed"*"--shell-job"* ]]
	[ "$(xargs <"$T/told")" = 0 ]
	[ "$(ls "$T/images")" = dump.log ]
	images_again
	# what it fails for here it does not say
	echo 'action-script /bin/false' >"$T/criu.conf"
	export CRIU_CONFIG_FILE=$T/criu.conf
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running
	[ "$status" -eq 1 ]
	[ "$(xargs <"$T/told")" = "0 1" ]
	images_again
	has_function_hooks || skip "nothing counts what is orphaned"
	rt_ok attach --cgroup "$CG" --pin
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running
	[ "$status" -eq 1 ]
	[[ $stderr == *"criu failed"* ]]
	[ "$(xargs <"$T/told")" = 0 ]
	[ "$(ls "$T/images")" = dump.log ]
	images_again
	# what is gone by the time of the freeze may have been the reason
	MEETS='touch "$DIR/x" && exec 9<"$DIR/x" && rm "$DIR/x"'
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running
	[ "$status" -eq 1 ]
	[ "$(xargs <"$T/told")" = "0 1" ]
	rt_ok detach --all
}

# Whoever froze it, CRIU has to know.
@test "who is frozen already is dumped with that, though he holds no orphan" {
	can_criu || skip "criu does not work on this kernel"
	named_begin
	criu_meets :
	echo 1 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 1
	dump --leave-running
	[ "$(xargs <"$T/told")" = 1 ]
	[ "$(<"$CG/cgroup.freeze")" = 1 ]
	echo 0 >"$CG/cgroup.freeze"
	program_end
	restore
	cmp "/proc/$PROGRAM/fd/4" "$T/bytes"
	program_end
}

@test "CRIU alone aborts on this program" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	rt_ok check --cgroup "$CG" -j
	json_is '[.orphans[].criu.verdict] | index("abort") and index("link-remap")'
	run criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running -o one.log
	[ "$status" -ne 0 ]
	grep -Eq "Can't (create link remap|dump ghost file)" "$T/images/one.log"
	run criu dump --tree "$PROGRAM" --images-dir "$T/images" --leave-running --link-remap \
		-o two.log
	[ "$status" -ne 0 ]
	grep -q "Can't dump ghost file" "$T/images/two.log"
	program_end
}

# by_agent HEADING N: see recipe.
by_agent() {
	local ID=agent CGROUP=$CG IMAGES=$T/images PID=$PROGRAM
	recipe "$@"
}

# What CRIU links for the time of a dump is gone by the time of the archive; the hook keeps
# it.
@test "criu-hook keeps what CRIU links, so that a dump with --leave-running is restored" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	seen_to "$T/before"
	by_agent "criu with an action script" 1
	[ -z "$(ls "$DIR"/link_remap.* 2>/dev/null)" ]
	[ "$(jq '.links | length' "$T/images/relinktrace-hook.json")" -eq 1 ]
	[ "$(jq '.entries | length' "$T/images/relinktrace.json")" -eq 1 ]
	sees_the_same # it goes on
	program_end
	run criu restore --images-dir "$T/images" --restore-detached -o alone.log
	[ "$status" -ne 0 ]
	grep -q "Can't link .*link_remap" "$T/images/alone.log"
	# twice; the second time as elsewhere: all that is known came with the images
	for _ in 1 2; do
		by_agent "criu with an action script" 3
		[ -z "$(ls "$DIR"/link_remap.* 2>/dev/null)" ]
		sees_the_same
		program_end
		rm -r "$RELINKTRACE_STATE/hook"
	done
	by_agent "criu with an action script" 2
	sees_the_same
	program_end
	[ -z "$(ls -A "$RELINKTRACE_STATE/hook")" ]
	no_new_names
}

# As a node agent does it that can give criu neither a script nor files.
@test "hook prepare and hook pre-restore: what others dump and restore with link-remap" {
	can_criu || skip "criu does not work on this kernel"
	local options=()
	orphanage_begin
	seen_to "$T/before"
	rt_ok hook prepare --id agent --cgroup "$CG"
	mapfile -t options < <(json '.criu.options[]')
	criu dump --tree "$PROGRAM" --images-dir "$T/images" -o dump.log --leave-running \
		"${options[@]}"
	rt_ok hook post-dump --id agent --images-dir "$T/images"
	program_end
	rt_ok hook pre-restore --id agent --images-dir "$T/images"
	json_is '[.criu.links[].state] == ["made"]'
	# the restore does not come to its end: what was linked for it goes
	rt_ok hook abort --id agent
	[ -z "$(ls "$DIR"/link_remap.* 2>/dev/null)" ]
	rt_ok hook pre-restore --id agent --images-dir "$T/images"
	criu restore --images-dir "$T/images" --restore-detached -o restore.log
	rt_ok hook post-restore --id agent
	sees_the_same
	program_end
	no_new_names
}

# Frozen from before prepare until the dump is done: everything is taken off its hands.
@test "hook prepare --external: criu is told what is not its own, and restored from by us" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	seen_to "$T/before"
	by_agent "criu, run by the agent" 1
	[ "$(jq '.preserved == 7 and .criu.left == [] and (.criu.options | length) == 14' "$T/answer")" = true ]
	program_end
	rt_ok hook pre-restore --id agent --strict
	json_is '.criu.inherit | length == 7'
	by_agent "criu, run by the agent" 2
	sees_the_same
	program_end
	no_new_names
}

# by_library FUNCTION [MEMBER=VALUE]...: by librelinktrace, tests/library/do.c.
by_library() {
	run --separate-stderr alone timeout "$PATIENCE" "$HELPERS/../library/do" "$@"
	printf '$ do %s\n%s\n%s\nstatus %d\n' "$*" "$output" "$stderr" "$status"
}

@test "librelinktrace dumps and restores as the command does" {
	can_criu || skip "criu does not work on this kernel"
	local command fields='[.entries[] | .method, .path, .relink_path != null]'
	orphanage_begin
	seen_to "$T/before"
	dump --leave-running
	command=$output$(jq -c "$fields" "$T/images/relinktrace.json")
	images_again
	# a failed one leaves nothing
	by_library criu_dump tree="$PROGRAM" images="$T/images" leave_running=1 word=--no-such-option
	[ "$status" -eq 1 ]
	# what criu itself has to say comes before
	[[ $stderr == *$'errno 125\n'*'what was preserved is removed again' ]]
	[ -z "$(ls "$T/images")" ]
	no_new_names
	sees_the_same
	by_library criu_dump tree="$PROGRAM" images="$T/images" leave_running=1 word=-v4 word=-o word=dump.log
	[ "$output$(jq -c "$fields" "$T/images/relinktrace.json")" = "$command" ]
	sees_the_same
	program_end
	by_library criu_restore images="$T/images" word=--no-such-option
	[ "$status" -eq 1 ]
	[[ $stderr == *'no name was removed' ]]
	by_library criu_restore images="$T/images" keep=1
	[ "$status$output$stderr" = 0restored ]
	sees_the_same
	program_end
	by_library criu_restore images="$T/images"
	[ "$status$output$stderr" = 0restored ]
	sees_the_same
	program_end
	no_new_names
	# and one with which the program ends, into a store
	rm -r "$T"/{images,said,report} "${DIR:?}"/*
	orphanage_begin
	seen_to "$T/before"
	by_library criu_dump tree="$PROGRAM" images="$T/images" precopy=1 store="$T/images/store"
	[ "$status" -eq 0 ]
	wait "$PROGRAM" || true
	"$HELPERS/await" "$CG" populated 0
	no_new_names
	mv "$T/images/store" "$T/elsewhere"
	by_library criu_restore images="$T/images" store="$T/elsewhere"
	[ "$status" -eq 0 ]
	sees_the_same
	program_end
}

# In no container nothing travels with the images by itself.
@test "criu dump --store: no name on the mounts, and all is restored from where the store is" {
	can_criu || skip "criu does not work on this kernel"
	orphanage_begin
	seen_to "$T/before"
	dump --leave-running --store "$T/images/store"
	[[ $output == *"7 orphans preserved, 0 left to CRIU"* ]]
	[ "$(jq '.entries | all(.store)' "$T/images/relinktrace.json")" = true ]
	no_new_names
	sees_the_same # it goes on
	program_end
	mv "$T/images/store" "$T/elsewhere"
	restore --keep --store "$T/elsewhere"
	sees_the_same
	program_end
	mv "$T/images" "$T/there"
	mv "$T/elsewhere" "$T/there/store"
	ln -s there "$T/images"
	restore
	sees_the_same
	program_end
	[ -z "$(find "$T/there/store" -type f)" ]
	no_new_names
}

@test "criu dump and restore refuse what they do not understand" {
	rt criu
	[ "$status" -eq 2 ]
	rt criu dump --images-dir "$T"
	[ "$status" -eq 2 ]
	rt criu dump --tree 1
	[ "$status" -eq 2 ]
	rt criu restore --images-dir "$T"
	[ "$status" -eq 1 ]
	[[ $stderr == *"$T/relinktrace.json"* ]]
}

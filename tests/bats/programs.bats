#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that were not written for this: what they leave unlinked and open is listed,
# and lsfd and lsof see the same.

load lib

PROGRAMS=$TOP/build/programs/usr/sbin
POSTGRESQL=$TOP/build/programs/usr/lib/postgresql/15/bin

teardown() {
	cgroup_empty "$CG"
	cgroup_remove "$CG"
	rm -rf -- "$DIR"
}

# needs COMMAND...: of `tools/setup programs`.
needs() {
	local command
	for command; do
		PATH=$PATH:/usr/sbin:$PROGRAMS:$POSTGRESQL command -v "$command" >/dev/null ||
			skip "$command is not installed (tools/setup programs)"
	done
}

# begin NAME COMMAND...: in the cgroup, with its input and output at our hands.
begin() {
	mkfifo "$T/$1.in" "$T/$1.out"
	in_cgroup "$CG" "${@:2}" <"$T/$1.in" >"$T/$1.out" 2>"$T/$1.err" 3>&- &
	disown
	exec {TO}>"$T/$1.in" {FROM}<"$T/$1.out"
}

# Frozen, so that all see the same moment. lsfd 2.38 does not look at mappings, lsof does;
# both take by its name for deleted what never had one, as memfd.
same_as_others() {
	local pids
	pids=$(find "$CG" -name cgroup.procs -exec cat {} + | paste -sd ,)
	echo 1 >"$CG/cgroup.freeze"
	"$HELPERS/await" "$CG" frozen 1
	rt list --cgroup "$CG" -j
	lsfd -p "$pids" -J -o PID,INODE,DELETED,NAME >"$T/lsfd"
	lsof -nPw -p "$pids" -F pfin >"$T/lsof" || true # 1: one had nothing
	echo 0 >"$CG/cgroup.freeze"
	[ "$status" -eq 0 ]
	{
		jq -r '.lsfd[] | select(.deleted) | "\(.inode) \(.pid) \(.name)"' "$T/lsfd"
		awk '/^p/ {pid = substr($0, 2)} /^f/ {fd = $0} /^i/ {ino = substr($0, 2)}
			/^n/ && fd == "fDEL" {print ino, pid, substr($0, 2)}' "$T/lsof"
	} | grep -vE '^[0-9]+ [0-9]+ /(memfd:|SYSV|dev/zero)' | cut -d ' ' -f 1,2 | sort -u \
		>"$T/by_others"
	jq -r '.orphans[] | "\(.ino) \(.holders[].pid)"' <<<"$output" | sort -u >"$T/by_us"
	diff -u "$T/by_others" "$T/by_us" >&2
	json_is '.complete and (.orphans | length) > 0'
}

@test "SQLite with a temporary table on disk" {
	needs sqlite3
	begin sqlite env SQLITE_TMPDIR="$DIR" sqlite3 "$DIR/db"
	cat >&"$TO" <<-'END'
		PRAGMA temp_store = 1; PRAGMA cache_size = 10; PRAGMA temp.cache_size = 10;
		CREATE TEMP TABLE t AS WITH RECURSIVE c(x) AS
			(SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000) SELECT x, randomblob(500) FROM c;
		SELECT 'ready';
	END
	until_said ready
	same_as_others
	json_is --arg dir "$DIR/etilqs_" 'any(.orphans[]; (.path | startswith($dir)) and .size > 0)'
}

@test "a Python program with multiprocessing's semaphores" {
	needs python3
	begin python python3 -c '
import multiprocessing
lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
print("ready", flush=True)
input()'
	until_said ready
	same_as_others
	json_is 'all(.orphans[]; .fstype == "tmpfs" and all(.holders[]; .kind == "map"))'
}

@test "MariaDB's temporary files of InnoDB" {
	needs mariadbd
	mkdir "$DIR/data"
	# without its system tables, which its temporary files do not need
	# shellcheck disable=SC2016 # for that shell
	begin mariadb sh -c 'exec "$0" "$@" 2>&1' "$(PATH=$PATH:/usr/sbin command -v mariadbd)" \
		--no-defaults --user=root --datadir="$DIR/data" --tmpdir="$DIR" \
		--skip-grant-tables --skip-networking --socket="$T/socket" --pid-file="$T/pid"
	until_said '*ready for connections*'
	same_as_others
	json_is --arg dir "$DIR/" '(.orphans | length) >= 3 and
		all(.orphans[]; .path | startswith($dir))'
}

# It refuses to run as root: here it believes that it is somebody else.
postgresql() {
	unshare --user --map-user=1000 "$POSTGRESQL/$1" "${@:2}"
}

# What one session has opened and another drops is unlinked by the next checkpoint, and
# the first keeps it open until it is told.
@test "PostgreSQL with a table that another session has dropped" {
	needs postgres psql
	postgresql initdb -D "$DIR/data" -A trust -U postgres --no-sync >&2
	# shellcheck disable=SC2016 # for that shell
	begin server sh -c 'exec "$0" "$@" 2>&1' unshare --user --map-user=1000 \
		"$POSTGRESQL/postgres" -D "$DIR/data" -c listen_addresses= \
		-c unix_socket_directories="$T" -c fsync=off
	until_said '*ready to accept connections*'
	local psql=("$POSTGRESQL/psql" -qX -h "$T" -U postgres)
	begin session "${psql[@]}"
	cat >&"$TO" <<-END
		CREATE TABLE t AS SELECT generate_series(1, 1000) AS x;
		SELECT count(*) FROM t;
		\\! ${psql[*]} -c 'DROP TABLE t' -c CHECKPOINT -c CHECKPOINT
		\\echo ready
	END
	until_said ready
	same_as_others
	json_is --arg dir "$DIR/data/base/" 'any(.orphans[]; .path | startswith($dir))'
}

# Its shared memory is memfd by now, which never had a name; files of its own are unlinked
# as soon as they are open.
@test "headless Chromium's unlinked temporary files" {
	needs chromium-headless-shell
	# shellcheck disable=SC2016 # for that shell
	begin chromium env TMPDIR="$DIR" sh -c 'exec "$0" "$@" 2>&1' chromium-headless-shell \
		--headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--user-data-dir="$T/profile" --remote-debugging-port=0 about:blank
	until_said '*DevTools listening*'
	# its children are only about to
	local end=$((SECONDS + PATIENCE)) pid
	until for pid in $(find "$CG" -name cgroup.procs -exec cat {} +); do
		find "/proc/$pid/fd" "/proc/$pid/map_files" \
			-lname "$DIR/.org.chromium.*(deleted)" 2>/dev/null
	done | grep -q .; do
		((SECONDS < end))
	done
	same_as_others
	json_is --arg path "$DIR/.org.chromium." 'any(.orphans[]; .path | startswith($path))'
}

nginx_begin() {
	mkdir "$DIR/body"
	cat >"$T/nginx.conf" <<-END
		daemon off; master_process off; user root; pid $T/nginx.pid; error_log $T/error.log;
		events {}
		http {
			access_log $DIR/access.log;
			client_body_temp_path $DIR/body; client_body_buffer_size 1k;
			proxy_temp_path $T; fastcgi_temp_path $T; uwsgi_temp_path $T; scgi_temp_path $T;
			server { listen unix:$T/http; location / { proxy_pass http://unix:$T/upstream; } }
		}
	END
	begin nginx env PATH="$PATH:/usr/sbin:$PROGRAMS" nginx -c "$T/nginx.conf"
}

@test "nginx with a request's body on disk" {
	needs nginx python3
	nginx_begin
	# its upstream and its client: a body is passed on when all of it is there
	python3 -c '
import socket, sys
upstream = socket.socket(socket.AF_UNIX); upstream.bind(sys.argv[1]); upstream.listen()
client = socket.socket(socket.AF_UNIX)
while client.connect_ex(sys.argv[2]): pass
client.sendall(b"POST / HTTP/1.0\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50000)
upstream.accept()
print("ready", flush=True)
input()' "$T/upstream" "$T/http" <"$T/nginx.in" >"$T/nginx.out" 3>&- &
	until_said ready
	same_as_others
	json_is --arg dir "$DIR/body/" 'any(.orphans[]; (.path | startswith($dir)) and .size == 50000)'
	kill %%
}

@test "a log that logrotate removed under a running daemon" {
	needs nginx python3 logrotate
	nginx_begin
	python3 -c '
import socket, sys
client = socket.socket(socket.AF_UNIX)
while client.connect_ex(sys.argv[1]): pass
client.sendall(b"GET /x HTTP/1.0\r\n\r\n")
client.recv(100)' "$T/http"
	printf '%s {\n\trotate 0\n\tmissingok\n\tcreate 0600 root root\n}\n' "$DIR/access.log" \
		>"$T/logrotate.conf"
	chmod 700 "$DIR"
	chmod 600 "$T/logrotate.conf"
	"$(PATH=$PATH:/usr/sbin command -v logrotate)" -f -s "$T/state" "$T/logrotate.conf"
	same_as_others
	json_is --arg path "$DIR/access.log" 'any(.orphans[]; .path | startswith($path))'
}
